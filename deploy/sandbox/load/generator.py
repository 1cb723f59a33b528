"""A constant stream of requests, as many users make it: hardly anybody waits for the others' answers."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple, Self

from deploy.sandbox.load.client import Answer, Client
from deploy.sandbox.load.counts import Counts

_SHORTEST_REST = 0.002
"""Seconds between two looks at the clock; what has become due since is sent together."""
_LARGEST_BACKLOG = 0.1
"""Seconds that the clock may be ahead (a suspended machine); older slots are left out instead of sent in one burst."""


class _Second(NamedTuple):
    """``at`` is the event loop's clock at the start of that second."""

    at: float
    counts: Counts


class Load:
    """``async with Load("http://127.0.0.1:8080", host="app.example.com", rate=100) as load:`` sends until left.

    ``rate`` in requests per second; ``timeout`` in seconds for each. While ``at_once`` of them have no answer yet no
    other is sent: a machine that is too slow gets fewer, not a jam. Counted are requests when they end, by the second,
    in total and since the last :meth:`mark`.
    """

    def __init__(
        self,
        url: str,
        *,
        host: str | None = None,
        rate: float = 50,
        headers: Mapping[str, str] | None = None,
        timeout: float = 10,
        at_once: int = 200,
        seed: int | None = None,
    ) -> None:
        if rate <= 0:
            raise ValueError(f"rate must be above 0 requests per second, not {rate}")
        self._client = Client(url, host=host, headers=headers, timeout=timeout)
        self._rate = rate
        self._at_once = at_once
        self._chance = random.Random(seed)
        self._provoke: tuple[str, float] = ("", 0.0)
        self._sender: asyncio.Task[None] | None = None
        self._arrived: asyncio.Future[None] | None = None
        self._over = False
        self.total = Counts()
        self.since_mark = Counts()
        self.last_second = Counts()
        self._this_second = _Second(0, Counts())

    async def __aenter__(self) -> Self:
        self._sender = asyncio.create_task(self._send())
        return self

    async def finish(self) -> None:
        """Send no more, and count how those under way end: nobody who hangs is left out of the totals."""
        await self._stop()
        while self._client.under_way:
            await self._next()

    async def __aexit__(self, *_: object) -> None:
        self._over = True  # how those under way end counts no more
        await self._stop()
        await self._client.close()

    async def _stop(self) -> None:
        if self._sender:
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)

    def provoke(self, path: str, share: float) -> None:
        """From now on that share (0..1) of the requests goes to ``path``; their failures are counted apart."""
        if not 0 <= share <= 1:
            raise ValueError(f"a share is between 0 and 1, not {share}")
        self._provoke = (path, share)

    def mark(self) -> None:
        """Counting for :meth:`share` and :attr:`since_mark` starts again, with requests sent from now on."""
        self.since_mark = Counts()

    def share(self, version: str) -> float:
        """Percent of answers since the mark that ``version`` gave."""
        return self.since_mark.share(version)

    async def wait_for(self, answers: int) -> Counts:
        """Until that many requests sent since the mark have ended."""
        while self.since_mark.requests < answers:
            await self._next()
        return self.since_mark

    async def _next(self) -> None:
        """Until another request has ended."""
        if self._arrived is None:
            self._arrived = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._arrived)  # whoever stops waiting takes nothing from the others

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            await asyncio.sleep(max(_SHORTEST_REST, due - loop.time()))
            due = max(due, loop.time() - _LARGEST_BACKLOG)
            while due <= loop.time():
                if self._client.under_way < self._at_once:
                    self._one()
                due += 1 / self._rate
            self._turn_second(loop.time())

    def _turn_second(self, now: float) -> None:
        if now - self._this_second.at >= 1:
            self.last_second = self._this_second.counts
            self._this_second = _Second(now, Counts())

    def _one(self) -> None:
        path, share = self._provoke
        provoked = share > 0 and self._chance.random() < share
        self._client.send(partial(self._count, self.since_mark, provoked), path if provoked else None)

    def _count(self, mark: Counts, provoked: bool, answer: Answer) -> None:
        if self._over:
            return
        for counts in (self.total, mark, self._this_second.counts):
            counts.add(answer, provoked=provoked)
        if self._arrived is not None:
            self._arrived.set_result(None)
            self._arrived = None
