"""The watcher's parts, put together: watches -> fleet -> announcements and ticks -> bus."""

from __future__ import annotations

import asyncio
import importlib.metadata
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import nats.errors
from nats.aio.client import Client
from prometheus_client import CollectorRegistry

from handlers.adapters.bus import Bus, connection_options
from handlers.adapters.kube import Kube
from handlers.adapters.round_trip import round_trip
from handlers.adapters.telemetry import Check
from schemas.resources import (
    CANARY,
    CONFIG_MAP,
    DAEMON_SET,
    DEPLOYMENT,
    HORIZONTAL_POD_AUTOSCALER,
    ROUTE_TABLE,
    SCALED_OBJECT,
    SECRET,
    SERVICE,
    UPSTREAM,
)
from schemas.settings import Settings
from watcher.announce import Announcer
from watcher.fleet import Fleet
from watcher.metrics import WatcherMetrics
from watcher.provision import CHECK_EVERY, Provisioning
from watcher.schedule import milliseconds
from watcher.series import FleetSeries
from watcher.stream import Stream
from watcher.ticker import Ticker

_log = logging.getLogger("watcher")
_CONFIGS = (CONFIG_MAP, SECRET)
_AROUND = (
    DEPLOYMENT,
    DAEMON_SET,
    SERVICE,
    ROUTE_TABLE,
    UPSTREAM,
    HORIZONTAL_POD_AUTOSCALER,
    SCALED_OBJECT,
    *_CONFIGS,
)
_READERS = 8
"""Canaries that are looked at at a time; each waits for one object or for the bus."""


class ConnectionLostError(Exception):
    """The client of the bus has closed itself for good, which it does only when it is refused."""


class Connection:
    """The client of the bus. It never gives up; ``connected`` tells whether it is there just now.

    ``on_change`` is called when it has come or gone.
    """

    def __init__(self, settings: Settings) -> None:
        self.on_change: Callable[[], None] = lambda: None
        self.client = Client()
        self.connected = asyncio.Event()
        self._options = connection_options(settings, "canarybus-watcher")
        self._closed = asyncio.Event()
        self._last_error = ""
        self._closing = False

    async def run(self) -> None:
        """Until cancelled. Raises :class:`ConnectionLostError`."""
        await self.client.connect(
            **(self._options | {"error_cb": self._failed}),
            disconnected_cb=self._disconnected,
            reconnected_cb=self._reconnected,
            closed_cb=self._was_closed,
        )
        await self._reconnected()
        await self._closed.wait()
        raise ConnectionLostError(self._last_error or "closed by the server")

    async def close(self) -> None:
        """What was published is sent before."""
        self._closing = True
        with suppress(nats.errors.Error, OSError):
            if self.client.is_connected:
                await round_trip(self.client, timeout=1)
        with suppress(nats.errors.Error, OSError):
            await self.client.close()

    async def check(self) -> str | None:
        return None if self.connected.is_set() else f"not connected to NATS: {self._last_error or 'connecting'}"

    async def _reconnected(self) -> None:
        self._last_error = ""
        self.connected.set()
        self.on_change()
        _log.info(
            "connected to NATS", extra={"server": str(self.client.connected_url and self.client.connected_url.netloc)}
        )

    async def _disconnected(self) -> None:
        self.connected.clear()
        self.on_change()
        if not self._closing:
            _log.warning("disconnected from NATS")

    async def _was_closed(self) -> None:
        self.connected.clear()
        self._closed.set()

    async def _failed(self, error: Exception) -> None:
        text = str(error) or type(error).__name__
        if text != self._last_error:
            _log.warning("NATS: %s", text)
        self._last_error = text


class Watcher:
    """``checks`` say why it is not ready, by name. ``check_every`` in seconds: how often the streams are looked for."""

    def __init__(
        self,
        settings: Settings,
        kube: Kube,
        registry: CollectorRegistry,
        *,
        update_streams: bool = False,
        check_every: float = CHECK_EVERY,
    ) -> None:
        self.connection = Connection(settings)
        self.metrics = WatcherMetrics(registry)
        self.fleet = Fleet(settings, _now)
        self.metrics.count_phases(self.fleet.phases)
        registry.register(FleetSeries(self.fleet.canaries, importlib.metadata.version("canarybus"), settings.provider))
        bus = Bus(self.connection.client)
        self.provisioning = Provisioning(
            bus,
            settings.nats_replicas,
            self.connection.connected,
            self.fleet.forget_what_was_said,
            update=update_streams,
            every=check_every,
        )
        self.connection.on_change = self.provisioning.doubt
        self.streams = list(_streams(settings, kube, self.fleet, self.metrics))
        self._announcer = Announcer(
            self.fleet, kube, bus, self.metrics, self.provisioning.hurry, self.provisioning.there
        )
        self._ticker = Ticker(self.fleet, bus, self._announcer, self.metrics, self.provisioning.there, _now)

    @property
    def checks(self) -> Mapping[str, Check]:
        return {"nats": self.connection.check, "streams": self._streams_are_there, "watches": self._all_listed}

    async def ready(self) -> None:
        """Returns when every check is passed for the first time."""
        await self.provisioning.there.wait()
        for stream in self.streams:
            await stream.listed.wait()

    async def run(self) -> None:
        """Until cancelled; what is published is sent before it returns."""
        parts: list[Any] = [self.connection, self.provisioning, self._ticker, *self.streams]
        parts += [self._announcer] * _READERS
        tasks = [asyncio.create_task(part.run(), name=type(part).__name__) for part in parts]
        try:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
        finally:
            await _end(tasks)
            await self.connection.close()

    async def _streams_are_there(self) -> str | None:
        return self.provisioning.trouble

    async def _all_listed(self) -> str | None:
        behind = [f"{stream.place}: {stream.trouble}" for stream in self.streams if not stream.listed.is_set()]
        return "; ".join(behind) or None


def _streams(settings: Settings, kube: Kube, fleet: Fleet, metrics: WatcherMetrics) -> list[Stream]:
    around = [resource for resource in _AROUND if settings.config_tracking or resource not in _CONFIGS]
    found = []
    for namespace in settings.namespaces or (None,):
        found.append(Stream(kube, CANARY, namespace, fleet, metrics, whole=True))
        found += [
            Stream(kube, resource, namespace, fleet, metrics, optional=resource is SCALED_OBJECT) for resource in around
        ]
    return found


async def _end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancels until they end: the client of the bus swallows a cancellation that meets an answer."""
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=0.2)


def _now() -> int:
    return milliseconds(datetime.now(UTC))
