"""A process's part of the bus, for tests of settling."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import orjson
from faststream.nats import NatsBroker

from handlers.adapters.bus import Bus, connection_options
from handlers.adapters.round_trip import round_trip
from handlers.adapters.settling import Settling, broker_options
from schemas.events import Change, ChangeReason, DeadLetter, Tick
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
    await round_trip(bus.client)
    info = await bus.js.consumer_info("CANARY_TICKS", "analysis")
    return int(info.num_ack_pending or 0)


async def letters(bus: Bus) -> list[dict[str, Any]]:
    state = (await bus.js.stream_info("CANARY_DLQ")).state
    if not state.messages:
        return []
    found = [await bus.js.get_msg("CANARY_DLQ", seq) for seq in range(state.first_seq, state.last_seq + 1)]
    return [{"subject": message.subject, **orjson.loads(message.data or b"")} for message in found]
