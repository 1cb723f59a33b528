"""Answers to requests on ``canary.api``, besides the reply to one command (:class:`schemas.events.Reply`)."""

from __future__ import annotations

from typing import Any

from schemas.asked import ClosedGate, Paused
from schemas.base import Moment, Wire
from schemas.events import Reply
from schemas.status import CheckResult


class Question(Wire):
    """The subject says it all; a body is not read."""


class OneReply(Reply):
    """What became of a command to many on one of them. ``code`` is 0, or that of the refusal."""

    namespace: str
    name: str
    code: int = 0


class Replies(Wire):
    """The reply to a command to ``_all``: accepted when at least one has accepted it and none was out of reach."""

    accepted: bool
    message: str
    canaries: tuple[OneReply, ...] = ()

    def to_wire(self) -> dict[str, Any]:
        return super().to_wire() | {"canaries": [one.to_wire() for one in self.canaries]}


class Summary(Wire):
    """How a Canary is: ``reason`` and ``message`` say why it is not further, or what it did last.

    ``since``: when it began to be held for that; when its phase began if nothing holds it.
    """

    namespace: str
    name: str
    phase: str
    weight: int
    step: int
    revision: str = ""
    reason: str = ""
    message: str = ""
    waiting_for: str = ""
    since: Moment | None = None
    paused: Paused | None = None
    closed_gate: ClosedGate | None = None

    def to_wire(self) -> dict[str, Any]:
        return {"phase": self.phase, "weight": self.weight, "step": self.step} | super().to_wire()


class Explanation(Summary):
    """Why it is not further, in words and as data.

    ``doing``: what goes on; ``why``: what holds it, or what it did last, since ``since``; ``checks``: each metric and
    hook with value, limits, samples, query and endpoint; ``following``: what happens by itself, and when; ``commands``:
    what a person can ask for now; ``remarks``: what of the spec is not taken as it is written, with the remedy.
    """

    doing: str = ""
    why: str = ""
    checks: tuple[CheckResult, ...] = ()
    following: str = ""
    commands: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


class Listing(Wire):
    """By namespace and name."""

    canaries: tuple[Summary, ...] = ()

    def to_wire(self) -> dict[str, Any]:
        return {"canaries": [one.to_wire() for one in self.canaries]}
