"""One attempt to ask a hook."""

from __future__ import annotations

from typing import NamedTuple


class Attempt(NamedTuple):
    """``status`` is the HTTP code, also of an error of a NATS service, and None without one; ``text``: the answer.

    ``answered`` is False when nobody did: then ``text`` says why. ``final``: asking again cannot help.
    """

    passed: bool
    text: str
    status: int | None = None
    answered: bool = True
    retry_after: float | None = None
    final: bool = False

    @property
    def worth_repeating(self) -> bool:
        """No answer, 429, and server errors but 501, as with the peer."""
        if self.passed or self.final:
            return False
        if self.status is None:
            return not self.answered
        return self.status == 429 or (self.status >= 500 and self.status != 501)

    @classmethod
    def unanswered(cls, why: str, *, final: bool = False) -> Attempt:
        return cls(False, why, answered=False, final=final)
