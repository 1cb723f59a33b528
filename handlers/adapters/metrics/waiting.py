"""Who asked to be left alone for a while is: a busy provider that is asked on gets busier."""

from __future__ import annotations

import time
from collections.abc import Callable

_LONGEST = 300.0
"""Seconds: a provider that says tomorrow is asked again all the same, for a Canary that waits."""


class Waiting:
    """Until when, by whatever tells one account at one provider from another. ``clock`` in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}

    def left(self, account: str) -> float:
        """Seconds; 0 for one that may be asked."""
        return max(0.0, self._until.get(account, 0.0) - self._clock())

    def note(self, account: str, seconds: float) -> None:
        now = self._clock()
        self._until = {name: until for name, until in self._until.items() if until > now}
        self._until[account] = now + min(seconds, _LONGEST)
