"""What the definitions accept, refuse, drop and fill in: on the embedded API or, in the cluster suite, a real one."""

from __future__ import annotations

import copy
import itertools
from datetime import UTC, datetime
from typing import Any

import pytest

from handlers.adapters.errors import Invalid
from handlers.adapters.kube import Kube
from schemas.canary import Canary
from schemas.resources import ALERT_PROVIDER, CANARY, METRIC_TEMPLATE, ROUTE_TABLE, UPSTREAM, Resource
from schemas.status import (
    Approved,
    CanaryStatus,
    CheckResult,
    Condition,
    LastCommand,
    LastStep,
    Notice,
    Paused,
    Phase,
    Reason,
    Returning,
)
from tests.deploy.canaries import CASES, Case, changed, lay_over

pytestmark = pytest.mark.asyncio(loop_scope="module")
_numbers = itertools.count()


async def _create(kube: Kube, resource: Resource, namespace: str, spec: dict[str, Any]) -> dict[str, Any]:
    name = f"c-{next(_numbers)}"
    return await kube.create(resource, {"metadata": {"name": name, "namespace": namespace}, "spec": spec})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.why)
async def test_a_canary_is_judged_as_the_specification_says(case: Case, kube: Kube, namespace: str) -> None:
    spec = changed(case.changes)
    if not case.accepted:
        with pytest.raises(Invalid):
            await _create(kube, CANARY, namespace, spec)
        return
    expected = copy.deepcopy(spec)
    lay_over(expected, case.stored)
    created = await _create(kube, CANARY, namespace, spec)
    assert (await kube.get(CANARY, namespace, created["metadata"]["name"]))["spec"] == expected


@pytest.mark.parametrize("case", [case for case in CASES if case.accepted], ids=lambda case: case.why)
async def test_what_the_definition_accepts_the_model_reads(case: Case, kube: Kube, namespace: str) -> None:
    created = await _create(kube, CANARY, namespace, changed(case.changes))
    assert Canary.from_object(created).problems == ()


NOW = datetime(2026, 5, 4, 12, 0, 0, 250_000, tzinfo=UTC)
CHECK = CheckResult(
    name="request-duration",
    verdict="fail",
    message="too slow",
    value=512.5,
    min=1,
    max=500,
    samples=340,
    query="up",
    endpoint="http://prometheus:9090",
    unreachable=True,
)
STATUS = CanaryStatus(
    phase=Phase.PROGRESSING,
    failed_checks=2,
    canary_weight=15,
    iterations=1,
    tracked_configs={"configmap/podinfo": "0123456789abcdef"},
    last_applied_spec="0123456789abcdef",
    last_promoted_spec="fedcba9876543210",
    last_transition_time=NOW,
    session_affinity_cookie="a",
    primary_session_affinity_cookie="b",
    previous_session_affinity_cookie="c",
    conditions=(
        Condition(
            type="Promoted",
            status="Unknown",
            reason="Progressing",
            message="New revision detected, progressing canary analysis.",
            last_update_time=NOW,
            last_transition_time=NOW,
        ),
    ),
    step=41,
    route_step=40,
    target_step=39,
    primary_step=12,
    last_step=LastStep(
        step=41,
        stimulus="tick",
        time=NOW,
        phase=Phase.PROGRESSING,
        reason="CheckFailed",
        message="Halt",
        checks=(CHECK,),
        notices=(
            Notice(
                type="Warning",
                reason=Reason.CHECK_FAILED,
                message="Halt",
                alert="Halt!",
                severity="warn",
                with_facts=True,
            ),
        ),
        told=True,
    ),
    last_tick=NOW,
    last_command=LastCommand(id="1", verb="pause", by="ci", reason="r", accepted=True, message="paused", code=409),
    settled=True,
    waiting_for="gateway",
    strategy="canary",
    canary_revision="0123456789abcdef",
    primary_revision="fedcba9876543210",
    promoted_revision="fedcba9876543210",
    revision_since=NOW,
    weight_since=NOW,
    verdict_since=NOW,
    not_ready_since=NOW,
    no_data_since=NOW,
    invalid_since=NOW,
    traffic_until=NOW,
    approved=Approved(gate="confirm-promotion", revision="0123456789abcdef"),
    skip_to="promotion",
    pre_rollout_passed=True,
    gateway_silent=True,
    in_a_row={"request-duration": 2},
    returning=Returning(phase=Phase.FAILED, reason=Reason.PROMOTION_FAILED, message="m"),
    paused=Paused(by="ci", reason="r", since=NOW),
    observed_generation=7,
    tracked_config_versions={"configmap/podinfo": "100"},
)


async def test_a_status_with_every_field_comes_back_whole(kube: Kube, namespace: str) -> None:
    assert [name for name, field in CanaryStatus.model_fields.items() if getattr(STATUS, name) == field.default] == []
    created = await _create(kube, CANARY, namespace, changed({}))
    name = created["metadata"]["name"]
    await kube.patch(CANARY, namespace, name, {"status": STATUS.to_wire()}, subresource="status")
    stored = await kube.get(CANARY, namespace, name)
    assert stored["status"] == STATUS.to_wire()
    assert Canary.from_object(stored).status == STATUS


async def test_words_of_a_newer_version_are_kept_in_the_status(kube: Kube, namespace: str) -> None:
    created = await _create(kube, CANARY, namespace, changed({}))
    newer = {"phase": "Progressing", "waitingFor": "moon", "lastStep": {"reason": "FullMoon", "phase": "Waning"}}
    name = created["metadata"]["name"]
    await kube.patch(CANARY, namespace, name, {"status": newer}, subresource="status")
    assert (await kube.get(CANARY, namespace, name))["status"] == newer


async def test_a_phase_that_nobody_knows_is_refused(kube: Kube, namespace: str) -> None:
    created = await _create(kube, CANARY, namespace, changed({}))
    with pytest.raises(Invalid, match=r"status\.phase"):
        await kube.patch(
            CANARY, namespace, created["metadata"]["name"], {"status": {"phase": "Dancing"}}, subresource="status"
        )


TEMPLATE = {"provider": {"type": "prometheus", "address": "http://prometheus:9090"}, "query": "up"}


@pytest.mark.parametrize(
    ("changes", "accepted"),
    [
        ({}, True),
        ({"provider": {"type": "datadog", "secretRef": {"name": "datadog"}, "headers": {"a": ["b", "c"]}}}, True),
        ({"provider": {"type": "abacus"}}, False),
        ({"provider": {"address": "http://prometheus:9090"}}, False),
        ({"provider": {"type": "datadog", "secretRef": {}}}, False),
        ({"query": None}, False),
    ],
)
async def test_a_metric_template_needs_a_known_provider_and_a_query(
    changes: dict[str, Any], accepted: bool, kube: Kube, namespace: str
) -> None:
    await _judged(kube, METRIC_TEMPLATE, namespace, TEMPLATE | changes, accepted)


@pytest.mark.parametrize(
    ("spec", "accepted"),
    [
        ({"type": "slack", "address": "https://hooks.example.com", "channel": "ops"}, True),
        ({"type": "msteams", "secretRef": {"name": "teams"}}, True),
        ({"type": "slack"}, False),
        ({"address": "https://hooks.example.com"}, False),
        ({"type": "slack", "address": "https://hooks.example.com", "secretRef": {"name": "slack"}}, False),
        ({"type": "pigeon", "address": "https://hooks.example.com"}, False),
    ],
)
async def test_an_alert_provider_has_an_address_or_a_secret(
    spec: dict[str, Any], accepted: bool, kube: Kube, namespace: str
) -> None:
    await _judged(kube, ALERT_PROVIDER, namespace, spec, accepted)


async def _judged(kube: Kube, resource: Resource, namespace: str, spec: dict[str, Any], accepted: bool) -> None:
    if not accepted:
        with pytest.raises(Invalid):
            await _create(kube, resource, namespace, spec)
        return
    assert (await _create(kube, resource, namespace, spec))["spec"] == spec


def _destination(side: str, **weight: int) -> dict[str, Any]:
    upstream = {"name": f"test-podinfo-{side}upstream-9898", "namespace": "test"}
    return {"destination": {"upstream": upstream}, **weight}


ROUTES = {
    "weight": 1,
    "routes": [
        {
            "name": "insiders",
            "inheritablePathMatchers": True,
            "matchers": [{"headers": [{"name": "x-canary", "value": "^in.*$", "regex": True}], "methods": ["GET"]}],
            "routeAction": {"multi": {"destinations": [_destination("primary"), _destination("canary", weight=100)]}},
            "options": {"timeout": "15s", "retries": {"retryOn": "5xx", "numRetries": 2}},
        },
        {
            "inheritablePathMatchers": True,
            "routeAction": {"multi": {"destinations": [_destination("primary", weight=100)]}},
        },
    ],
}
UPSTREAM_SPEC = {
    "kube": {
        "serviceName": "podinfo-canary",
        "serviceNamespace": "test",
        "servicePort": 9898,
        "selector": {"app": "podinfo"},
    },
    "connectionConfig": {"connectTimeout": "2s", "maxRequestsPerConnection": 10},
    "circuitBreakers": {"maxConnections": 100},
    "loadBalancerConfig": {"roundRobin": {"slowStartConfig": {"slowStartWindow": "10s", "aggression": 1.5}}},
    "useHttp2": True,
    "initialStreamWindowSize": 65536,
    "httpProxyHostname": "proxy.example.com",
}


@pytest.mark.parametrize(("resource", "spec"), [(ROUTE_TABLE, ROUTES), (UPSTREAM, UPSTREAM_SPEC)])
async def test_what_is_written_for_gloo_is_stored_as_it_is(
    resource: Resource, spec: dict[str, Any], kube: Kube, namespace: str
) -> None:
    created = await _create(kube, resource, namespace, spec)
    assert created["spec"] == spec
    assert created["status"] == {"statuses": {}}


async def test_gloos_status_is_no_subresource_and_moves_the_generation(kube: Kube, namespace: str) -> None:
    created = await _create(kube, ROUTE_TABLE, namespace, ROUTES)
    name = created["metadata"]["name"]
    report = {"statuses": {"gloo-system": {"state": "Accepted", "reportedBy": "gloo"}}}
    written = await kube.patch(ROUTE_TABLE, namespace, name, {"status": report})
    assert written["status"] == report
    assert written["metadata"]["generation"] == 2
    cleared = await kube.patch(ROUTE_TABLE, namespace, name, {"status": None})
    assert cleared["status"] == {"statuses": {}}
