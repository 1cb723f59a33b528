"""How much traffic the canary really got at each weight, as users' answers tell it."""

from __future__ import annotations

import math
from typing import NamedTuple

from deploy.sandbox.load import Load
from schemas.status import CanaryStatus, Phase

TOLERANCE = 3.0
"""Points by which a share may be off the weight."""
_SIGMAS = 4.0
"""Envoy throws a die for each request: of ten thousand honest steps one is further off than this."""
ENOUGH = 500
"""Requests below which a share says little."""


class Served(NamedTuple):
    """One step: ``requests`` were answered while ``weight`` percent were meant for ``version``."""

    version: str
    weight: int
    requests: int
    share: float

    @property
    def off(self) -> float:
        """Points."""
        return self.share - self.weight

    @property
    def chance(self) -> float:
        """The standard deviation of the share, in points, if every request was drawn by itself."""
        return 100 * math.sqrt(self.weight / 100 * (1 - self.weight / 100) / max(1, self.requests))

    @property
    def fair(self) -> bool:
        """Within the tolerance, or within what chance does to so few requests."""
        return abs(self.off) <= max(TOLERANCE, _SIGMAS * self.chance)


class Shares:
    """A listener of the follower: counts from when the gateway has accepted a weight until that weight is over."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._route_step = 0
        self._weight = 0
        self.version = ""
        """The version on trial."""
        self.steps: list[Served] = []

    def __call__(self, status: CanaryStatus, in_force: int) -> None:
        counting = status.phase is Phase.PROGRESSING and status.strategy == "canary" and status.canary_weight > 0
        if self._route_step and (not counting or status.route_step != self._route_step):
            counted = self._load.since_mark
            self.steps.append(Served(self.version, self._weight, counted.versions.total(), counted.share(self.version)))
            self._route_step = 0
        if counting and not self._route_step and in_force == status.route_step:
            self._load.mark()
            self._route_step, self._weight = status.route_step, status.canary_weight


def words(steps: list[Served]) -> str:
    """One line for people; empty when there was no step with enough requests."""
    counted = [step for step in steps if step.requests >= ENOUGH]
    if not counted:
        return ""
    worst = max(counted, key=lambda step: abs(step.off))
    within = sum(abs(step.off) <= TOLERANCE for step in counted)
    together = sum(step.off * step.requests for step in counted) / sum(step.requests for step in counted)
    return (
        f"{within} of {len(counted)} steps with {ENOUGH} requests or more within {TOLERANCE:g} points; "
        f"furthest {worst.share:.1f} % at {worst.weight} % ({worst.requests} requests, "
        f"chance {worst.chance:.1f} points); all together {together:+.2f} points"
    )
