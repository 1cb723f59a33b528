"""Messages survive slow handlers, stops, kills and deleted consumers, on a real server."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time

import pytest

from handlers.adapters.bus import Bus, provision
from schemas.events import Tick
from tests.handlers.adapters.natsserver import NatsServer
from tests.handlers.adapters.process import empty, in_flight, running, tick


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
        await worker.communicate()

    async def handler(message: Tick) -> None: ...

    async with running(nats_server, bus, handler) as process:
        assert await process.outcome() == ("tick", "ack")


async def test_a_consumer_deleted_at_run_time_is_told_and_goes_on_when_it_is_there_again(
    nats_server: NatsServer, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: asyncio.Queue[Tick] = asyncio.Queue()

    async def handler(message: Tick) -> None:
        await seen.put(message)

    told: asyncio.Queue[str] = asyncio.Queue()
    listener = logging.Handler()
    listener.emit = lambda record: told.put_nowait(record.getMessage())  # type: ignore[method-assign]
    monkeypatch.setattr(logging.getLogger("handlers.adapters.settling.pull"), "handlers", [listener])

    async with running(nats_server, bus, handler):
        await bus.js.delete_stream("CANARY_TICKS")
        assert await bus.unready(["analysis"]) == "no such consumer: CANARY_TICKS/analysis"
        assert await asyncio.wait_for(told.get(), 10) == "no messages can be fetched, trying again"
        before = time.process_time()
        await asyncio.sleep(0.5)  # long enough to see a loop that spins
        assert time.process_time() - before < 0.3
        assert told.empty()
        await provision(bus.js)
        assert await bus.unready(["analysis"]) is None
        await bus.publish(tick(), source="test")
        assert await asyncio.wait_for(seen.get(), 10) == tick()


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
