"""Whatever is wrong with a Canary is said in its status and an event, traffic stays as it is, and mending it heals."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from deploy.sandbox.kube import EmbeddedKubernetes
from handlers.adapters.errors import Forbidden, TransientError
from schemas.events import ChangeReason, NoticeMessage
from schemas.resources import CANARY, CUSTOM_RESOURCE_DEFINITION, DEPLOYMENT, EVENT, ROUTE_TABLE, UPSTREAM
from schemas.status import Phase
from tests.handlers.house import NAMESPACE, House, canary_object, deployment

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "unknown metric": (
        {"metrics": [{"name": "no-such-metric"}]},
        "spec.analysis.metrics[0].name: 'no-such-metric' is no built-in metric; give it a query or a templateRef",
    ),
    "descending step weights": (
        {"stepWeight": None, "stepWeights": [30, 20, 50]},
        "spec.analysis.stepWeights: [30, 20, 50] must rise from step to step",
    ),
    "step weight of nothing": ({"stepWeight": 0}, "spec.analysis: no step is defined; set stepWeight"),
    "mirror": ({"mirror": True}, "spec.analysis.mirror: Gloo routes cannot mirror traffic; remove it"),
    "a regex that RE2 refuses": (
        {"stepWeight": None, "iterations": 3, "match": [{"headers": {"user-agent": {"regex": "(?=x)"}}}]},
        "spec.analysis.match[0].headers.user-agent.regex: '(?=x)' is refused by RE2",
    ),
}


async def _condition(house: House, kind: str) -> dict[str, Any]:
    found = (await house.object(CANARY, "podinfo"))["status"]["conditions"]
    return next((item for item in found if item["type"] == kind), {})


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_mistake_in_the_analysis_is_named_and_mending_it_heals(house: House, wrong: str) -> None:
    analysis, words = WRONG[wrong]
    await house.prepare(analysis=analysis)
    await house.change(ChangeReason.SPEC)
    held = await _condition(house, "Held")
    assert (held["status"], held["reason"]) == ("True", "Invalid")
    assert words in held["message"]
    told = [notice for result in await house.results() for notice in result.notices]
    assert words in told[0].message
    assert await house.admin.find(ROUTE_TABLE, NAMESPACE, "podinfo") is None
    assert await house.replicas() == 1, "the target goes on serving"
    good = canary_object()
    existing = await house.object(CANARY, "podinfo")
    await house.admin.replace(CANARY, {**existing, "spec": good["spec"]})
    await house.initialized()
    assert (await _condition(house, "Held"))["status"] == "False"


async def test_a_missing_target_is_named_and_its_coming_heals(house: House) -> None:
    await house.prepare()
    await house.admin.delete(DEPLOYMENT, NAMESPACE, "podinfo")
    await house.change(ChangeReason.SPEC)
    held = await _condition(house, "Held")
    assert held["message"] == "spec.targetRef: Deployment podinfo.default not found; create it or mend the name"
    await house.admin.create(DEPLOYMENT, deployment())
    await house.initialized()


async def test_of_two_canaries_on_one_target_the_younger_stands_back(house: House) -> None:
    await house.prepare()
    await house.initialized()
    first = await house.status()
    # creation times are whole seconds: the name decides between two of the same
    twin = canary_object()
    twin["metadata"]["name"] = "podinfo-twin"
    made = await house.admin.create(CANARY, twin)
    ref = type(house.slot().ref)(NAMESPACE, "podinfo-twin")
    change = house.slot().model_copy(update={"name": "podinfo-twin", "uid": made["metadata"]["uid"]})
    await house.advance(ref, change)
    found = await house.object(CANARY, "podinfo-twin")
    assert "spec.targetRef: podinfo already belongs to Canary podinfo.default" in str(found["status"])
    assert await house.status() == first
    await house.admin.delete(CANARY, NAMESPACE, "podinfo")
    await house.advance(ref, change)
    found = await house.object(CANARY, "podinfo-twin")
    assert found["status"].get("invalidSince") is None


async def test_of_two_canaries_under_one_service_name_the_younger_stands_back(house: House) -> None:
    await house.prepare()
    await house.initialized()
    await house.admin.create(DEPLOYMENT, deployment(name="other"))
    namesake = canary_object(service={"name": "podinfo", "port": 9898})
    namesake["metadata"]["name"] = "podinfo-other"
    namesake["spec"]["targetRef"]["name"] = "other"
    made = await house.admin.create(CANARY, namesake)
    tick = house.slot().model_copy(update={"name": "podinfo-other", "uid": made["metadata"]["uid"]})
    await house.advance(tick.ref, tick)
    found = await house.object(CANARY, "podinfo-other")
    assert "spec.service.name: podinfo already belongs to Canary podinfo.default" in str(found["status"])


async def test_an_edit_that_is_wrong_holds_a_running_rollout_and_traffic_stays(house: House) -> None:
    await house.prepare()
    await house.initialized()
    await house.push("podinfo:2")
    await house.tick()
    before = await house.object(ROUTE_TABLE, "podinfo")
    await house.admin.patch(CANARY, NAMESPACE, "podinfo", {"spec": {"analysis": {"mirror": True}}})
    await house.tick(2)
    after = await house.object(ROUTE_TABLE, "podinfo")
    assert after["spec"] == before["spec"]
    assert (await house.status()).phase is Phase.PROGRESSING
    await house.admin.patch(CANARY, NAMESPACE, "podinfo", {"spec": {"analysis": {"mirror": False}}})
    await house.until(Phase.SUCCEEDED)


async def test_an_edit_that_stays_wrong_ends_the_rollout_after_the_deadline(house: House) -> None:
    await house.prepare(progressDeadlineSeconds=30)
    await house.initialized()
    await house.push("podinfo:2")
    await house.tick()
    await house.admin.patch(CANARY, NAMESPACE, "podinfo", {"spec": {"analysis": {"mirror": True}}})
    await house.tick(6)
    status = await house.status()
    assert status.phase is Phase.FAILED
    assert await house.weight() == 0


@pytest.mark.parametrize("down", ["unreachable", "empty"])
async def test_a_prometheus_that_says_nothing_holds_the_weight_and_says_why(house: House, down: str) -> None:
    await house.prepare(analysis={"metrics": [{"name": "request-success-rate", "thresholdRange": {"min": 99}}]})
    await house.initialized()
    await house.push("podinfo:2")
    await house.tick()
    if down == "unreachable":
        house.answering.status = 503
    else:
        house.answering.value = None
    await house.tick(3)
    status = await house.status()
    assert status.phase is Phase.PROGRESSING
    assert status.failed_checks == 0
    assert await house.weight() == 25
    held = await _condition(house, "Held")
    assert held["reason"] == "NoData"
    expected = "down on purpose" if down == "unreachable" else "is not receiving traffic"
    assert expected in held["message"]
    house.answering.status, house.answering.value = 200, "100"
    await house.until(Phase.SUCCEEDED)


async def test_no_provider_no_initialisation_and_the_status_says_which(house: House) -> None:
    house.answering.status = 503
    await house.prepare(analysis={"metrics": [{"name": "request-success-rate", "thresholdRange": {"min": 99}}]})
    await house.change(ChangeReason.SPEC)
    await house.tick(2)
    status = await house.status()
    assert status.phase is Phase.INITIALIZING
    assert status.last_step is not None
    assert "prometheus not avaiable" in status.last_step.message
    house.answering.status = 200
    await house.until(Phase.INITIALIZED)


async def test_events_are_written_once_whoever_tells_them(house: House) -> None:
    await house.prepare()
    await house.initialized()
    notifier = house.notifier()
    for result in await house.results():
        for receiver in result.receivers:
            message = NoticeMessage(namespace=NAMESPACE, name="podinfo", receiver=receiver, result=result)
            await notifier.on_notice(message)
            await notifier.on_notice(message)
    found, _ = await house.admin.list(EVENT, NAMESPACE, fields="involvedObject.kind=Canary")
    assert [event["message"] for event in found] == ["Initialization done! podinfo.default"]
    assert found[0]["source"] == {"component": "canarybus"}
    assert found[0]["reason"] == "Initialized"


async def test_a_missing_right_is_said_to_people_and_work_goes_on_when_it_is_given(
    house: House, kubernetes: EmbeddedKubernetes
) -> None:
    await house.prepare()
    await house.initialized()
    await house.push("podinfo:2")
    await house.catch_up()

    async def forbid(method: str, path: str) -> None:
        if method == "PATCH" and "routetables" in path:
            raise Forbidden('Kubernetes API: 403 Forbidden: cannot patch resource "routetables"')

    house.kube.before = forbid
    for _ in range(2):
        with pytest.raises(TransientError):
            await house.tick()
    held = await _condition(house, "Held")
    assert (held["status"], held["reason"]) == ("True", "Refused")
    assert 'cannot patch resource "routetables"' in held["message"]
    assert await house.weight() == 0
    house.kube.before = None
    await house.until(Phase.SUCCEEDED)
    told = [notice.reason.value for result in await house.results() for notice in result.notices]
    assert (told.count("Refused"), told.count("Mended")) == (1, 1)


async def test_a_cluster_without_gloo_is_told_what_to_install_and_goes_on_when_it_is(house: House) -> None:
    await house.prepare()
    kinds = [f"{resource.plural}.{resource.group}" for resource in (ROUTE_TABLE, UPSTREAM)]
    for name in kinds:
        await house.admin.delete(CUSTOM_RESOURCE_DEFINITION, "", name)
    with pytest.raises(TransientError):
        await house.change(ChangeReason.SPEC)
    for _ in range(3):
        house.now += timedelta(seconds=10)
        with pytest.raises(TransientError):
            await house.wake(house.slot())
    held = await _condition(house, "Held")
    assert (held["status"], held["reason"]) == ("True", "Refused")
    assert held["message"] == (
        "Canary podinfo.default cannot be carried out: Upstream default-podinfo-canaryupstream-9898 cannot be created: "
        "Kubernetes API: 404: 404 page not found; "
        "install the CustomResourceDefinition upstreams.gloo.solo.io, it comes with Gloo Edge"
    )
    await house.definitions()
    await house.tick()
    await house.initialized()
    assert (await _condition(house, "Held"))["status"] == "False"
