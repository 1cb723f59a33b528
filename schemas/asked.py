"""What people and gates have said of a rollout, as its status keeps it."""

from __future__ import annotations

from schemas.base import Moment, Wire


class LastCommand(Wire):
    """A command, so that a redelivery answers what the first one did."""

    id: str = ""
    verb: str = ""
    by: str = ""
    reason: str = ""
    accepted: bool = False
    message: str = ""
    code: int = 0


class Paused(Wire):
    by: str = ""
    reason: str = ""
    since: Moment | None = None


class Approved(Wire):
    """The gate of this type counts as open once, for this revision."""

    gate: str = ""
    revision: str = ""
    by: str = ""


class ClosedGate(Wire):
    """The gate that was last found closed: its type, its hook and what that said."""

    gate: str = ""
    hook: str = ""
    message: str = ""
    since: Moment | None = None
