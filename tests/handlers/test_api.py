"""Requests on ``canary.api``, and commands to many: what is answered, to whom, and with which code."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from handlers.adapters.errors import Unavailable
from handlers.app import App
from schemas.canary import Canary
from schemas.events import Verb
from schemas.resources import CANARY, EVENT
from schemas.status import Phase
from tests.handlers.house import NAMESPACE, House, canary_object
from tests.handlers.listening import progressing, told


async def ask(house: House, subject: str, **body: str) -> tuple[str, dict[str, Any]]:
    """The code of a refusal ("" when there is none) and the answer."""
    answer = await house.bus.client.request(f"canary.api.{subject}", json.dumps(body).encode(), timeout=20)
    code = (answer.headers or {}).get("Nats-Service-Error-Code", "")
    return code, json.loads(answer.data) if answer.data else {}


async def many(house: House, *names: str, **spec: Any) -> None:
    """Canaries that nobody has looked at yet; their targets do not matter here."""
    for name in names:
        item = canary_object(**spec)
        item["metadata"]["name"] = name
        await house.admin.create(CANARY, item)


async def paused(house: House, name: str) -> bool:
    found = Canary.from_object(await house.object(CANARY, name))
    return found.status.paused is not None


async def test_the_api_answers_after_the_commit_and_is_listed(house: House, app: App) -> None:
    await progressing(house)
    code, reply = await ask(house, "abort.default.podinfo", by="ci", reason="error budget")
    status = await house.status()
    assert code == ""
    assert reply == {
        "accepted": True,
        "phase": "Failed",
        "weight": 0,
        "step": status.step,
        "message": "Rolling back podinfo.default aborted by ci: error budget",
    }
    listed = json.loads((await house.bus.client.request("$SRV.INFO.canarybus", b"", timeout=20)).data)
    names = {endpoint["name"] for endpoint in listed["endpoints"]}
    assert names == {*(verb.value for verb in Verb), "get", "explain", "list", "list-namespace"}


async def test_a_refused_command_says_why_in_the_reply_and_as_an_event_with_by_and_reason(
    house: House, app: App, caplog: pytest.LogCaptureFixture
) -> None:
    await house.prepare()
    await house.initialized()
    code, reply = await ask(house, "promote.default.podinfo", by="ann", reason="hotfix")
    assert code == "422"
    assert reply["message"] == "promote refused: nothing to promote in phase Initialized; push a new revision"
    result = await told(house, "CommandRefused")
    assert (result.by, result.command_reason, result.stimulus) == ("ann", "hotfix", "command.promote")
    logged = next(record for record in caplog.records if getattr(record, "reason", "") == "CommandRefused")
    assert (vars(logged)["by"], vars(logged)["commandReason"]) == ("ann", "hotfix")
    async with asyncio.timeout(10):
        while True:
            found, _ = await house.admin.list(EVENT, NAMESPACE, fields="involvedObject.kind=Canary")
            if any(event["message"] == f"{reply['message']} (asked by ann: hotfix)" for event in found):
                break
            await asyncio.sleep(0.05)


async def test_what_is_not_there_what_has_moved_and_what_cannot_be_read_have_codes_of_their_own(
    house: House, app: App
) -> None:
    await progressing(house)
    assert (await ask(house, "promote.default.nobody"))[0] == "404"
    assert (await ask(house, "abort.default.podinfo", phase="Promoting"))[0] == "409"
    assert (await ask(house, "abort.default.podinfo", revision="0123456789abcdef"))[0] == "409"
    unreadable = await house.bus.client.request("canary.api.abort.default.podinfo", b"[1]", timeout=20)
    assert unreadable.headers is not None
    assert unreadable.headers["Nats-Service-Error-Code"] == "400"
    assert (await house.status()).phase is Phase.PROGRESSING
    await house.strange()
    for verb in ("abort", "get", "explain"):
        code, _ = await ask(house, f"{verb}.default.podinfo")
        assert code == "500", verb


async def test_a_bus_that_works_before_an_api_server_that_does_not_answers_503(house: House, app: App) -> None:
    async def away(resource: Any, namespace: str, name: str) -> Any:
        raise Unavailable("Kubernetes API: no answer\nwithin 10s")

    app.kube.find = away  # type: ignore[method-assign]
    answer = await house.bus.client.request("canary.api.abort.default.podinfo", b"", timeout=20)
    assert answer.headers is not None
    assert answer.headers["Nats-Service-Error-Code"] == "503"
    assert answer.headers["Nats-Service-Error"] == "Kubernetes API: no answer within 10s", "a header is one line"


async def test_a_request_with_an_id_acts_once_however_often_it_is_sent(house: House, app: App) -> None:
    await progressing(house)
    first = await ask(house, "pause.default.podinfo", by="ci", id="once")
    await ask(house, "resume.default.podinfo")
    again = await ask(house, "pause.default.podinfo", by="ci", id="once")
    assert again[1]["accepted"] is True
    assert again[1]["message"] == first[1]["message"]
    assert (await house.status()).paused is None


async def test_a_canary_with_a_dot_in_its_name_is_reached_by_its_subject(house: House, app: App) -> None:
    await house.definitions()
    await many(house, "pod.info")
    assert (await ask(house, "pause.default.pod_info"))[1]["accepted"] is True
    assert await paused(house, "pod.info")
    assert (await ask(house, "get.default.pod_info"))[1]["name"] == "pod.info"


async def test_one_request_pauses_all_that_are_ours_and_lists_each(house: House, app: App) -> None:
    await many(house, "one", "two")
    await many(house, "foreign", provider="istio")
    code, reply = await ask(house, "pause.default._all", by="ann")
    assert code == ""
    assert (reply["accepted"], reply["message"]) == (True, "pause accepted by 2 of 2")
    assert [(item["name"], item["accepted"]) for item in reply["canaries"]] == [("one", True), ("two", True)]
    assert [await paused(house, name) for name in ("one", "two", "foreign")] == [True, True, False]


async def test_a_request_to_many_is_accepted_when_one_of_them_is_and_says_what_the_others_said(
    house: House, app: App
) -> None:
    await many(house, "one", "two")
    await ask(house, "pause.default.one")
    code, reply = await ask(house, "resume._all._all")
    assert (code, reply["message"]) == ("", "resume accepted by 1 of 2")
    refused = reply["canaries"][1]
    assert (refused["accepted"], refused["code"], refused["message"]) == (False, 422, "resume refused: not paused")
    code, reply = await ask(house, "resume._all._all")
    assert (code, reply["accepted"]) == ("422", False)


async def test_one_whose_status_only_a_newer_release_can_read_is_listed_and_missed_by_no_command_to_many(
    house: House, app: App
) -> None:
    await many(house, "one", "podinfo")
    await house.strange()
    why = "status.returning is {'phase': 'Landing'}, which this release does not know: run the release that wrote it"
    _, found = await ask(house, "list.default")
    one, strange = found["canaries"]
    assert (one["name"], strange["name"], strange["reason"]) == ("one", "podinfo", "Unreadable")
    assert strange["message"].startswith(why)
    code, reply = await ask(house, "pause.default._all", by="ann")
    assert (code, reply["message"]) == ("500", "pause accepted by 1 of 2")
    refused = reply["canaries"][1]
    assert refused["message"].startswith(f"Canary podinfo.default is left alone: {why}")
    assert await paused(house, "one")


async def test_a_request_to_a_name_in_all_namespaces_means_that_name_only(house: House, app: App) -> None:
    await many(house, "one", "two")
    _, reply = await ask(house, "pause._all.one")
    assert [item["name"] for item in reply["canaries"]] == ["one"]
    assert (await ask(house, "pause._all.three"))[0] == "404"


async def test_a_command_to_many_becomes_one_durable_command_for_each(house: House, app: App) -> None:
    await many(house, "one", "two")
    await house.bus.client.publish("canary.command.pause.default._all", b'{"by": "ann", "id": "night"}')
    async with asyncio.timeout(10):
        while not (await paused(house, "one") and await paused(house, "two")):
            await asyncio.sleep(0.05)
    status = Canary.from_object(await house.object(CANARY, "two")).status
    assert status.last_command is not None
    assert (status.last_command.by, status.last_command.id.startswith("night.")) == ("ann", True)


async def test_a_query_says_how_a_canary_is(house: House, app: App) -> None:
    await progressing(house)
    await ask(house, "pause.default.podinfo", by="ann")
    _, found = await ask(house, "get.default.podinfo")
    status = await house.status()
    since = found.pop("since")
    assert found.pop("paused")["by"] == "ann"
    assert found == {
        "namespace": "default",
        "name": "podinfo",
        "phase": "Progressing",
        "weight": 0,
        "step": status.step,
        "revision": status.canary_revision,
        "reason": "Paused",
        "message": f"Halt podinfo.default advancement paused by ann since {since}",
        "waitingFor": "gate",
    }
    assert (await ask(house, "get.default.nobody"))[0] == "404"


async def test_a_query_explains_why_a_canary_is_not_further(house: House, app: App) -> None:
    await progressing(house)
    _, found = await ask(house, "explain.default.podinfo")
    revision = (await house.status()).canary_revision
    assert found["doing"] == f"analyses revision {revision} with 0 % of the users"
    assert "nats req canary.api.abort.default.podinfo '{}'" in found["commands"]
    assert found["following"].startswith("judged again")
    assert (await ask(house, "explain.default.nobody"))[0] == "404"


async def test_a_query_lists_the_canaries_that_are_ours(house: House, app: App) -> None:
    await many(house, "two", "one")
    await many(house, "foreign", provider="istio")
    for subject in ("list", "list.default"):
        _, found = await ask(house, subject)
        assert [(item["namespace"], item["name"]) for item in found["canaries"]] == [
            ("default", "one"),
            ("default", "two"),
        ]
    assert (await ask(house, "list.elsewhere"))[1] == {"canaries": []}


async def test_no_request_waits_for_another_one(house: House, app: App) -> None:
    await many(house, "one", "two")
    let_go, waiting = asyncio.Event(), asyncio.Event()
    real = app.kube.find

    async def slow(resource: Any, namespace: str, name: str) -> Any:
        if name == "one":
            waiting.set()
            await let_go.wait()
        return await real(resource, namespace, name)

    app.kube.find = slow  # type: ignore[method-assign]
    first = asyncio.create_task(ask(house, "pause.default.one"))
    await asyncio.wait_for(waiting.wait(), 20)
    assert (await ask(house, "pause.default.two"))[1]["accepted"] is True
    let_go.set()
    assert (await first)[1]["accepted"] is True


async def test_an_answer_that_fits_into_no_message_says_so(
    house: House, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    await many(house, "one", "two")
    assert app.bus is not None
    whole = len(json.dumps((await ask(house, "list"))[1], separators=(",", ":")))
    monkeypatch.setattr(app.bus.client, "_max_payload", whole - 1)
    assert await ask(house, "list") == ("413", {})
    code, found = await ask(house, "get.default.one")
    assert (code, found["name"]) == ("", "one")
