"""Alerts of a rollout, from the commit to the chat service: who hears what, once, and what becomes of a fault."""

from __future__ import annotations

import base64
import json
import logging
import re
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from schemas.events import ChangeReason
from schemas.resources import ALERT_PROVIDER, CANARY, METRIC_TEMPLATE, SECRET
from schemas.status import Phase
from tests.handlers.adapters.apiserver import serving
from tests.handlers.chat import Chat
from tests.handlers.house import NAMESPACE, House
from tests.handlers.test_hooks_told import People


async def provider(house: House, name: str = "on-call", **spec: Any) -> None:
    body = {"metadata": {"name": name, "namespace": NAMESPACE}, "spec": {"type": "slack", **spec}}
    await house.admin.create(ALERT_PROVIDER, body)


def alert(severity: str = "", name: str = "on-call") -> dict[str, Any]:
    return {"name": name, "providerRef": {"name": name}, **({"severity": severity} if severity else {})}


async def rolled_back(house: House, **analysis: Any) -> None:
    """A canary that fails its only check once too often."""
    metrics = [{"name": "request-success-rate", "thresholdRange": {"min": 99}, "interval": "10s"}]
    await house.prepare(analysis={"metrics": metrics, "threshold": 1, **analysis})
    await house.initialized()
    await house.push("podinfo:2")
    await house.tick()
    await house.gloo()
    house.answering.value = "42"
    await house.until(Phase.FAILED)


async def test_each_provider_hears_from_its_severity_up_and_no_severity_means_info(house: House, chat: Chat) -> None:
    for name in ("all", "bad"):
        await house.definitions()
        await provider(house, name, address=f"{chat.url}/{name}", channel="c")
    await rolled_back(house, alerts=[alert("", "all"), alert("error", "bad")])
    people = People(house)
    await people.hear()

    def told(name: str) -> list[str]:
        return [body["attachments"][0]["text"] for path, body in chat.heard if path == f"/{name}"]

    reason = "Halt podinfo.default advancement success rate 42.00% < 99%"
    assert told("all") == [
        "New Deployment detected, initialization completed.",
        "New revision detected, progressing canary analysis.",
        f"Failed checks threshold reached 1: {reason}",
    ]
    assert told("bad") == told("all")[2:]
    assert people.failed == []
    assert house.registry.get_sample_value("canarybus_alerts_total", {"type": "slack", "result": "sent"}) == 4


@pytest.mark.parametrize("words", [{}, {"channel": "", "username": ""}])
async def test_a_provider_that_names_no_channel_and_nobody_is_sent_to_the_usual_ones(
    house: House, chat: Chat, words: dict[str, str]
) -> None:
    await house.definitions()
    await provider(house, address=chat.url, **words)
    await house.prepare(analysis={"alerts": [alert()]})
    await house.initialized()
    await People(house).hear()
    assert [(body["channel"], body["username"]) for _, body in chat.heard] == [("general", "flagger")]


async def test_bad_news_carry_the_check_its_value_its_limit_and_where_to_look(house: House, chat: Chat) -> None:
    await house.definitions()
    await provider(house, address=chat.url)
    await rolled_back(house, alerts=[alert("error")])
    await People(house, cluster_name="prod").hear()
    assert chat.fields(0) == {
        "Cluster": "prod",
        "Check": "request-success-rate",
        "Value": "42",
        "Limit": "min 99",
        "Samples": "42",
        "Where to look": f"kubectl -n {NAMESPACE} describe canary podinfo",
    }


async def test_the_receiver_of_the_settings_hears_beside_those_of_the_canary(house: House, chat: Chat) -> None:
    await house.definitions()
    await provider(house, address=f"{chat.url}/own")
    house.settings = house.settings.model_copy(update={"slack_url": f"{chat.url}/everywhere"})
    house.advance = house.worker()
    await rolled_back(house, alerts=[alert("error")])
    people = People(house, slack_url=f"{chat.url}/everywhere")
    await people.hear()
    assert [path for path, _ in chat.heard].count("/everywhere") == 3
    assert [path for path, _ in chat.heard].count("/own") == 1


async def test_an_address_comes_from_the_secret_without_the_newline_that_was_pasted(house: House, chat: Chat) -> None:
    await house.definitions()
    secret = {"metadata": {"name": "hook", "namespace": NAMESPACE}, "stringData": {"address": f"{chat.url}/x\n"}}
    await house.admin.create(SECRET, secret)
    await provider(house, secretRef={"name": "hook"})
    await rolled_back(house, alerts=[alert("error")])
    await People(house).hear()
    assert [path for path, _ in chat.heard] == ["/x"]


async def test_a_slack_bot_tells_a_rollout_in_one_message(house: House, chat: Chat) -> None:
    chat.body = {"ok": True, "channel": "C1", "ts": "17.5"}
    await house.definitions()
    secret = {"address": f"{chat.url}/api/chat.postMessage", "token": "xoxb-t0ken"}
    await house.admin.create(SECRET, {"metadata": {"name": "bot", "namespace": NAMESPACE}, "stringData": secret})
    await provider(house, secretRef={"name": "bot"})
    metrics = [{"name": "request-success-rate", "thresholdRange": {"min": 99}, "interval": "10s"}]
    await house.prepare(analysis={"metrics": metrics, "threshold": 1, "alerts": [alert()]})
    await house.initialized()
    people = People(house)
    await house.push("podinfo:2")
    await people.hear()
    await house.tick()
    await house.gloo()
    house.answering.value = "42"
    await house.until(Phase.FAILED)
    await people.hear()
    paths = [path.removeprefix("/api/") for path, _ in chat.heard]
    assert paths == ["chat.postMessage", "chat.postMessage", "chat.update"], "initialisation, then one for the rollout"
    assert chat.heard[2][1]["ts"] == "17.5"
    item = await house.admin.get(CANARY, NAMESPACE, "podinfo")
    assert "xoxb" not in json.dumps(item)


async def test_a_service_that_is_down_is_an_event_and_the_alert_is_tried_again(house: House, chat: Chat) -> None:
    chat.status = 503
    await house.definitions()
    await provider(house, address=f"{chat.url}/services/T0P-SECRET")
    await rolled_back(house, alerts=[alert("error")])
    people = People(house)
    await people.hear()
    assert people.failed, "the message is left for another try"
    failures = [message for _, reason, message in await people.events() if reason == "AlertFailed"]
    assert failures == ["alert can't be sent: Slack answered 503 Service Unavailable: ok"]
    assert "T0P-SECRET" not in str(await people.events()) + str(people.failed)
    assert house.registry.get_sample_value("canarybus_alerts_total", {"type": "slack", "result": "failed"}) == 1


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (None, "alert provider on-call.default error: not found; create it or mend providerRef"),
        ({"address": "nowhere"}, "invalid Slack hook URL"),
        ({"secretRef": {"name": "gone"}}, "alert provider on-call.default secretRef error: Secret gone not found"),
    ],
)
async def test_a_provider_that_cannot_work_is_said_once_and_not_tried_again(
    house: House, spec: dict[str, Any] | None, words: str
) -> None:
    await house.definitions()
    if spec is not None:
        await provider(house, **spec)
    await rolled_back(house, alerts=[alert("error")])
    people = People(house)
    await people.hear()
    assert people.failed == []
    assert [message for _, reason, message in await people.events() if reason == "AlertFailed"] == [
        f"alert can't be sent: {words}"
    ]


async def test_a_deadline_is_told_with_the_pods_own_reason_which_is_looked_up_only_then(
    house: House, chat: Chat
) -> None:
    await house.definitions()
    await provider(house, address=chat.url)
    await house.prepare(analysis={"alerts": [alert("error")]}, progressDeadlineSeconds=600)
    await house.initialized()
    house.workloads = ["podinfo-primary"]
    await house.push("podinfo:does-not-exist")
    house.kube.reset()
    await house.tick()
    assert not [call for call in house.kube.made if "/pods" in call]
    house.now += timedelta(seconds=600)
    await house.tick()
    assert len([call for call in house.kube.made if "/pods" in call]) == 1
    assert (await house.status()).phase is Phase.FAILED
    people = People(house)
    await people.hear()
    reason = r"pod podinfo-[^ ]+: ImagePullBackOff, image podinfo:does-not-exist of container \S+$"
    assert re.search(reason, chat.texts[-1])
    assert chat.texts[-1].startswith("Progress deadline exceeded canary deployment podinfo.default not ready: ")
    assert [text for _, kind, text in await people.events() if kind == "DeadlineExceeded" and re.search(reason, text)]
    assert chat.fields(-1) == {"Where to look": f"kubectl -n {NAMESPACE} describe canary podinfo"}


async def test_no_secret_of_a_provider_is_in_a_status_a_result_an_event_an_alert_or_a_log_line(
    house: House, chat: Chat, caplog: pytest.LogCaptureFixture
) -> None:
    marker = "mArK3r-7f31c9"

    async def echo(request: web.Request) -> web.StreamResponse:
        return web.Response(status=401, text=f"nobody knows {request.headers} {request.path_qs}")

    caplog.set_level(logging.DEBUG, "canarybus")
    await house.definitions()
    encoded = base64.b64encode(marker.encode()).decode()
    for name, data in (("prometheus", {"token": encoded}), ("chat", {"address": "", "token": encoded})):
        if name == "chat":
            data["address"] = base64.b64encode(f"{chat.url}/services/{marker}".encode()).decode()
        await house.admin.create(SECRET, {"metadata": {"name": name, "namespace": NAMESPACE}, "data": data})
    await provider(house, secretRef={"name": "chat"})
    chat.status, chat.body = 403, f"no such hook {marker}"
    metrics = [{"name": "mine", "templateRef": {"name": "mine"}, "interval": "10s"}]
    async with serving(echo) as url:
        spec = {"provider": {"type": "prometheus", "address": url, "secretRef": {"name": "prometheus"}}, "query": "up"}
        await house.admin.create(METRIC_TEMPLATE, {"metadata": {"name": "mine", "namespace": NAMESPACE}, "spec": spec})
        await house.prepare(analysis={"metrics": metrics, "alerts": [alert()]})
        await house.change(ChangeReason.SPEC)
        await house.tick(2)
    people = People(house)
    await people.hear()
    told = [
        str(await house.object(CANARY, "podinfo")),
        str([result.to_wire() for result in await house.results()]),
        str(await people.events()),
        caplog.text,
        *(str(vars(record)) for record in caplog.records),
    ]
    assert "401 Unauthorized: nobody knows" in told[0]
    assert "403" in told[2], "that the alert was refused is an event"
    for text in told:
        assert marker not in text
        assert encoded not in text
    assert chat.heard
    assert marker not in str([body for _, body in chat.heard])
