"""Custom metrics: a MetricTemplate is read, rendered and asked; what is wrong with it holds the weight and is said."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from schemas.events import ChangeReason
from schemas.resources import METRIC_TEMPLATE, SECRET
from schemas.status import Phase
from tests.handlers.house import NAMESPACE, House

METRICS = [
    {
        "name": "404s percentage",
        "templateRef": {"name": "not-found-percentage"},
        "thresholdRange": {"max": 5},
        "interval": "10s",
    }
]


async def _template(house: House, **provider: Any) -> None:
    wanted = {"type": "prometheus", "address": house.answering.url, **provider}
    query = 'sum(requests{namespace="{{ namespace }}",pod=~"{{ target }}-.*"}[{{ interval }}])'
    metadata = {"name": "not-found-percentage", "namespace": NAMESPACE}
    spec = {"provider": wanted, "query": query}
    await house.admin.create(METRIC_TEMPLATE, {"metadata": metadata, "spec": spec})


async def _judging(house: House) -> None:
    """Initialised, and one step into an analysis."""
    await house.initialized()
    await house.push("podinfo:2")
    await house.tick()


async def test_a_template_is_rendered_for_this_canary_and_judged(house: House) -> None:
    house.answering.value = "4"
    await house.prepare(analysis={"metrics": METRICS})
    await _template(house)
    await _judging(house)
    await house.tick()
    status = await house.status()
    assert status.last_step is not None
    check = status.last_step.checks[0]
    assert (check.name, check.verdict, check.value, check.max) == ("404s percentage", "pass", 4.0, 5.0)
    assert check.query == 'sum(requests{namespace="default",pod=~"podinfo-.*"}[10s])'
    house.answering.value = "6.204"
    await house.tick()
    assert (await house.status()).failed_checks == 1
    told = [notice.message for result in await house.results() for notice in result.notices]
    assert told[-1] == "Halt podinfo.default advancement 404s percentage 6.20 > 5"


async def test_a_built_in_name_with_a_template_asks_both(house: House) -> None:
    both = {**METRICS[0], "name": "request-success-rate", "thresholdRange": {"min": 99}}
    await house.prepare(analysis={"metrics": [both]})
    await _template(house)
    await _judging(house)
    await house.tick()
    status = await house.status()
    assert status.last_step is not None
    built_in, templated = status.last_step.checks
    assert (built_in.name, templated.name) == ("request-success-rate", "request-success-rate #2")
    assert "envoy_cluster_upstream_rq" in built_in.query
    assert templated.query == 'sum(requests{namespace="default",pod=~"podinfo-.*"}[10s])'


async def test_credentials_come_from_the_secret_as_it_is_now(house: House) -> None:
    await house.prepare(analysis={"metrics": METRICS})
    await _template(house, secretRef={"name": "prometheus"})
    await house.change(ChangeReason.SPEC)
    await house.tick()
    assert (await house.status()).phase is Phase.INITIALIZING, "without its secret no provider answers"
    token = base64.b64encode(b"s3cret").decode()
    metadata = {"name": "prometheus", "namespace": NAMESPACE}
    await house.admin.create(SECRET, {"metadata": metadata, "data": {"token": token}})
    await house.until(Phase.INITIALIZED)
    assert house.answering.authorisations[-1] == "Bearer s3cret"
    assert "s3cret" not in str([result.to_wire() for result in await house.results()])


async def test_a_binary_key_of_the_secret_matters_only_where_it_is_used(house: House) -> None:
    await house.prepare(analysis={"metrics": METRICS})
    await _template(house, secretRef={"name": "prometheus"})
    binary, token = (base64.b64encode(raw).decode() for raw in (b"\xff\xfe", b"s3cret"))
    metadata = {"name": "prometheus", "namespace": NAMESPACE}
    await house.admin.create(SECRET, {"metadata": metadata, "data": {"keystore.jks": binary, "token": token}})
    await _judging(house)
    assert house.answering.authorisations[-1] == "Bearer s3cret"
    await house.admin.patch(SECRET, NAMESPACE, "prometheus", {"data": {"token": binary}})
    await house.tick()
    status = await house.status()
    assert status.last_step is not None
    assert (
        "Metric template not-found-percentage.default secret prometheus error: the value of token is not UTF-8 text"
    ) in status.last_step.message


@pytest.mark.parametrize(
    ("provider", "words"),
    [
        ({"type": "datadog"}, "datadog credentials does not contain datadog_api_key"),
        ({"address": "nowhere"}, "prometheus address nowhere is not a valid URL"),
    ],
)
async def test_a_template_that_cannot_be_asked_holds_and_says_why(
    house: House, provider: dict[str, str], words: str
) -> None:
    await house.prepare(analysis={"metrics": METRICS})
    await _template(house)
    await _judging(house)
    await house.admin.patch(METRIC_TEMPLATE, NAMESPACE, "not-found-percentage", {"spec": {"provider": provider}})
    await house.tick(2)
    status = await house.status()
    assert status.failed_checks == 0
    assert await house.weight() == 25
    assert status.last_step is not None
    assert words in status.last_step.message


async def test_an_interval_that_is_no_duration_is_the_templates_own_affair_unless_its_provider_needs_one(
    house: House,
) -> None:
    house.answering.value = "4"
    await house.prepare(analysis={"metrics": [{**METRICS[0], "interval": "1min"}]})
    await _template(house)
    await _judging(house)
    await house.tick()
    status = await house.status()
    assert status.last_step is not None
    assert status.last_step.checks[0].query.endswith("[1min])")
    await house.admin.patch(
        METRIC_TEMPLATE, NAMESPACE, "not-found-percentage", {"spec": {"provider": {"type": "datadog"}}}
    )
    await house.tick()
    status = await house.status()
    assert status.last_step is not None
    assert "error parsing metric interval: '1min' is not a duration; write it as 30s" in status.last_step.message
    assert status.failed_checks == 0


async def test_a_missing_template_and_a_broken_query_hold_and_say_why(house: House) -> None:
    await house.prepare(analysis={"metrics": METRICS})
    await _template(house)
    await _judging(house)
    broken = {"spec": {"query": "sum({{ nothing }})"}}
    await house.admin.patch(METRIC_TEMPLATE, NAMESPACE, "not-found-percentage", broken)
    await house.tick()
    status = await house.status()
    assert status.last_step is not None
    assert "line 1, column 8" in status.last_step.message
    await house.admin.delete(METRIC_TEMPLATE, NAMESPACE, "not-found-percentage")
    await house.tick()
    status = await house.status()
    assert status.last_step is not None
    assert "Metric template not-found-percentage.default not found; create it" in status.last_step.message
    assert await house.weight() == 25


async def test_an_inline_query_is_rendered_too(house: House) -> None:
    inline = [{"name": "mine", "query": "up{n='{{ namespace }}'}", "thresholdRange": {"min": 1}, "interval": "10s"}]
    await house.prepare(analysis={"metrics": inline})
    await _judging(house)
    await house.tick()
    status = await house.status()
    assert status.last_step is not None
    assert status.last_step.checks[0].query == "up{n='default'}"


async def test_a_rollback_hook_is_asked_first_and_ends_everything(house: House) -> None:
    url = f"{house.answering.url}/hook"
    hooks = [
        {"name": "load", "type": "rollout", "url": f"{url}/load"},
        {"name": "back", "type": "rollback", "url": f"{url}/back"},
    ]
    house.answering.gates["back"] = 403
    await house.prepare(analysis={"webhooks": hooks})
    await _judging(house)
    house.answering.asked.clear()
    await house.tick()
    assert house.answering.asked == ["back", "load"]
    house.answering.gates["back"] = 200
    house.answering.asked.clear()
    await house.tick()
    assert house.answering.asked == ["back"]
    assert (await house.status()).phase is Phase.FAILED


async def test_only_a_gate_that_was_closed_is_asked_while_data_are_missing(house: House) -> None:
    gate = {"name": "more", "type": "confirm-traffic-increase", "url": f"{house.answering.url}/hook/more"}
    await house.prepare(analysis={"webhooks": [gate], "metrics": [{**METRICS[0], "templateRef": None, "query": "q"}]})
    await _judging(house)
    house.answering.value = None
    house.answering.asked.clear()
    await house.tick()
    assert house.answering.asked == ["query"]
    house.answering.value, house.answering.gates["more"] = "1", 403
    await house.tick()
    house.answering.value = None
    house.answering.asked.clear()
    await house.tick()
    assert house.answering.asked == ["query", "more"]
    assert (await house.status()).waiting_for == "gate"
    house.answering.gates["more"] = 200
    await house.tick()
    status = await house.status()
    assert (status.waiting_for, status.closed_gate) == ("data", None)
