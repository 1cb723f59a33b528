"""How messages are settled, on a real server."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from faststream.nats import NatsBroker

from handlers.adapters.bus import Bus, connection_options, provision
from handlers.adapters.errors import Invalid, Throttled, Unavailable, Undecodable
from handlers.adapters.settling import Outcome, Settling, broker_options, growing_delay, outcome_of
from schemas.events import Change, ChangeReason, Command, DeadLetter, Message, Tick, Verb
from schemas.settings import Settings
from tests.handlers.adapters.natsserver import NatsServer


def tick(second: int = 0, name: str = "podinfo") -> Tick:
    return Tick(namespace="test", name=name, uid=name, slot=datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC), interval=10)


def change(version: str = "1", name: str = "podinfo") -> Change:
    return Change(namespace="test", name=name, uid=name, reason=ChangeReason.REVISION, version=version)


class Running:
    """A process's part of the bus with one handler; ``outcomes`` is what became of the messages, in order."""

    def __init__(self, bus: Bus, url: str, *, heartbeat: float) -> None:
        self.outcomes: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

        async def dead_letter(letter: DeadLetter) -> None:
            await bus.publish(letter, source="test")

        self.settling = Settling(
            dead_letter, lambda kind, outcome: self.outcomes.put_nowait((kind, outcome)), heartbeat=heartbeat
        )
        options = connection_options(Settings(nats_url=(url,)), "test")
        self.broker = NatsBroker(**broker_options(options) | {"graceful_timeout": 0.2}, middlewares=[self.settling])

    async def outcome(self) -> tuple[str, str]:
        return await asyncio.wait_for(self.outcomes.get(), 10)

    async def stop(self) -> None:
        await self.settling.stop()
        await self.broker.stop()


@asynccontextmanager
async def running(
    server: NatsServer,
    bus: Bus,
    handler: Callable[[Any], Awaitable[None]],
    *,
    durable: str = "analysis",
    workers: int = 4,
    heartbeat: float = 3.0,
) -> AsyncIterator[Running]:
    process = Running(bus, server.url, heartbeat=heartbeat)
    process.settling.subscriber(process.broker, durable, workers=workers)(handler)
    await process.broker.start()
    try:
        yield process
    finally:
        await process.stop()


async def empty(bus: Bus, stream: str) -> None:
    """Settling is not confirmed: the server does it a moment later."""
    async with asyncio.timeout(5):
        while (await bus.js.stream_info(stream)).state.messages:
            pass


async def in_flight(bus: Bus) -> int:
    """Ticks that are with a process, or on their way."""
    await bus.client.flush()
    info = await bus.js.consumer_info("CANARY_TICKS", "analysis")
    return int(info.num_ack_pending or 0)


async def letters(bus: Bus) -> list[dict[str, Any]]:
    state = (await bus.js.stream_info("CANARY_DLQ")).state
    if not state.messages:
        return []
    found = [await bus.js.get_msg("CANARY_DLQ", seq) for seq in range(state.first_seq, state.last_seq + 1)]
    return [{"subject": message.subject, **orjson.loads(message.data or b"")} for message in found]


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


async def test_a_slow_handler_keeps_its_message_by_signs_of_life(nats_server: NatsServer, bus: Bus) -> None:
    info = await bus.js.consumer_info("CANARY_TICKS", "analysis")
    await bus.js.add_consumer("CANARY_TICKS", info.config.evolve(ack_wait=0.3))
    runs = 0

    async def handler(message: Tick) -> None:
        nonlocal runs
        runs += 1
        await asyncio.sleep(1.2)

    async with running(nats_server, bus, handler, heartbeat=0.1) as process:
        await bus.publish(tick(), source="test")
        assert await process.outcome() == ("tick", "ack")
    assert runs == 1


async def test_one_worker_takes_one_message_after_the_other(nats_server: NatsServer, bus: Bus) -> None:
    async def handler(message: Tick) -> None: ...

    async with running(nats_server, bus, handler, workers=1) as process:
        for name in ("a", "b", "c"):
            await bus.publish(tick(name=name), source="test")
        assert [await process.outcome() for _ in range(3)] == [("tick", "ack")] * 3


async def test_a_slow_message_holds_up_no_other(nats_server: NatsServer, bus: Bus) -> None:
    release = asyncio.Event()

    async def handler(message: Tick) -> None:
        if message.name == "slow":
            await release.wait()

    async with running(nats_server, bus, handler, workers=2) as process:
        await bus.publish(tick(name="slow"), source="test")
        for number in range(5):
            await bus.publish(tick(name=f"quick{number}"), source="test")
        assert [await process.outcome() for _ in range(5)] == [("tick", "ack")] * 5
        release.set()
        assert await process.outcome() == ("tick", "ack")


async def test_on_stop_what_was_fetched_goes_to_another_process_at_once(nats_server: NatsServer, bus: Bus) -> None:
    begun: asyncio.Queue[str] = asyncio.Queue()

    async def stuck(message: Tick) -> None:
        begun.put_nowait(message.name)
        await asyncio.Event().wait()

    async def handler(message: Tick) -> None: ...

    async with running(nats_server, bus, stuck, workers=2) as first:
        for number in range(6):
            await bus.publish(tick(name=f"c{number}"), source="test")
        for _ in range(2):
            await asyncio.wait_for(begun.get(), 5)
        while await in_flight(bus) < 3:
            pass  # two at work and one that waits for a worker
        began = time.monotonic()
        await first.stop()
        async with running(nats_server, bus, handler) as second:
            assert [await second.outcome() for _ in range(6)] == [("tick", "ack")] * 6
        assert time.monotonic() - began < 5  # the ack wait is ten
    await empty(bus, "CANARY_TICKS")


async def test_a_message_that_went_back_before_its_turn_is_not_worked_on(nats_server: NatsServer, bus: Bus) -> None:
    begun: asyncio.Queue[str] = asyncio.Queue()
    release = asyncio.Event()

    async def handler(message: Tick) -> None:
        begun.put_nowait(message.name)
        await release.wait()

    async with running(nats_server, bus, handler, workers=2) as process:
        for name in ("a", "b", "c"):
            await bus.publish(tick(name=name), source="test")
        assert {await asyncio.wait_for(begun.get(), 5) for _ in range(2)} == {"a", "b"}
        while await in_flight(bus) < 3:
            pass
        await process.settling.stop()
        assert await process.outcome() == ("tick", "nak")
        release.set()
        assert [await process.outcome() for _ in range(2)] == [("tick", "ack")] * 2
    assert begun.empty()


_WORKER = """
import asyncio, sys
from faststream.nats import NatsBroker
from handlers.adapters.bus import connection_options
from handlers.adapters.settling import Settling, broker_options
from schemas.settings import Settings

async def main():
    settling = Settling(None)
    options = connection_options(Settings(nats_url=(sys.argv[1],)), "worker")
    broker = NatsBroker(**broker_options(options), middlewares=[settling])
    async def handler(message):
        print("begun", flush=True)
        await asyncio.sleep(3600)
    settling.subscriber(broker, "analysis", workers=1)(handler)
    await broker.start()
    await asyncio.sleep(3600)

asyncio.run(main())
"""


async def test_the_message_of_a_killed_process_comes_again_within_the_ack_wait(
    nats_server: NatsServer, bus: Bus
) -> None:
    info = await bus.js.consumer_info("CANARY_TICKS", "analysis")
    await bus.js.add_consumer("CANARY_TICKS", info.config.evolve(ack_wait=1.0))
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _WORKER, nats_server.url, stdout=asyncio.subprocess.PIPE
    )
    assert worker.stdout
    try:
        await bus.publish(tick(), source="test")
        assert await asyncio.wait_for(worker.stdout.readline(), 20) == b"begun\n"
    finally:
        os.kill(worker.pid, signal.SIGKILL)
        await worker.wait()

    async def handler(message: Tick) -> None: ...

    async with running(nats_server, bus, handler) as process:
        assert await process.outcome() == ("tick", "ack")


async def test_a_consumer_deleted_at_run_time_is_told_and_goes_on_when_it_is_there_again(
    nats_server: NatsServer, bus: Bus, caplog: pytest.LogCaptureFixture
) -> None:
    seen: asyncio.Queue[Tick] = asyncio.Queue()

    async def handler(message: Tick) -> None:
        await seen.put(message)

    async with running(nats_server, bus, handler):
        await bus.js.delete_stream("CANARY_TICKS")
        assert await bus.unready(["analysis"]) == "no such consumer: CANARY_TICKS/analysis"
        before = time.process_time()
        await asyncio.sleep(0.5)  # long enough to see a loop that spins
        assert time.process_time() - before < 0.3
        await provision(bus.js)
        assert await bus.unready(["analysis"]) is None
        await bus.publish(tick(), source="test")
        assert await asyncio.wait_for(seen.get(), 10) == tick()
    assert [record.message for record in caplog.records if "fetched" in record.message] != []


async def test_work_goes_on_after_the_server_was_killed_and_started_again(nats_server: NatsServer, bus: Bus) -> None:
    seen = {name: asyncio.Event() for name in ("before", "after")}

    async def handler(message: Tick) -> None:
        seen[message.name].set()

    async with running(nats_server, bus, handler):
        await bus.publish(tick(name="before"), source="test")
        await asyncio.wait_for(seen["before"].wait(), 5)
        nats_server.kill()
        nats_server.start()
        client = await nats_server.connect()
        await Bus(client).publish(tick(name="after"), source="test")
        await client.close()
        await asyncio.wait_for(seen["after"].wait(), 15)


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
    assert of(Invalid("x"), "tick") == Outcome("term", dead_letter=True)
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
