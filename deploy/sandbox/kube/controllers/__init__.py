"""What makes objects come true: each controller is told of changes and brings one object in step at a time.

`Runner` gathers the keys, calls `sync` from the event loop soon after the write that caused it (never inside
it, so a client sees its own write first), and again when a controller asks to be called later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

from deploy.sandbox.kube.cluster import Cluster
from deploy.sandbox.kube.errors import StatusError
from deploy.sandbox.kube.store import Change, Key

AT_ONCE = 50  # objects brought in step before requests get their turn
RETRY = 0.05  # seconds, after a write that lost against another


class Controller(Protocol):
    """`resources` are those whose changes it wants to hear of."""

    @property
    def resources(self) -> tuple[str, ...]: ...

    def keys(self, change: Change) -> Iterable[Key]:
        """The objects of this controller that a change may concern."""
        ...

    def sync(self, key: Key) -> float | None:
        """Bring one object in step; the seconds after which to look again, if there is a reason to."""
        ...


class Runner:
    """Runs controllers on the event loop."""

    def __init__(self, cluster: Cluster, after: Callable[[], None]) -> None:
        self.cluster = cluster
        self._after = after
        self._waiting: dict[tuple[Controller, Key], None] = {}
        self._timers: set[asyncio.TimerHandle] = set()
        self._scheduled = False
        self._stopped = False

    def start(self, controllers: Iterable[Controller]) -> None:
        self.cluster.store.listen("*", lambda _: self._schedule())
        for controller in controllers:
            for resource in controller.resources:
                self.cluster.store.listen(resource, self._listener(controller))

    def stop(self) -> None:
        self._stopped = True
        self._waiting.clear()
        for timer in self._timers:
            timer.cancel()

    def _listener(self, controller: Controller) -> Callable[[Change], None]:
        def hear(change: Change) -> None:
            for key in controller.keys(change):
                self._waiting[controller, key] = None

        return hear

    def _schedule(self) -> None:
        if not self._scheduled and not self._stopped:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._work)

    def _work(self) -> None:
        self._scheduled = False
        if self._stopped:
            return
        self._after()
        for _ in range(min(AT_ONCE, len(self._waiting))):
            controller, key = next(iter(self._waiting))
            del self._waiting[controller, key]
            self._sync(controller, key)
        self._after()
        if self._waiting:
            self._schedule()

    def _sync(self, controller: Controller, key: Key) -> None:
        try:
            delay = controller.sync(key)
        except StatusError as refusal:
            delay = RETRY if refusal.code in (409, 404) else None
        if delay is not None:
            self._later(delay, controller, key)

    def _later(self, delay: float, controller: Controller, key: Key) -> None:
        def again() -> None:
            self._timers.discard(timer)
            self._waiting[controller, key] = None
            self._schedule()

        timer = asyncio.get_running_loop().call_later(delay, again)
        self._timers.add(timer)
