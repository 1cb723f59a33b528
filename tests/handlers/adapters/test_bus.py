"""The bus on a real nats-server."""

from __future__ import annotations

import asyncio
import json
import uuid
from datetime import UTC, datetime
from pathlib import Path

import nats
import orjson
import pytest
from nats.aio.client import Client

from handlers.adapters.bus import Bus, connection_options, provision
from handlers.adapters.errors import Invalid, Unavailable
from schemas.events import Change, ChangeReason, Command, StepResult, Tick, Verb
from schemas.settings import Settings
from schemas.streams import CONSUMERS, STREAMS
from tests.handlers.adapters.natsserver import SYSTEM_ACCOUNT, NatsServer


def tick(second: int = 0, name: str = "podinfo") -> Tick:
    return Tick(namespace="test", name=name, uid=name, slot=datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC), interval=10)


def result(step: int = 1, message: str = "") -> StepResult:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return StepResult(
        namespace="test",
        name="pod.info",
        uid="u",
        step=step,
        stimulus="tick",
        time=at,
        phase="Progressing",
        weight=10,
        reason="StepTaken",
        message=message,
    )


def change(version: str) -> Change:
    return Change(namespace="test", name="podinfo", uid="u", reason=ChangeReason.REVISION, version=version)


async def stored(bus: Bus, stream: str) -> int:
    return (await bus.js.stream_info(stream)).state.messages


async def ticks_of(bus: Bus, name: str) -> int:
    """Queued and in flight. A tick is not confirmed: one that is, on the same stream, says that it has been seen."""
    await bus.js.publish(f"canary.tick.marker.{uuid.uuid4().hex}", b"{}")
    state = (await bus.js.stream_info("CANARY_TICKS", subjects_filter=f"canary.tick.test.{name}")).state
    return (state.subjects or {}).get(f"canary.tick.test.{name}", 0)


async def test_provisioning_creates_everything_once(client: Client) -> None:
    js = client.jetstream()
    first = await provision(js)
    assert first == [
        *(f"created stream {stream.name}" for stream in STREAMS),
        *(f"created consumer {consumer.stream}/{consumer.durable}" for consumer in CONSUMERS.values()),
    ]
    assert await provision(js) == []
    ticks = (await js.stream_info("CANARY_TICKS")).config
    assert (ticks.retention, ticks.discard, ticks.discard_new_per_subject) == ("workqueue", "new", True)
    assert (ticks.max_msgs_per_subject, ticks.max_age, ticks.duplicate_window) == (1, 3600, 60)
    analysis = (await js.consumer_info("CANARY_TICKS", "analysis")).config
    assert (analysis.ack_policy, analysis.ack_wait, analysis.max_deliver) == ("explicit", 10, -1)


async def test_two_watchers_may_provision_at_the_same_time(client: Client, nats_server: NatsServer) -> None:
    other = await nats_server.connect()
    await asyncio.gather(provision(client.jetstream()), provision(other.jetstream()))
    await other.close()
    assert await provision(client.jetstream()) == []


async def test_provisioning_updates_what_differs_and_keeps_what_the_operator_added(bus: Bus) -> None:
    config = (await bus.js.stream_info("CANARY_REVISIONS")).config
    await bus.js.update_stream(config.evolve(max_age=60, duplicate_window=30, description="ours", max_bytes=1_000_000))
    consumer = (await bus.js.consumer_info("CANARY_TICKS", "analysis")).config
    await bus.js.add_consumer("CANARY_TICKS", consumer.evolve(ack_wait=77, max_deliver=3))
    assert await provision(bus.js) == [
        "updated stream CANARY_REVISIONS: max_age, duplicate_window",
        "updated consumer CANARY_TICKS/analysis: ack_wait, max_deliver",
    ]
    mended = (await bus.js.stream_info("CANARY_REVISIONS")).config
    assert (mended.max_age, mended.description, mended.max_bytes) == (86400, "ours", 1_000_000)
    assert (await bus.js.consumer_info("CANARY_TICKS", "analysis")).config.ack_wait == 10


async def test_provisioning_makes_again_what_was_deleted(bus: Bus) -> None:
    await bus.js.delete_stream("CANARY_TICKS")
    await bus.js.delete_consumer("CANARY_REVISIONS", "bootstrap")
    assert await provision(bus.js) == [
        "created stream CANARY_TICKS",
        "created consumer CANARY_TICKS/analysis",
        "created consumer CANARY_REVISIONS/bootstrap",
    ]


async def test_a_difference_that_cannot_be_changed_in_place_is_told_with_the_remedy(client: Client) -> None:
    js = client.jetstream()
    await js.add_stream(name="CANARY_TICKS", subjects=["canary.tick.>"], storage="memory")
    with pytest.raises(Invalid, match=r"CANARY_TICKS.*nats stream rm CANARY_TICKS"):
        await provision(js)


async def test_replicas_that_one_server_cannot_hold_are_refused_in_the_servers_words(client: Client) -> None:
    with pytest.raises(Invalid, match="replicas"):
        await provision(client.jetstream(), replicas=3)


async def test_a_consumer_of_results_that_is_made_again_repeats_nothing(bus: Bus) -> None:
    await bus.publish(result(1), source="test")
    await bus.js.delete_consumer("CANARY_RESULTS", "notify")
    await provision(bus.js)
    await bus.publish(result(2), source="test")
    subscription = await bus.js.pull_subscribe_bind("notify", "CANARY_RESULTS")
    (message,) = await subscription.fetch(1, timeout=5)
    assert orjson.loads(message.data)["step"] == 2


async def test_a_message_travels_as_a_binary_cloud_event(bus: Bus) -> None:
    assert await bus.publish(result(), source="canarybus/handlers")
    found = await bus.js.get_last_msg("CANARY_RESULTS", "canary.result.test.pod_info")
    headers = found.headers or {}
    assert json.loads(found.data or b"")["name"] == "pod.info"
    assert headers["ce-id"] == headers["Nats-Msg-Id"] == "u.1"
    assert headers["ce-specversion"] == "1.0"
    assert headers["ce-source"] == "canarybus/handlers"
    assert headers["ce-type"] == "dev.canarybus.result.v1"
    assert headers["ce-subject"] == "test/pod.info"
    assert headers["ce-datacontenttype"] == "application/json"
    assert datetime.fromisoformat(headers["ce-time"]).tzinfo


async def test_a_message_that_is_published_again_is_stored_once(bus: Bus) -> None:
    assert await bus.publish(result(), source="one")
    assert not await bus.publish(result(), source="two")
    assert await stored(bus, "CANARY_RESULTS") == 1


async def test_a_tick_is_refused_while_one_of_that_canary_is_queued_or_in_flight(bus: Bus) -> None:
    for second in (0, 10):
        await bus.publish(tick(second), source="test")
    await bus.publish(tick(0, "other"), source="test")
    assert await ticks_of(bus, "podinfo") == 1
    assert await ticks_of(bus, "other") == 1
    subscription = await bus.js.pull_subscribe_bind("analysis", "CANARY_TICKS")
    (first,) = await subscription.fetch(1, timeout=5)
    assert orjson.loads(first.data)["slot"] == "2026-01-01T00:00:00Z"
    await bus.publish(tick(20), source="test")
    assert await ticks_of(bus, "podinfo") == 1
    await first.ack_sync()
    assert await ticks_of(bus, "podinfo") == 0
    await bus.publish(tick(30), source="test")
    assert await ticks_of(bus, "podinfo") == 1
    found = await bus.js.get_last_msg("CANARY_TICKS", "canary.tick.test.podinfo")
    assert orjson.loads(found.data or b"")["slot"] == "2026-01-01T00:00:30Z"


async def test_the_latest_change_replaces_the_queued_one(bus: Bus) -> None:
    for version in ("1", "2", "2"):
        await bus.publish(change(version), source="test")
    assert await stored(bus, "CANARY_REVISIONS") == 1
    found = await bus.js.get_last_msg("CANARY_REVISIONS", "canary.revision.test.podinfo")
    assert orjson.loads(found.data or b"")["version"] == "2"


async def test_weaker_news_do_not_take_the_place_of_what_asks_to_compare_everything(bus: Bus) -> None:
    drift = change("1").model_copy(update={"reason": ChangeReason.DRIFT})
    for message in (drift, change("2"), change("3"), drift.model_copy(update={"reason": ChangeReason.RESYNC})):
        await bus.publish(message, source="test")
    subjects = ("canary.revision.drift.test.podinfo", "canary.revision.test.podinfo")
    kept = [await bus.js.get_last_msg("CANARY_REVISIONS", subject) for subject in subjects]
    assert [orjson.loads(one.data or b"")["reason"] for one in kept] == ["resync", "revision"]
    assert await stored(bus, "CANARY_REVISIONS") == 2


async def test_commands_queue_up(bus: Bus) -> None:
    for number in (1, 2):
        command = Command(namespace="test", name="podinfo", verb=Verb.ABORT, id=f"c{number}")
        await bus.publish(command, source="test")
    assert await stored(bus, "CANARY_COMMANDS") == 2


async def test_publishing_without_streams_is_transient(client: Client) -> None:
    with pytest.raises(Unavailable):
        await Bus(client).publish(result(), source="test")


async def test_a_message_that_is_too_large_is_permanent(bus: Bus) -> None:
    with pytest.raises(Invalid):
        await bus.publish(result(message="x" * 2_000_000), source="test")


async def test_a_tick_is_not_kept_for_later_while_the_server_is_away(bus: Bus, nats_server: NatsServer) -> None:
    lost = asyncio.Event()

    async def disconnected() -> None:
        lost.set()

    client = await nats_server.connect(disconnected_cb=disconnected)
    nats_server.kill()
    await asyncio.wait_for(lost.wait(), 5)
    with pytest.raises(Unavailable):
        await Bus(client).publish(tick(), source="test")
    assert await Bus(client).unready(["analysis"]) == "not connected to NATS"
    await client.close()


async def test_a_deleted_consumer_is_unready_although_the_server_answers(bus: Bus) -> None:
    assert await bus.unready(CONSUMERS) is None
    await bus.js.delete_consumer("CANARY_TICKS", "analysis")
    await bus.js.delete_stream("CANARY_REVISIONS")
    assert await bus.unready(["analysis", "bootstrap"]) == (
        "no such consumer: CANARY_TICKS/analysis, CANARY_REVISIONS/bootstrap"
    )


async def test_a_client_connects_again_however_long_the_server_was_away(nats_server: NatsServer) -> None:
    back = asyncio.Event()

    async def reconnected() -> None:
        back.set()

    failed = 0
    often = asyncio.Event()

    async def count(_error: Exception) -> None:
        nonlocal failed
        failed += 1
        if failed > 70:  # the client's default gives up at 60
            often.set()

    options = connection_options(Settings(nats_url=(nats_server.url,)), "test")
    quick = {**options, "reconnect_time_wait": 0.005, "error_cb": count}
    client = await nats.connect(**quick, reconnected_cb=reconnected)
    await provision(client.jetstream())
    nats_server.kill()
    await asyncio.wait_for(often.wait(), 10)
    nats_server.start()
    await asyncio.wait_for(back.wait(), 10)
    assert await Bus(client).publish(result(), source="test")
    await client.close()


async def warning_of(directory: Path, sync: str) -> str | None:
    server = NatsServer(directory, SYSTEM_ACCOUNT % sync)
    server.start()
    try:
        client = await server.connect(user="app", password="app")
        try:
            return await Bus(client).preflight()
        finally:
            await client.close()
    finally:
        server.kill()


async def test_a_server_that_confirms_before_it_writes_is_warned_about_where_that_can_be_seen(tmp_path: Path) -> None:
    warning = await warning_of(tmp_path / "default", "")
    assert warning
    assert "every 120 s" in warning
    assert "sync_interval: always" in warning
    assert await warning_of(tmp_path / "always", "sync_interval: always") is None


async def test_where_the_system_account_is_closed_nothing_is_claimed(bus: Bus) -> None:
    assert await bus.preflight() is None
