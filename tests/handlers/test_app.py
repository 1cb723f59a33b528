"""The whole process in one: messages in, a moved Canary and answers out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from deploy.sandbox.kube import EmbeddedKubernetes
from handlers.app import App
from schemas.events import Change, ChangeReason, StepResult
from schemas.resources import CANARY, EVENT
from schemas.settings import Settings
from schemas.status import Phase
from tests.handlers.adapters.natsserver import NatsServer
from tests.handlers.house import NAMESPACE, House


@pytest.fixture
async def app(
    house: House, kubernetes: EmbeddedKubernetes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[App]:
    await house.definitions()
    monkeypatch.setenv("KUBECONFIG", str(kubernetes.kubeconfig))
    url = house.bus.client.connected_url
    assert url is not None
    settings = house.settings.model_copy(update={"nats_url": (url.geturl(),), "port": 0, "workers": 2})
    async with App(settings) as app:
        yield app


async def _told(house: House, reason: str) -> StepResult:
    """The first result with this reason."""
    subscription = await house.bus.js.subscribe("canary.result.>", ordered_consumer=True)
    async with asyncio.timeout(15):
        async for message in subscription.messages:
            result = StepResult.model_validate_json(message.data)
            if result.reason == reason:
                return result
    raise AssertionError(reason)


async def _announce(house: House, reason: ChangeReason, version: str) -> None:
    change = Change(namespace=NAMESPACE, name="podinfo", uid=house.uid, reason=reason, version=version)
    await house.bus.publish(change, source="test")


async def _progressing(house: House) -> None:
    await house.prepare()
    await house.initialized()
    await house.push("podinfo:2", announce=False)
    await _announce(house, ChangeReason.REVISION, "1")
    await _told(house, "NewRevision")


async def test_a_bare_abort_from_the_nats_cli_ends_the_rollout(house: House, app: App) -> None:
    await _progressing(house)
    await house.bus.client.publish("canary.command.abort.default.podinfo", b"{}")
    result = await _told(house, "CommandAccepted")
    assert result.phase == "Failed"
    assert (await house.status()).phase is Phase.FAILED


async def test_the_api_answers_after_the_commit_and_is_listed(house: House, app: App) -> None:
    await _progressing(house)
    body = json.dumps({"by": "ci", "reason": "error budget"}).encode()
    answer = await house.bus.client.request("canary.api.abort.default.podinfo", body, timeout=5)
    reply = json.loads(answer.data)
    status = await house.status()
    assert reply["accepted"] is True
    assert reply["phase"] == "Failed"
    assert reply["step"] == status.step
    listed = json.loads((await house.bus.client.request("$SRV.INFO.canarybus", b"", timeout=5)).data)
    assert {endpoint["name"] for endpoint in listed["endpoints"]} == {"abort", "promote"}


async def test_a_refused_command_says_why_in_the_reply_and_as_an_event(house: House, app: App) -> None:
    await house.prepare()
    await house.initialized()
    answer = await house.bus.client.request("canary.api.promote.default.podinfo", b"", timeout=5)
    assert answer.headers is not None
    assert answer.headers["Nats-Service-Error-Code"] == "422"
    assert json.loads(answer.data)["message"] == "promote refused: nothing to promote in phase Initialized"
    missing = await house.bus.client.request("canary.api.promote.default.nobody", b"", timeout=5)
    assert missing.headers is not None
    assert missing.headers["Nats-Service-Error-Code"] == "404"
    async with asyncio.timeout(10):
        while True:
            found, _ = await house.admin.list(EVENT, NAMESPACE, fields="involvedObject.kind=Canary")
            if any("promote refused" in event["message"] for event in found):
                break
            await asyncio.sleep(0.05)


async def test_a_command_that_means_another_phase_is_refused(house: House, app: App) -> None:
    await _progressing(house)
    body = json.dumps({"phase": "Promoting"}).encode()
    answer = await house.bus.client.request("canary.api.abort.default.podinfo", body, timeout=5)
    assert answer.headers is not None
    assert answer.headers["Nats-Service-Error-Code"] == "409"
    assert (await house.status()).phase is Phase.PROGRESSING


async def test_a_message_that_nobody_can_read_is_dead_and_delays_nothing(house: House, app: App) -> None:
    await house.prepare()
    await house.bus.js.publish("canary.revision.default.podinfo", b"{ not json")
    await _announce(house, ChangeReason.SPEC, "1")
    subscription = await house.bus.js.subscribe("canary.dlq.>", ordered_consumer=True)
    letter = json.loads((await subscription.next_msg(timeout=10)).data)
    assert letter["originalSubject"] == "canary.revision.default.podinfo"
    assert letter["body"] == "{ not json"
    assert letter["error"]
    async with asyncio.timeout(10):
        while not (await house.object(CANARY, "podinfo")).get("status"):
            await asyncio.sleep(0.02)


async def test_the_probes_name_what_is_missing(house: House, app: App) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{app.port}") as probe:
        assert (await probe.get("/readyz")).status_code == 200
        await house.bus.js.delete_consumer("CANARY_TICKS", "analysis")
        answer = await probe.get("/readyz")
        assert answer.status_code == 503
        assert "CANARY_TICKS/analysis" in answer.text
        assert "canarybus_" in (await probe.get("/metrics")).text


async def test_handlers_wait_for_the_bus_instead_of_failing(
    kubernetes: EmbeddedKubernetes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubernetes.kubeconfig))
    server = NatsServer(tmp_path)
    server.start()
    app = App(Settings(nats_url=(server.url,), port=0))
    starting = asyncio.create_task(app.__aenter__())
    async with asyncio.timeout(10):
        while not app.port:
            await asyncio.sleep(0.02)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{app.port}") as probe:
        assert (await probe.get("/healthz")).status_code == 200
        assert (await probe.get("/readyz")).status_code == 503
    assert not starting.done()
    starting.cancel()
    await asyncio.wait((starting,))
    server.kill()


async def test_handlers_wait_for_a_definition_that_keeps_the_status(
    kubernetes: EmbeddedKubernetes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubernetes.kubeconfig))
    app = App(Settings(nats_url=("nats://127.0.0.1:1",), port=0))
    starting = asyncio.create_task(app.__aenter__())
    async with asyncio.timeout(10):
        while "there is no CustomResourceDefinition canaries.flagger.app" not in caplog.text:
            await asyncio.sleep(0.02)
    assert "kubectl apply --server-side -f deploy/crds" in caplog.text
    starting.cancel()
    await asyncio.wait((starting,))
