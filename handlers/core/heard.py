"""What a receiver of alerts has heard already, as one line of ``status.alerts``: ``BEGAN STEPS [CHANNEL MESSAGE]``.

A broker drops what comes twice within two minutes; this holds however long after. It is the order of a bot's message,
too: a late retry never overwrites newer news.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from schemas.base import format_time

_MOST_STEPS = 16
"""The newest; a notice is kept for an hour, and few steps of an hour have alerts."""
_NONE = "-"


class Heard(NamedTuple):
    """``began``: of the rollout whose message can be edited, which is ``message`` in ``channel``, if there is one."""

    began: str = _NONE
    steps: tuple[int, ...] = ()
    channel: str = ""
    message: str = ""

    @classmethod
    def read(cls, line: str) -> Heard:
        """Nothing for a line that is not one."""
        began, _, rest = line.partition(" ")
        steps, _, place = rest.partition(" ")
        if not all(step.isdecimal() for step in steps.split(",")):
            return cls()
        channel, _, message = place.partition(" ")
        return cls(began, tuple(int(step) for step in steps.split(",")), channel, message)

    @property
    def line(self) -> str:
        parts = (self.began, ",".join(map(str, self.steps)), self.channel, self.message)
        return " ".join(part for part in parts if part)

    def overtaken(self, began: datetime | None, step: int) -> bool:
        """Whether the message of this rollout says something newer already."""
        return bool(self.message) and self.began == _rollout(began) and step < max(self.steps, default=0)

    def of(self, began: datetime | None) -> tuple[str, str] | None:
        """Channel and message of this rollout, None when its first is still to be posted."""
        return (self.channel, self.message) if self.message and self.began == _rollout(began) else None

    def after(self, began: datetime | None, step: int, posted: tuple[str, str] | None) -> Heard:
        """With this step. What is told late of an earlier rollout does not take the place of the newest message."""
        steps = tuple(sorted({*self.steps, step}))[-_MOST_STEPS:]
        if posted is None or step < max(self.steps, default=0):
            return self._replace(steps=steps)
        return Heard(_rollout(began), steps, *posted)


def _rollout(began: datetime | None) -> str:
    return format_time(began) if began else _NONE
