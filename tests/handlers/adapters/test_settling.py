"""How messages are settled, on a real server."""

from __future__ import annotations

import asyncio
import time

import pytest

from handlers.adapters.bus import Bus, provision
from handlers.adapters.errors import Invalid, Throttled, Unavailable, Undecodable
from handlers.adapters.settling import Outcome, growing_delay, outcome_of
from schemas.events import Change, Command, Message, Tick, Verb
from tests.handlers.adapters.natsserver import NatsServer
from tests.handlers.adapters.process import change, empty, letters, running, tick


async def test_a_handled_tick_is_gone_from_the_stream(nats_server: NatsServer, bus: Bus) -> None:
    seen: asyncio.Queue[Tick] = asyncio.Queue()

    async def handler(message: Tick) -> None:
        await seen.put(message)

    async with running(nats_server, bus, handler) as process:
        await bus.publish(tick(), source="test")
        assert await asyncio.wait_for(seen.get(), 5) == tick()
        assert await process.outcome() == ("tick", "ack")
    await empty(bus, "CANARY_TICKS")


async def test_subscribing_leaves_the_streams_as_they_were_declared(nats_server: NatsServer, bus: Bus) -> None:
    async def handler(message: Tick) -> None: ...

    async with running(nats_server, bus, handler):
        assert await provision(bus.js) == []


async def test_a_poison_message_is_a_dead_letter_and_the_next_of_its_subject_runs(
    nats_server: NatsServer, bus: Bus
) -> None:
    seen: asyncio.Queue[Tick] = asyncio.Queue()

    async def handler(message: Tick) -> None:
        await seen.put(message)

    async with running(nats_server, bus, handler) as process:
        await bus.js.publish("canary.tick.test.podinfo", b'{"uid": 1', headers={"who": "somebody"})
        assert await process.outcome() == ("tick", "dead")
        await empty(bus, "CANARY_TICKS")
        await bus.publish(tick(), source="test")
        assert await asyncio.wait_for(seen.get(), 5) == tick()
    (letter,) = await letters(bus)
    assert letter["subject"] == "canary.dlq.tick.test.podinfo"
    assert letter["originalSubject"] == "canary.tick.test.podinfo"
    assert letter["error"].startswith("Undecodable: the body is not JSON")
    assert letter["body"] == '{"uid": 1'
    assert letter["originalHeaders"] == {"who": "somebody"}
    assert letter["deliveries"] == 1


@pytest.mark.parametrize(
    ("subject", "body", "words"),
    [
        ("canary.tick.test.podinfo", b"{}", "uid: Field required"),
        ("canary.tick.test.podinfo", b"[]", "must be a JSON object"),
        ("canary.tick.podinfo", b"{}", "is not canary.<kind>.<namespace>.<name>"),
        ("canary.tick.test.podinfo", b"\xff\xfe", "not JSON"),
    ],
)
async def test_every_kind_of_unreadable_message_ends_on_the_dead_letter_subject(
    nats_server: NatsServer, bus: Bus, subject: str, body: bytes, words: str
) -> None:
    async def handler(message: Tick) -> None: ...

    async with running(nats_server, bus, handler) as process:
        await bus.js.publish(subject, body)
        assert await process.outcome() == ("tick", "dead")
    (letter,) = await letters(bus)
    assert words in letter["error"]
    assert letter["encoding"] if body.startswith(b"\xff") else "encoding" not in letter


async def test_a_message_that_is_almost_as_long_as_any_may_be_becomes_a_letter_with_its_beginning(
    nats_server: NatsServer, bus: Bus
) -> None:
    async def handler(message: Tick) -> None: ...

    headers = {f"n{number}": "x" * 900 for number in range(60)}
    async with running(nats_server, bus, handler) as process:
        await bus.js.publish("canary.tick.test.podinfo", b"\xff" * 900_000, headers=headers)
        assert await process.outcome() == ("tick", "dead")
        await empty(bus, "CANARY_TICKS")
    (letter,) = await letters(bus)
    assert letter["bytes"] == 900_000
    assert letter["encoding"] == "base64"
    assert letter["originalHeaders"] == headers


async def test_a_permanent_error_is_a_dead_letter(nats_server: NatsServer, bus: Bus) -> None:
    async def handler(message: Change) -> None:
        raise Invalid("the API server refuses it")

    async with running(nats_server, bus, handler, durable="bootstrap") as process:
        await bus.publish(change(), source="test")
        assert await process.outcome() == ("revision", "dead")
    (letter,) = await letters(bus)
    assert letter["error"] == "Invalid: the API server refuses it"
    await empty(bus, "CANARY_REVISIONS")


async def test_a_fault_of_ours_comes_again_with_a_growing_delay(nats_server: NatsServer, bus: Bus) -> None:
    times = []

    async def handler(message: Change) -> None:
        times.append(time.monotonic())
        if len(times) < 3:
            raise KeyError("a fault")

    async with running(nats_server, bus, handler, durable="bootstrap") as process:
        await bus.publish(change(), source="test")
        assert [await process.outcome() for _ in range(3)] == [("revision", "nak")] * 2 + [("revision", "ack")]
    first, second = times[1] - times[0], times[2] - times[1]
    assert 0.7 < first < 1.8
    assert 1.4 < second < 3.3
    assert await letters(bus) == []


async def test_a_transient_error_comes_again_after_the_delay_that_it_names(nats_server: NatsServer, bus: Bus) -> None:
    times = []

    async def handler(message: Change) -> None:
        times.append(time.monotonic())
        if len(times) == 1:
            raise Throttled("429", delay=0.3)

    async with running(nats_server, bus, handler, durable="bootstrap") as process:
        await bus.publish(change(), source="test")
        assert await process.outcome() == ("revision", "nak")
        assert await process.outcome() == ("revision", "ack")
    assert 0.25 < times[1] - times[0] < 1.5


async def test_a_tick_that_meets_a_transient_fault_is_left_to_the_next_slot(nats_server: NatsServer, bus: Bus) -> None:
    async def handler(message: Tick) -> None:
        if message.slot.second == 0:
            raise Unavailable("the API server is away")

    async with running(nats_server, bus, handler) as process:
        await bus.publish(tick(0), source="test")
        assert await process.outcome() == ("tick", "ack")
        await empty(bus, "CANARY_TICKS")
        await bus.publish(tick(10), source="test")
        assert await process.outcome() == ("tick", "ack")
    assert await letters(bus) == []


async def test_a_dead_letter_that_cannot_be_published_keeps_the_message(nats_server: NatsServer, bus: Bus) -> None:
    async def handler(message: Change) -> None:
        raise Invalid("no")

    await bus.js.delete_stream("CANARY_DLQ")
    async with running(nats_server, bus, handler, durable="bootstrap") as process:
        await bus.publish(change(), source="test")
        assert await process.outcome() == ("revision", "nak")
    assert (await bus.js.stream_info("CANARY_REVISIONS")).state.messages == 1


async def test_a_bare_command_from_a_terminal_is_understood(nats_server: NatsServer, bus: Bus) -> None:
    seen: asyncio.Queue[Message] = asyncio.Queue()

    async def handler(message: Command) -> None:
        await seen.put(message)

    async with running(nats_server, bus, handler, durable="command"):
        await bus.js.publish("canary.command.abort.test.pod_info", b"")
        found = await asyncio.wait_for(seen.get(), 5)
        assert isinstance(found, Command)
        assert (found.verb, found.namespace, found.name) == (Verb.ABORT, "test", "pod.info")
        assert found.id.startswith("CANARY_COMMANDS.1.")
        await bus.publish(found.model_copy(update={"id": "mine", "by": "ci"}), source="test")
        again = await asyncio.wait_for(seen.get(), 5)
        assert isinstance(again, Command)
        assert (again.id, again.by) == ("mine", "ci")


def test_the_table_of_outcomes() -> None:
    def of(error: BaseException | None, kind: str = "revision", deliveries: int = 1) -> Outcome:
        return outcome_of(error, kind=kind, deliveries=deliveries)

    assert of(None) == Outcome("ack")
    assert of(Undecodable("x")) == Outcome("term", dead_letter=True)
    assert of(Invalid("x")) == Outcome("term", dead_letter=True)
    assert of(Undecodable("x"), "tick") == Outcome("term", dead_letter=True)
    assert of(Invalid("x"), "tick") == Outcome("ack"), "no letter for every slot"
    assert of(Unavailable("x"), "tick") == Outcome("ack")
    assert of(Throttled("x", 7)) == Outcome("nak", 7)
    assert of(asyncio.CancelledError()) == Outcome("nak")
    assert of(KeyError("x"), deliveries=9).act == "nak"
    assert of(KeyError("x"), deliveries=10) == Outcome("term", dead_letter=True)
    assert of(Unavailable("x"), deliveries=1000).act == "nak"


def test_delays_grow_to_a_minute_and_differ() -> None:
    for deliveries, middle in ((1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (10**6, 60)):
        delays = {growing_delay(deliveries) for _ in range(50)}
        assert len(delays) > 1
        assert all(0.75 * middle <= delay <= 1.25 * middle for delay in delays)
