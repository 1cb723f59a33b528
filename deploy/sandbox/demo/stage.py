"""What the acts have at hand: the application, its users, its Canary as seen from outside, the bus."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import groupby

from nats.aio.client import Client

from deploy.sandbox.application import Application, command
from deploy.sandbox.demo.shares import Shares
from deploy.sandbox.follow import Follower, NeverSeenError
from deploy.sandbox.load import Counts, Load
from deploy.sandbox.sandbox import HOST
from schemas.status import CanaryStatus, Phase

FINISH = 45.0
"""Seconds within which a rollout that is to end ends."""
_PARKED = 45.0


@dataclass
class Stage:
    """``users`` send requests all the time. ``others`` are the clients of single acts, by what they do."""

    application: Application
    follower: Follower
    users: Load
    bus: Client
    gateway_url: str
    shares: Shares
    others: dict[str, Counts] = field(default_factory=dict)

    async def roll_out(self, version: str) -> CanaryStatus:
        """Push ``version``; returns when its analysis has begun."""
        before = self.follower.status.canary_revision
        self.shares.version = version
        await self.application.set_version(version)
        return await self.follower.until(
            lambda status: status.phase is Phase.PROGRESSING and status.canary_revision != before,
            f"Progressing with {version}",
        )

    async def ended(self, phase: Phase, *, seconds: float = FINISH) -> CanaryStatus:
        """The rollout is over in ``phase``: the gateway sends all to the primary, no pod of the canary is left."""
        found = await self.follower.until(lambda status: status.phase is phase, phase.value, seconds=seconds)
        await self.follower.applied(found)
        try:
            async with asyncio.timeout(_PARKED):
                while await self.application.canary_replicas():  # noqa: ASYNC110 - asked for, as a person would
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise NeverSeenError(f"{phase.value}, but the canary is not scaled to zero after {_PARKED:g} s") from None
        return found

    async def weight(self, least: int) -> CanaryStatus:
        """The gateway has applied at least that weight."""
        found = await self.follower.until(lambda status: status.canary_weight >= least, f"at {least} %")
        await self.follower.applied(found)
        return found

    async def command(self, verb: str, reason: str) -> None:
        await command(self.bus, verb, by="demo", reason=reason)

    def weights(self, since: int) -> list[int]:
        """What the Canary's weight was during the analysis, one after the other, from place ``since`` of the tape."""
        found = [status for status in self.follower.statuses[since:] if status.phase is Phase.PROGRESSING]
        return [weight for weight, _ in groupby(status.canary_weight for status in found)]

    async def versions_seen(self, answers: int = 100) -> str:
        """Which versions answer the users now."""
        self.users.mark()
        counted = await self.users.wait_for(answers)
        return " and ".join(sorted(counted.versions))

    @asynccontextmanager
    async def users_with(self, name: str, headers: Mapping[str, str], rate: float = 40) -> AsyncIterator[Load]:
        """More users, who send ``headers``."""
        async with Load(self.gateway_url, host=HOST, rate=rate, headers=headers) as load:
            self.others[name] = load.total
            yield load

    @asynccontextmanager
    async def faults(self, path: str, rate: float) -> AsyncIterator[Load]:
        """Requests that are meant to be answered badly, ``rate`` a second, by a client of their own."""
        async with Load(self.gateway_url, host=HOST, rate=rate) as load:
            load.provoke(path, 1.0)
            self.others[path] = load.total
            yield load
