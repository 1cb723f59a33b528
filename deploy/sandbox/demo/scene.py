"""Everything that the demo shows, as values: filled from the Canary's statuses, its Events and the bus."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field

from nats.aio.msg import Msg
from pydantic import ValidationError

from deploy.sandbox.demo.acts import Act
from deploy.sandbox.follow import Told
from deploy.sandbox.load import Counts, Load
from schemas.events import StepResult
from schemas.status import CanaryStatus, CheckResult

_EVENTS = 8


@dataclass(frozen=True)
class Outcome:
    """How one act ended. ``seconds`` it took."""

    title: str
    expected: str
    happened: str
    seconds: float

    @property
    def as_told(self) -> bool:
        return self.happened == self.expected


@dataclass
class Scene:
    """``users`` is there once the application has been initialised."""

    title: str = "Starting"
    began: float = field(default_factory=time.monotonic)
    status: CanaryStatus = field(default_factory=CanaryStatus)
    checks: dict[str, CheckResult] = field(default_factory=dict)
    revision: str = ""
    """That was checked."""
    events: deque[tuple[float, Told]] = field(default_factory=lambda: deque(maxlen=_EVENTS))
    outcomes: list[Outcome] = field(default_factory=list)
    users: Load | None = None
    others: dict[str, Counts] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Since the demo began."""
        return time.monotonic() - self.began

    def begin(self, act: Act) -> None:
        self.title = act.title
        self.checks.clear()

    def see(self, status: CanaryStatus, _in_force: int) -> None:
        self.status = status

    def hear(self, told: Told) -> None:
        self.events.append((self.seconds, told))

    async def result(self, message: Msg) -> None:
        """One ``canary.result``: its checks with values and limits."""
        try:
            found = StepResult.model_validate_json(message.data)
        except ValidationError:
            return  # of another version: shown is what can be read
        if found.revision != self.revision:
            # what was measured was another
            self.checks.clear()
            self.revision = found.revision
        self.checks.update({check.name: check for check in found.checks})


def limits(check: CheckResult) -> str:
    """``≥ 99``, ``≤ 500``, or what is there of both."""
    low = "" if check.min is None else f"≥ {check.min:g}"
    high = "" if check.max is None else f"≤ {check.max:g}"
    return " and ".join(filter(None, (low, high)))


def by_version(counts: Counts) -> list[tuple[str, float]]:
    """Version and its percentage of the answers, in the order of versions."""
    return [(version, counts.share(version)) for version in sorted(counts.versions)]
