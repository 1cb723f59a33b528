"""The map of the house: settings -> adapters -> broker -> subscribers."""

from __future__ import annotations

import asyncio
import importlib.metadata
import logging
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from typing import Self

import httpx
from faststream.nats import NatsBroker
from faststream.nats.annotations import NatsMessage

from handlers import analysis, bootstrap, command
from handlers.adapters.alerts import Alerts
from handlers.adapters.bus import Bus, connection_options
from handlers.adapters.errors import AdapterError, Forbidden
from handlers.adapters.kube import Kube, find_access
from handlers.adapters.metrics import Providers
from handlers.adapters.metrics.http import LIMITS
from handlers.adapters.outcomes import Outcomes
from handlers.adapters.settling import Settling, broker_options
from handlers.adapters.telemetry import Metrics, Probes
from handlers.adapters.webhooks import Webhooks
from handlers.addressees import Addressees
from handlers.advance import Advance
from handlers.alerting import Alerting
from handlers.api import Api
from handlers.ask import Asker
from handlers.core.definitions import NAME, definition_problem
from handlers.measure import Measurer
from handlers.notify import SOURCE, Notifier
from schemas.canary import Canary
from schemas.events import Change, Command, DeadLetter, NoticeMessage, StepResult, Tick
from schemas.resources import CANARY, CUSTOM_RESOURCE_DEFINITION, MANAGER
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
        self._bus: Bus | None = None
        self._defined = False
        self.durables = tuple(durable for name in self._names for durable in DURABLES[name])
        self.metrics = Metrics()
        self.outcomes = Outcomes(self.metrics.registry)
        self.port = 0
        """Of the probes, once started."""

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
        probes = Probes(self.metrics.registry, {"bus": self._bus_unready, "kubernetes": self._kubernetes_unready})
        self.port = await probes.start(self._settings.port)
        self._stack.push_async_callback(probes.stop)
        self.kube = await self._stack.enter_async_context(
            Kube(await find_access(), user_agent=f"{MANAGER}/{VERSION}", tell=self.metrics.api_call)
        )
        await self._definitions()
        settling = Settling(self._dead_letter, self.metrics.message)
        options = broker_options(connection_options(self._settings, "canarybus-handlers"))
        broker = NatsBroker(**options, middlewares=[settling], logger=None)
        await broker.connect()
        self._stack.push_async_callback(broker.stop)
        self._bus = self.bus = Bus(broker.connection)
        await self._wire(broker, settling)
        await self._consumers()
        await broker.start()
        self._stack.push_async_callback(settling.stop)
        forgetting = asyncio.create_task(self._forget(), name="forgetting")
        self._stack.push_async_callback(_ended, forgetting)
        if "command" in self._names:
            shortest = self._settings.min_interval
            api = Api(broker.connection, self.advance, self.addressees, VERSION, shortest)
            await self._stack.enter_async_context(api)
        log.info("handlers are ready", extra={"handlers": list(self._names), "version": VERSION, "port": self.port})

    async def _wire(self, broker: NatsBroker, settling: Settling) -> None:
        """Adapters into decisions, decisions into subscribers."""
        bus = broker.connection
        hooks, metrics, chats = [await self._stack.enter_async_context(client) for client in http_clients(3)]
        webhooks, providers, alerts = Webhooks(hooks, bus), Providers(metrics, self.kube, bus), Alerts(chats)
        for adapter in (webhooks, providers, alerts):
            self._stack.push_async_callback(adapter.close)
        asker = Asker(Measurer(self.kube, providers, self._settings), webhooks)
        self.addressees = Addressees(self.kube, self._settings)
        self.advance = Advance(
            self.kube, self.bus, asker, self._settings, timed=self.metrics.step, count=self.outcomes.step
        )
        alerting = Alerting(self.kube, alerts, self._settings, self.outcomes.alert)
        notifier = Notifier(self.kube, self.bus, webhooks, alerting, self._settings.event_webhook)
        self._subscribe(broker, settling, notifier)

    async def _definitions(self) -> None:
        """Wait for a definition that keeps our status: without it every step would be forgotten."""
        told = ""
        while problem := await self._definition_problem():
            if problem != told:
                log.error(problem)
                told = problem
            await asyncio.sleep(2)
        self._defined = True

    async def _definition_problem(self) -> str:
        try:
            return definition_problem(await self.kube.find(CUSTOM_RESOURCE_DEFINITION, "", NAME))
        except Forbidden as error:
            # a role without this right is no reason to stand still
            log.warning("the definitions cannot be checked", extra={"error": str(error)})
            return ""
        except AdapterError as error:
            return str(error)

    async def _consumers(self) -> None:
        """The watcher makes streams and consumers; whoever comes first waits."""
        told = ""
        while missing := await self.bus.unready(self.durables):
            if missing != told:
                log.info("waiting for the bus", extra={"missing": missing})
                told = missing
            await asyncio.sleep(0.5)

    async def _forget(self) -> None:
        """A Canary's series end with it: whoever counted for it need not be who heard that it went."""
        while True:
            await asyncio.sleep(self._settings.resync)
            with suppress(AdapterError):
                known: set[tuple[str, str]] = set()
                for namespace in self._settings.namespaces or (None,):
                    found, _ = await self.kube.list(CANARY, namespace)
                    known |= {(canary.target, canary.ref.namespace) for canary in Canary.readable(found)}
                self.outcomes.forget(known)

    async def _bus_unready(self) -> str | None:
        return await self._bus.unready(self.durables) if self._bus else "not connected to NATS"

    async def _kubernetes_unready(self) -> str | None:
        if not self._defined:
            return "waiting for the API server and a definition of Canary that keeps our status; the log says more"
        try:
            await self.kube.raw("/version")
        except AdapterError as error:
            return str(error)
        return None

    async def _dead_letter(self, letter: DeadLetter) -> None:
        await self.bus.publish(letter, source=SOURCE)

    def _subscribe(self, broker: NatsBroker, settling: Settling, notifier: Notifier) -> None:
        advance, workers = self.advance, self._settings.workers

        async def on_tick(message: Tick) -> None:
            self.metrics.tick((datetime.now(UTC) - message.slot).total_seconds())
            await analysis.on_tick(advance, message)

        async def on_change(message: Change) -> None:
            await bootstrap.on_change(advance, message)

        async def on_command(message: Command) -> None:
            await command.on_command(advance, self.addressees, self.bus, message)

        async def on_result(message: StepResult) -> None:
            await notifier.on_result(message)

        async def on_notice(message: NoticeMessage, received: NatsMessage) -> None:
            told = received.raw_message.metadata
            age = (datetime.now(UTC) - told.timestamp).total_seconds()
            await notifier.on_notice(message, deliveries=told.num_delivered, age=age)

        for durable, handler in (
            ("analysis", on_tick),
            ("bootstrap", on_change),
            ("command", on_command),
            ("notify", on_result),
            ("notices", on_notice),
        ):
            if durable in self.durables:
                settling.subscriber(broker, durable, workers=workers)(handler)


def http_clients(count: int) -> list[httpx.AsyncClient]:
    """One for each kind of call, so that none waits for another's connections.

    They share one context: httpx would load everybody's certificates again for each, and each proxy, 2 MB every time.
    """
    trusted = httpx.create_ssl_context()
    return [httpx.AsyncClient(follow_redirects=True, verify=trusted, limits=LIMITS) for _ in range(count)]


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
