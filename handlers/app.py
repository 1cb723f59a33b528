"""The map of the house: settings -> adapters -> broker -> subscribers."""

from __future__ import annotations

import importlib.metadata
import logging
from contextlib import AsyncExitStack
from typing import Self

import httpx
from faststream.nats import NatsBroker

from handlers import analysis, bootstrap, command
from handlers.adapters.bus import Bus, connection_options
from handlers.adapters.kube import Kube, find_access
from handlers.adapters.prometheus import Prometheus
from handlers.adapters.settling import Settling, broker_options
from handlers.adapters.webhooks import Webhooks
from handlers.advance import SOURCE, Advance
from handlers.ask import Asker
from handlers.notify import Notifier
from schemas.events import Change, Command, DeadLetter, NoticeMessage, StepResult, Tick
from schemas.settings import Settings

log = logging.getLogger("canarybus.handlers")
VERSION = importlib.metadata.version("canarybus")
DURABLES = {
    "analysis": ("analysis",),
    "bootstrap": ("bootstrap",),
    "command": ("command",),
    "notify": ("notify", "notices"),
}
"""Which consumers each handler of ``CANARYBUS_HANDLERS`` reads."""


class App:
    """The handlers of one process; use as an async context manager. Leaving lets messages in work finish."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._names = settings.handlers or tuple(DURABLES)
        self._stack = AsyncExitStack()
        self.durables = tuple(durable for name in self._names for durable in DURABLES[name])

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _start(self) -> None:
        enter = self._stack.enter_async_context
        settings = self._settings
        self.kube = await enter(Kube(await find_access(), user_agent=f"canarybus-handlers/{VERSION}"))
        http = await enter(httpx.AsyncClient(follow_redirects=True))
        settling = Settling(self._dead_letter)
        options = broker_options(connection_options(settings, "canarybus-handlers"))
        broker = NatsBroker(**options, middlewares=[settling])
        await broker.connect()
        self._stack.push_async_callback(broker.stop)
        self.bus = Bus(broker.connection)
        webhooks = Webhooks(http)
        self._stack.push_async_callback(webhooks.close)
        prometheus = Prometheus(http)
        self._stack.push_async_callback(prometheus.close)
        self.advance = Advance(self.kube, self.bus, Asker(self.kube, webhooks, prometheus, settings), settings)
        self._subscribe(broker, settling, Notifier(self.kube, self.bus, webhooks))
        await broker.start()
        self._stack.push_async_callback(settling.stop)
        if "command" in self._names:
            service = await command.serve(broker.connection, self.advance, VERSION)
            self._stack.push_async_callback(service.stop)
        log.info("handlers are ready", extra={"handlers": list(self._names), "version": VERSION})

    async def _dead_letter(self, letter: DeadLetter) -> None:
        await self.bus.publish(letter, source=SOURCE)

    def _subscribe(self, broker: NatsBroker, settling: Settling, notifier: Notifier) -> None:
        advance, workers = self.advance, self._settings.workers

        async def on_tick(message: Tick) -> None:
            await analysis.on_tick(advance, message)

        async def on_change(message: Change) -> None:
            await bootstrap.on_change(advance, message)

        async def on_command(message: Command) -> None:
            await command.on_command(advance, message)

        async def on_result(message: StepResult) -> None:
            await notifier.on_result(message)

        async def on_notice(message: NoticeMessage) -> None:
            await notifier.on_notice(message)

        for durable, handler in (
            ("analysis", on_tick),
            ("bootstrap", on_change),
            ("command", on_command),
            ("notify", on_result),
            ("notices", on_notice),
        ):
            if durable in self.durables:
                settling.subscriber(broker, durable, workers=workers)(handler)

    async def unready(self) -> str | None:
        """What keeps this process from working, in words."""
        return await self.bus.unready(self.durables)
