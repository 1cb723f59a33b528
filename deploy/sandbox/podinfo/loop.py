"""An event loop for one that needs little: asyncio takes 3 MB more and several times as long."""

from __future__ import annotations

import heapq
import selectors
import signal
import socket
import time
from collections.abc import Callable
from itertools import count

CHUNK = 64 * 1024


class Loop:
    """What happens when a socket can be read or written, when a time has come, and when a signal arrives."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._over = False
        awake, self._waker = socket.socketpair()
        for end in (awake, self._waker):
            end.setblocking(False)
        self._awake = awake
        self.watch(awake, selectors.EVENT_READ, self._wake)

    def _wake(self, _: int) -> None:
        """A signal has come; its handler has run already."""
        self._awake.recv(CHUNK)

    def watch(self, where: socket.socket, events: int, act: Callable[[int], None]) -> None:
        """``act`` is called with the events that have come, until :meth:`forget`."""
        try:
            self._selector.modify(where, events, act)
        except KeyError:
            self._selector.register(where, events, act)

    def forget(self, where: socket.socket) -> None:
        self._selector.unregister(where)

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._numbers), act))

    def on_signal(self, number: signal.Signals, act: Callable[[], None]) -> None:
        signal.signal(number, lambda *_: self.after(0, act))
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)

    def stop(self) -> None:
        self._over = True

    def run(self) -> None:
        """Until :meth:`stop`."""
        while not self._over:
            wait = max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None
            for key, events in self._selector.select(wait):
                key.data(events)
            while self._timers and self._timers[0][0] <= time.monotonic() and not self._over:
                heapq.heappop(self._timers)[2]()
