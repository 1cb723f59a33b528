"""Publishes what is due: ticks of the Canaries that move, and resyncs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from handlers.adapters.errors import AdapterError
from schemas.events import Tick
from watcher.announce import SOURCE, Announcer, Publisher
from watcher.compare import resync_cause
from watcher.fleet import Fleet
from watcher.metrics import WatcherMetrics
from watcher.schedule import Slot

_log = logging.getLogger("watcher.ticker")
_GATHER = 0.02
"""Seconds between two rounds at least: what falls due together is sent together, a third of the CPU for a big fleet."""
_LONGEST_WAIT = 5.0
"""Seconds: the wall clock may be set while we sleep by the monotonic one."""


class Ticker:
    """``now`` gives milliseconds since the epoch. While ``bus_ready`` is not set, slots pass by and only the latest of
    each Canary is published afterwards: the weight holds, and no queue of the past builds up."""

    def __init__(
        self,
        fleet: Fleet,
        bus: Publisher,
        announcer: Announcer,
        metrics: WatcherMetrics,
        bus_ready: asyncio.Event,
        now: Callable[[], int],
    ) -> None:
        self._fleet = fleet
        self._bus = bus
        self._announcer = announcer
        self._metrics = metrics
        self._bus_ready = bus_ready
        self._now = now

    async def run(self) -> None:
        """Until cancelled."""
        loop, last = asyncio.get_running_loop(), 0.0
        while True:
            await self._bus_ready.wait()
            if (early := last + _GATHER - loop.time()) > 0:
                await asyncio.sleep(early)
            last = loop.time()
            self._fleet.scheduled.clear()
            for slot in self._fleet.ticks.due(self._now()):
                await self._tick(slot)
            for slot in self._fleet.resyncs.due(self._now()):
                await self._resync(slot)
            try:
                async with asyncio.timeout(self._wait()):
                    await self._fleet.scheduled.wait()
            except TimeoutError:
                continue

    def _wait(self) -> float:
        starts = [start for start in (self._fleet.ticks.next_start(), self._fleet.resyncs.next_start()) if start]
        return min([_LONGEST_WAIT, *(max(0.0, (start - self._now()) / 1000) for start in starts)])

    async def _tick(self, slot: Slot) -> None:
        record = self._fleet.records.get(slot.uid)
        if record is None:  # deleted while others were published
            return
        canary = record.watched
        tick = Tick(
            namespace=canary.ref.namespace,
            name=canary.ref.name,
            uid=slot.uid,
            slot=slot.moment,
            interval=slot.interval / 1000,
        )
        try:
            await self._bus.publish(tick, source=SOURCE)
        except AdapterError as error:  # the next slot brings the next one
            self._metrics.publish_errors.labels("tick").inc()
            _log.warning("a tick was not published", extra={"canary": str(canary.ref), "error": str(error)})
        else:
            self._metrics.ticks.inc()
            self._metrics.published()

    async def _resync(self, slot: Slot) -> None:
        record = self._fleet.records.get(slot.uid)
        if record is None:
            return
        canary = record.watched
        try:
            await self._announcer.publish(resync_cause(canary, slot.start).change(canary))
        except AdapterError as error:
            _log.warning("a resync was not published", extra={"canary": str(canary.ref), "error": str(error)})
