"""What the definitions accept, refuse, drop and fill in: on the embedded API or, in the cluster suite, a real one."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import pytest

from handlers.adapters.errors import Invalid
from handlers.adapters.kube import Kube
from schemas.canary import Canary
from schemas.generate.structural import Schema, structural_schema
from schemas.resources import ALERT_PROVIDER, CANARY, METRIC_TEMPLATE, ROUTE_TABLE, UPSTREAM, Resource
from schemas.status import CanaryStatus
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


def _filled(schema: Schema) -> Any:
    """A value with every field that the schema knows, none of them empty."""
    if "enum" in schema:
        return schema["enum"][-1]
    match schema.get("type"):
        case "object" if "properties" in schema:
            return {name: _filled(child) for name, child in schema["properties"].items()}
        case "object":
            return {"some-key": _filled(schema["additionalProperties"])}
        case "array":
            return [_filled(schema["items"])]
        case "string":
            return "2026-05-04T12:00:00.250Z" if schema.get("format") == "date-time" else "words"
        case "boolean":
            return True
        case _:
            return 7


async def test_a_status_with_every_field_comes_back_whole(kube: Kube, namespace: str) -> None:
    status = CanaryStatus.model_validate(_filled(structural_schema(CanaryStatus)))
    assert [name for name, field in CanaryStatus.model_fields.items() if getattr(status, name) == field.default] == []
    created = await _create(kube, CANARY, namespace, changed({}))
    name = created["metadata"]["name"]
    await kube.patch(CANARY, namespace, name, {"status": status.to_wire()}, subresource="status")
    stored = await kube.get(CANARY, namespace, name)
    assert stored["status"] == status.to_wire()
    assert Canary.from_object(stored).status == status


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
    assert await _accepts(kube, METRIC_TEMPLATE, namespace, TEMPLATE | changes) is accepted


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
    assert await _accepts(kube, ALERT_PROVIDER, namespace, spec) is accepted


async def _accepts(kube: Kube, resource: Resource, namespace: str, spec: dict[str, Any]) -> bool:
    try:
        made = await _create(kube, resource, namespace, spec)
    except Invalid:
        return False
    assert made["spec"] == spec, "a field is lost"
    return True


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
