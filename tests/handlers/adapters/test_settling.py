"""How messages are settled, on a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from faststream.nats import NatsBroker

from handlers.adapters.bus import Bus, connection_options
from handlers.adapters.settling import Settling, broker_options
from schemas.events import DeadLetter, Tick
from schemas.settings import Settings
from tests.handlers.adapters.natsserver import NatsServer

Handler = Callable[[Tick], Awaitable[None]]


def tick(name: str = "podinfo", second: int = 0) -> Tick:
    return Tick(namespace="test", name=name, uid=name, slot=datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC), interval=10)


@asynccontextmanager
async def running(
    server: NatsServer, bus: Bus, handler: Handler, *, workers: int = 4, heartbeat: float = 3.0
) -> AsyncIterator[tuple[Settling, NatsBroker]]:
    async def dead_letter(letter: DeadLetter) -> None:
        await bus.publish(letter, source="test")

    settling = Settling(dead_letter, heartbeat=heartbeat)
    options = connection_options(Settings(nats_url=(server.url,)), "test")
    broker = NatsBroker(**broker_options(options), middlewares=[settling])
    settling.subscriber(broker, "analysis", workers=workers)(handler)
    await broker.start()
    try:
        yield settling, broker
    finally:
        await settling.stop()
        await broker.stop()


async def test_a_handled_tick_is_gone_from_the_stream(nats_server: NatsServer, bus: Bus) -> None:
    seen: asyncio.Queue[Tick] = asyncio.Queue()

    async def handler(message: Tick) -> None:
        await seen.put(message)

    async with running(nats_server, bus, handler):
        await bus.publish(tick(), source="test")
        assert await asyncio.wait_for(seen.get(), 5) == tick()
    info = await bus.js.stream_info("CANARY_TICKS")
    assert info.state.messages == 0
