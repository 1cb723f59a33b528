"""One attempt to ask a hook, and what of its answer people are shown."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

_SHOWN = 300
"""Characters of an answer that are kept."""
_COLOUR = re.compile(r"\x1b\[[0-9;:?]*[ -/]*[@-~]")


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


def shown(text: str) -> str:
    """The first characters, on one line and without control characters: it goes into events, logs and terminals."""
    plain = _COLOUR.sub("", text)
    clean = "".join(" " if unicodedata.category(character)[0] == "C" else character for character in plain)
    return " ".join(clean.split())[:_SHOWN]
