"""What the watcher counts. Labels are kinds and reasons, never a canary: their number must not grow with the fleet."""

from __future__ import annotations

import time
from collections import Counter as Counts
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge

from schemas.status import Phase


class WatcherMetrics:
    def __init__(self, registry: CollectorRegistry, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.ticks = Counter("canarybus_watcher_ticks", "Ticks published.", registry=registry)
        self.changes = Counter("canarybus_watcher_changes", "Changes published.", ["reason"], registry=registry)
        self.publish_errors = Counter(
            "canarybus_watcher_publish_errors", "Messages that the bus did not take.", ["kind"], registry=registry
        )
        self.reads = Counter(
            "canarybus_watcher_reads", "Objects read because they moved and matter.", ["kind"], registry=registry
        )
        self.watch_restarts = Counter(
            "canarybus_watcher_watch_restarts", "Watches begun again, by cause.", ["kind", "cause"], registry=registry
        )
        self._canaries = Gauge("canarybus_watcher_canaries", "Canaries known, by phase.", ["phase"], registry=registry)
        self._age = Gauge(
            "canarybus_watcher_seconds_since_publish",
            "Seconds since the bus last took a message; -1 before the first.",
            registry=registry,
        )
        self._last_publish: float | None = None
        self._age.set_function(self.seconds_since_publish)

    def published(self) -> None:
        self._last_publish = self._clock()

    def seconds_since_publish(self) -> float:
        return -1.0 if self._last_publish is None else self._clock() - self._last_publish

    def count_phases(self, phases: Callable[[], Iterable[Phase]]) -> None:
        """``phases`` is asked at each scrape: one for every Canary known."""

        def number_in(phase: Phase) -> Callable[[], float]:
            return lambda: float(Counts(phases())[phase])

        for phase in Phase:
            self._canaries.labels(phase.value or "New").set_function(number_in(phase))
