"""What somebody edits around a Canary is mended on the wake about it, in every phase; nothing else moves by that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from handlers.adapters.kube import Object
from schemas.events import ChangeReason
from schemas.resources import (
    CONFIG_MAP,
    DEPLOYMENT,
    HORIZONTAL_POD_AUTOSCALER,
    ROUTE_TABLE,
    SERVICE,
    UPSTREAM,
    Resource,
)
from schemas.status import CanaryStatus, Phase
from tests.handlers.autoscaled import make_scaler, naming
from tests.handlers.configured import Configured, reading
from tests.handlers.house import NAMESPACE, House

GATES = ("confirm-rollout", "confirm-promotion")
FOREIGN = {"name": "default-nobody-9898", "namespace": NAMESPACE}


class Edit(NamedTuple):
    """What somebody does to an object, and what of it must be again as before."""

    resource: Resource
    name: str
    body: dict[str, Any]
    part: Callable[[Object], Any] = lambda item: item["spec"]


def _elsewhere() -> dict[str, Any]:
    destination = {"destination": {"upstream": FOREIGN}, "weight": 100}
    return {"routes": [{"matchers": [{"prefix": "/"}], "routeAction": {"multi": {"destinations": [destination]}}}]}


def _template(item: Object) -> Any:
    return item["spec"]["template"]["spec"]["containers"]


EDITS = [
    Edit(SERVICE, "podinfo", {"spec": {"selector": {"app": "nobody"}}}),
    Edit(SERVICE, "podinfo-primary", {"spec": {"selector": {"app": "nobody"}}}),
    Edit(SERVICE, "podinfo-canary", {"spec": {"selector": {"app": "nobody"}}}),
    Edit(UPSTREAM, "default-podinfo-primaryupstream-9898", {"spec": {"kube": {"serviceName": "nobody"}}}),
    Edit(UPSTREAM, "default-podinfo-canaryupstream-9898", {"spec": {"kube": {"selector": {"app": "nobody"}}}}),
    Edit(ROUTE_TABLE, "podinfo", {"spec": _elsewhere()}),
    Edit(
        DEPLOYMENT,
        "podinfo-primary",
        {"spec": {"template": {"spec": {"containers": [{"name": "podinfod", "image": "podinfo:evil"}]}}}},
        _template,
    ),
    Edit(HORIZONTAL_POD_AUTOSCALER, "podinfo-primary", {"spec": {"maxReplicas": 1}}),
    Edit(CONFIG_MAP, "colours-primary", {"data": {"colour": "red"}}, lambda item: item["data"]),
]
METRIC = {"name": "request-success-rate", "thresholdRange": {"min": 99}, "interval": "1m"}


async def _reached(house: House, people: Configured, phase: Phase) -> None:
    """A rollout to another content in that phase; the canary has weight as soon as it can have."""
    hooks = [{"name": gate, "type": gate, "url": f"{house.answering.url}/hook/{gate}"} for gate in GATES]
    await house.definitions()
    await make_scaler(house, HORIZONTAL_POD_AUTOSCALER)
    analysis = {"webhooks": hooks, "stepWeightPromotion": 50, "metrics": [METRIC], "threshold": 5}
    await people.prepare(reading(), analysis=analysis, **naming(HORIZONTAL_POD_AUTOSCALER))
    if phase is Phase.INITIALIZING:
        house.gateway = "Pending"
        await house.change(ChangeReason.SPEC)
        await house.change()
        return
    await house.initialized()
    if phase is Phase.WAITING:
        house.answering.gates["confirm-rollout"] = 403
    if phase is Phase.WAITING_PROMOTION:
        house.answering.gates["confirm-promotion"] = 403
    await house.push("podinfo:2")
    await house.until(phase, settled=False)
    if phase is Phase.PROGRESSING:
        await house.tick()
        house.answering.value = "1"
        await house.tick()
        status = await house.status()
        assert (status.canary_weight, status.failed_checks) == (25, 1)
    if phase is Phase.FINALISING:
        house.gateway = "Pending"


PHASES = [
    Phase.INITIALIZING,
    Phase.WAITING,
    Phase.PROGRESSING,
    Phase.WAITING_PROMOTION,
    Phase.PROMOTING,
    Phase.FINALISING,
]


def _course(status: CanaryStatus) -> dict[str, Any]:
    """All that says how far a rollout is."""
    fields = ("phase", "canary_weight", "failed_checks", "iterations", "in_a_row", "canary_revision", "last_tick")
    return {field: getattr(status, field) for field in (*fields, "primary_revision", "promoted_revision")}


@pytest.mark.parametrize("phase", PHASES)
async def test_whatever_somebody_edits_is_mended_at_once_and_the_rollout_stays_where_it_is(
    house: House, people: Configured, phase: Phase
) -> None:
    await _reached(house, people, phase)
    for edit in EDITS:
        before, right = await house.status(), await house.object(edit.resource, edit.name)
        await house.admin.patch(edit.resource, NAMESPACE, edit.name, edit.body, type=_patch(edit))
        asked = _judged(house)
        assert edit.part(await house.object(edit.resource, edit.name)) != edit.part(right)
        await house.change(ChangeReason.DRIFT)
        assert edit.part(await house.object(edit.resource, edit.name)) == edit.part(right), edit.name
        assert _course(await house.status()) == _course(before), edit.name
        assert _judged(house) == asked, edit.name


def _judged(house: House) -> list[str]:
    """Hooks and metrics that were asked; whether there is a Prometheus at all is asked while it is initialised."""
    return [name for name in house.answering.asked if name != "vector"]


def _patch(edit: Edit) -> Any:
    return "strategic" if edit.resource is DEPLOYMENT else "merge"
