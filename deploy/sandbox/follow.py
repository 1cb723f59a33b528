"""What a Canary goes through, seen from outside: every status that is written, and every Event about it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

from handlers.adapters.errors import AdapterError
from handlers.adapters.kube import Kube, Object
from schemas.canary import Canary, Ref
from schemas.gloo import ROUTE_STEP, Verdict, fence_of, read_report
from schemas.resources import CANARY, EVENT, ROUTE_TABLE, Resource
from schemas.status import CanaryStatus

_AGAIN = 0.2
"""Seconds before a watch that broke is begun again: the API server may be restarted meanwhile."""


class NeverSeenError(Exception):
    """What was waited for did not come in time; the text says what did."""


class Told(NamedTuple):
    """An Event."""

    type: str
    reason: str
    message: str


class Follower:
    """Reads one Canary's statuses like a tape: :meth:`until` looks from where the last one was found.

    ``listeners`` hear of each status and each verdict of the gateway, ``told`` of each Event, in their order.
    """

    def __init__(self, kube: Kube, ref: Ref) -> None:
        self._kube = kube
        self._ref = ref
        self._moved = asyncio.Condition()
        self._place = 0
        self._known: set[str] = set()
        self.statuses: list[CanaryStatus] = []
        self.events: list[Told] = []
        self.in_force = 0
        """The step of the routes that the gateway has accepted; 0 while it has not reported on the newest ones."""
        self.listeners: list[Callable[[CanaryStatus, int], None]] = []
        self.told: list[Callable[[Told], None]] = []

    @property
    def status(self) -> CanaryStatus:
        """The newest."""
        return self.statuses[-1] if self.statuses else CanaryStatus()

    def begin(self) -> int:
        """What came until now is not looked at again; the place from which to read :attr:`statuses`."""
        self._place = len(self.statuses)
        return self._place

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(CANARY, self._status))
            group.create_task(self._follow(EVENT, self._event))
            group.create_task(self._follow(ROUTE_TABLE, self._routes))

    async def until(self, wanted: Callable[[CanaryStatus], bool], what: str, *, seconds: float = 60) -> CanaryStatus:
        """The first status that is ``wanted``, from the last one found on. Raises :class:`NeverSeenError`."""
        try:
            async with asyncio.timeout(seconds), self._moved:
                while True:
                    while self._place < len(self.statuses):
                        if wanted(self.statuses[self._place]):
                            return self.statuses[self._place]
                        self._place += 1
                    await self._moved.wait()
        except TimeoutError:
            now = self.status
            text = f"{now.phase.value or 'New'} at {now.canary_weight} %"
            last = now.last_step.message if now.last_step else ""
            raise NeverSeenError(f"not {what} within {seconds:g} s, but {text}: {last}") from None

    async def applied(self, status: CanaryStatus, *, seconds: float = 45) -> None:
        """Until the gateway has accepted the routes of ``status`` or later ones. Raises :class:`NeverSeenError`."""
        try:
            async with asyncio.timeout(seconds), self._moved:
                await self._moved.wait_for(lambda: self.in_force >= status.route_step)
        except TimeoutError:
            text = f"the routes of step {status.route_step} are not accepted within {seconds:g} s"
            raise NeverSeenError(text) from None

    async def _follow(self, resource: Resource, see: Callable[[Object], bool]) -> None:
        while True:
            with suppress(AdapterError):
                items, version = await self._kube.list(resource, self._ref.namespace)
                for item in items:
                    await self._see(item, see)
                async for event in self._kube.watch(resource, self._ref.namespace, resource_version=version):
                    if event.type in ("ADDED", "MODIFIED"):
                        await self._see(event.object, see)
            await asyncio.sleep(_AGAIN)

    async def _see(self, item: Object, see: Callable[[Object], bool]) -> None:
        if see(item):
            async with self._moved:
                self._moved.notify_all()

    def _status(self, item: Object) -> bool:
        if item["metadata"]["name"] != self._ref.name:
            return False
        status = Canary.from_object(item).status
        if self.statuses and status == self.status:
            return False
        self.statuses.append(status)
        self._tell()
        return True

    def _routes(self, item: Object) -> bool:
        if item["metadata"]["name"] != self._ref.name:
            return False
        accepted = read_report(item).verdict is Verdict.ACCEPTED
        self.in_force = fence_of(item, ROUTE_STEP) if accepted else 0
        self._tell()
        return True

    def _tell(self) -> None:
        for listener in self.listeners:
            listener(self.status, self.in_force)

    def _event(self, item: Object) -> bool:
        about = item.get("involvedObject") or {}
        if (about.get("kind"), about.get("name")) != ("Canary", self._ref.name):
            return False
        if item["metadata"]["uid"] in self._known:
            return False
        self._known.add(item["metadata"]["uid"])
        told = Told(item.get("type", ""), item.get("reason", ""), item.get("message", ""))
        self.events.append(told)
        for listener in self.told:
            listener(told)
        return True


@asynccontextmanager
async def following(kube: Kube, ref: Ref) -> AsyncIterator[Follower]:
    """One that is at work."""
    follower = Follower(kube, ref)
    working = asyncio.create_task(follower.run())
    try:
        yield follower
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
