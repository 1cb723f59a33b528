"""Whatever the definition lets through, however odd, is read, judged and explained: nobody stumbles over a manifest."""

from __future__ import annotations

import random
from typing import Any

import pytest

from deploy.sandbox.kube import structural, validation
from handlers.core import desired
from handlers.core.explain import explain
from handlers.core.observation import Observation
from handlers.core.remarks import remarks
from handlers.core.validate import problems
from schemas.base import format_time
from schemas.canary import Canary
from schemas.events import Change, ChangeReason
from schemas.generate import definitions
from tests.deploy.canaries import CASES, changed, mutated
from tests.handlers.core import shapes
from tests.handlers.core.cluster import START

CHANGE = Change(namespace="test", name="podinfo", uid="u", reason=ChangeReason.SPEC)
SPEC = definitions.canary()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
STATUS = {"phase": "Progressing", "canaryWeight": 10, "step": 3, "lastTick": format_time(START)} | {
    "noDataSince": format_time(START)
}


def stored(spec: dict[str, Any]) -> dict[str, Any] | None:
    """As an API server keeps it; None for what it refuses."""
    structural.drop_nulls(spec, SPEC)
    kept: dict[str, Any] = structural.prune(spec, SPEC, "", [])
    structural.fill_defaults(kept, SPEC)
    return None if validation.check(kept, SPEC) else kept


def judged(spec: dict[str, Any]) -> tuple[str, ...]:
    metadata = {"name": "podinfo", "namespace": "test", "uid": "u", "generation": 1}
    ours = Canary.from_object({"metadata": metadata, "spec": spec, "status": STATUS})
    assert ours.problems == (), spec
    assert explain(ours, 10).remarks == remarks(ours)
    desired.route_table(ours, ours.status)
    return problems(ours, Observation(now=START, stimulus=CHANGE, target=shapes.make(ours.spec.target_ref.kind)))


def test_mutated_canaries_that_are_accepted_can_be_read_and_judged() -> None:
    accepted = [spec for seed in range(600) if (spec := stored(mutated(random.Random(seed)))) is not None]
    for spec in accepted:
        judged(spec)
    assert len(accepted) > 100, "else hardly anything was tried"


@pytest.mark.parametrize("case", [case for case in CASES if case.accepted], ids=lambda case: case.why)
def test_what_the_peer_runs_is_not_refused(case: Any) -> None:
    spec = stored(changed(case.changes))
    assert spec is not None
    # a Canary without a service may be stored, but there is no port to make anything with
    portless = "spec.service.port: missing; give the port of the Service, 1 to 65535"
    assert judged(spec) == (() if "service" in spec else (portless,))


@pytest.mark.parametrize(
    "changes",
    [
        {"analysis.webhooks": None, "analysis.metrics": None, "analysis.match": None, "autoscalerRef": None},
        {"analysis.metrics.0.thresholdRange": {"min": None, "max": 1}, "analysis.webhooks.0.type": None},
        {"analysis.interval": "9999999999999999999m", "progressDeadlineSeconds": 10**30},
        {"analysis.stepWeight": 10**30, "analysis.threshold": 10**30, "analysis.maxWeight": -1},
        {"analysis.webhooks.0.timeout": "1min", "analysis.webhooks.0.retries": -1},
        {"analysis.metrics.1": {"name": "request-success-rate"}, "analysis.metrics.2": {"name": "", "query": "up"}},
        {"analysis.metrics.0.templateRef": {"name": "x"}, "analysis.metrics.0.query": "up"},
        {"service.targetPort": 0, "service.portName": "", "autoscalerRef.apiVersion": "autoscaling/v2beta2"},
        {"analysis.primaryReadyThreshold": 0, "analysis.canaryReadyThreshold": 0, "analysis.threshold": -3},
    ],
    ids=str,
)
def test_odd_values_that_the_peer_lives_with_are_not_refused(changes: dict[str, Any]) -> None:
    spec = stored(changed(changes))
    assert spec is not None
    assert judged(spec) == ()
