"""Looks at the Canaries in line and publishes what is new about them."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from handlers.adapters.errors import AdapterError, TransientError
from handlers.adapters.kube import Kube
from schemas.canary import Canary
from schemas.events import Change, ChangeReason, Message
from watcher.compare import Cause, gone_cause
from watcher.fleet import Fleet, Record
from watcher.look import Look
from watcher.metrics import WatcherMetrics

SOURCE = "canarybus-watcher"

_log = logging.getLogger("watcher.announce")
_FIRST_DELAY, _LONGEST_DELAY = 0.5, 30.0


class Publisher(Protocol):
    async def publish(self, message: Message, *, source: str) -> bool: ...


class Announcer:
    """``lost`` is called when the bus does not take a message: a stream may be missing."""

    def __init__(
        self,
        fleet: Fleet,
        kube: Kube,
        bus: Publisher,
        metrics: WatcherMetrics,
        lost: Callable[[], None],
        bus_ready: asyncio.Event,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._fleet = fleet
        self._kube = kube
        self._bus = bus
        self._metrics = metrics
        self._lost = lost
        self._bus_ready = bus_ready
        self._now = now

    async def run(self) -> None:
        """Until cancelled. Several may run: each Canary is looked at by one at a time."""
        while True:
            await self._bus_ready.wait()
            uid = await self._fleet.next()
            record = self._fleet.records.get(uid)
            if record is None:
                await self._farewell(uid)
                continue
            if record.busy:  # another worker is at it and may have read before this change
                record.again = True
                continue
            record.busy = True
            try:
                await self._look(uid, record)
            finally:
                record.busy = False
            if record.again:
                record.again = False
                self._fleet.enqueue(uid)

    async def _farewell(self, uid: str) -> None:
        """A Canary that is gone is told of once, by what it left; one that nobody here can read, by its name."""
        if (strange := self._fleet.unreadable.pop(uid, None)) is not None:
            await self._unreadable(uid, strange)
        canary = self._fleet.departed.pop(uid, None)
        cause = gone_cause(canary) if canary else None
        if canary is None or cause is None:
            return
        try:
            await self.publish(cause.change(canary))
        except AdapterError:
            self._fleet.departed[uid] = canary
            self._fleet.enqueue_later(uid, _FIRST_DELAY)

    async def _unreadable(self, uid: str, canary: Canary) -> None:
        place = {"namespace": canary.ref.namespace, "name": canary.ref.name, "object": f"Canary/{canary.ref.name}"}
        try:
            await self.publish(Change(uid=uid, reason=ChangeReason.SPEC, version="unreadable", **place))
        except AdapterError:
            self._fleet.unreadable[uid] = canary
            self._fleet.enqueue_later(uid, _FIRST_DELAY)

    async def _look(self, uid: str, record: Record) -> None:
        moved, record.moved = record.moved, {}
        look = Look(self._fleet, self._kube, self._metrics, record, moved, self._now())
        try:
            for cause in await look.causes():
                await self._say(record, cause)
        except Exception as error:
            record.moved = {**record.moved, **moved}
            self._again(uid, record, error)
        else:
            record.failures = 0
            look.remember()

    def _again(self, uid: str, record: Record, error: Exception) -> None:
        """Later. An object that nobody can read is told with its stack, and stands in the way of its Canary alone."""
        record.failures += 1
        delay = min(_LONGEST_DELAY, _FIRST_DELAY * 2 ** min(record.failures, 10))
        if isinstance(error, TransientError) and error.delay is not None:
            delay = max(delay, error.delay)
        if record.failures == 1:
            fields = {"canary": str(record.watched.ref), "error": str(error)}
            ours = None if isinstance(error, AdapterError) else error
            _log.warning("a change was not announced; trying again", extra=fields, exc_info=ours)
        self._fleet.enqueue_later(uid, delay * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load

    async def _say(self, record: Record, cause: Cause) -> None:
        place = (cause.reason.value, cause.object)
        if record.said.get(place) == cause.basis:
            return
        await self.publish(cause.change(record.watched))
        record.said[place] = cause.basis

    async def publish(self, change: Change) -> None:
        """Raises :class:`AdapterError` when the bus did not take it."""
        try:
            await self._bus.publish(change, source=SOURCE)
        except AdapterError:
            self._metrics.publish_errors.labels("change").inc()
            self._lost()
            raise
        self._metrics.changes.labels(change.reason.value).inc()
        self._metrics.published()
        fields = {"canary": str(change.ref), "reason": change.reason.value, "object": change.object}
        _log.info("change", extra=fields | {"version": change.version})
