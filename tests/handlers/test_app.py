"""The whole process in one: messages in, a moved Canary and answers out."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from deploy.sandbox.kube import EmbeddedKubernetes
from handlers.app import App
from schemas.events import Change, ChangeReason
from schemas.resources import CANARY, Resource
from schemas.settings import Settings
from schemas.status import CheckResult, Phase
from tests.handlers.adapters.natsserver import NatsServer
from tests.handlers.adapters.test_outcomes import NAMES, after, canary
from tests.handlers.house import House
from tests.handlers.listening import announce, progressing, told


async def test_a_bare_abort_from_the_nats_cli_ends_the_rollout(house: House, app: App) -> None:
    await progressing(house)
    await house.bus.client.publish("canary.command.abort.default.podinfo", b"{}")
    result = await told(house, "CommandAccepted")
    assert result.phase == "Failed"
    assert (await house.status()).phase is Phase.FAILED


async def test_a_message_that_nobody_can_read_is_dead_and_delays_nothing(house: House, app: App) -> None:
    await house.prepare()
    await house.bus.js.publish("canary.revision.default.podinfo", b"{ not json")
    subscription = await house.bus.js.subscribe("canary.dlq.>", ordered_consumer=True)
    letter = json.loads((await subscription.next_msg(timeout=10)).data)
    assert letter["originalSubject"] == "canary.revision.default.podinfo"
    assert letter["body"] == "{ not json"
    assert letter["error"]
    # not before: of one subject the stream keeps the newest message, and this one would take its place
    await announce(house, ChangeReason.SPEC, "1")
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


async def test_who_stops_gives_back_at_once_what_nobody_has_begun(house: House, app: App) -> None:
    begun, go_on = asyncio.Queue[str](), asyncio.Event()

    async def slow(resource: Resource, namespace: str, name: str) -> None:
        begun.put_nowait(name)
        await go_on.wait()

    app.kube.find = slow  # type: ignore[method-assign]
    for name in ("a", "b", "c"):
        change = Change(namespace="test", name=name, uid=name, reason=ChangeReason.SPEC, version="1")
        await house.bus.publish(change, source="test")
    async with asyncio.timeout(10):
        assert {await begun.get(), await begun.get()} == {"a", "b"}
        while (await house.bus.js.consumer_info("CANARY_REVISIONS", "bootstrap")).num_ack_pending < 3:
            await asyncio.sleep(0.02)
        stopping = asyncio.create_task(app.__aexit__())
        another = await house.bus.js.pull_subscribe_bind("bootstrap", "CANARY_REVISIONS")
        (message,) = await another.fetch(1, timeout=5)
        assert json.loads(message.data)["name"] == "c"
        await message.ack()
        go_on.set()
        await stopping


async def test_the_series_of_a_canary_that_went_end_with_a_resync(
    house: House, kubernetes: EmbeddedKubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.definitions()
    monkeypatch.setenv("KUBECONFIG", str(kubernetes.kubeconfig))
    url = house.bus.client.connected_url
    assert url is not None
    settings = house.settings.model_copy(update={"nats_url": (url.geturl(),), "port": 0, "resync": 0.1})
    async with App(settings) as app, asyncio.timeout(10):
        checks = (CheckResult(name="a", verdict="pass"),)
        app.outcomes.step(canary(), after(Phase.PROGRESSING, checks=checks), 0.2)
        count = "flagger_canary_duration_seconds_count"
        assert app.metrics.registry.get_sample_value(count, NAMES) == 1
        while app.metrics.registry.get_sample_value(count, NAMES) is not None:
            await asyncio.sleep(0.02)
