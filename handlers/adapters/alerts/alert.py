"""What is told and to whom: the anatomy that all alert providers share (spec alerts 6.2, 6.3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from schemas.alerts import AlertType
from schemas.status import Severity


@dataclass(frozen=True)
class Alert:
    """``author`` is the Canary as ``name.namespace``; ``fields`` are name and value, in order."""

    author: str
    text: str
    severity: Severity
    fields: tuple[tuple[str, str], ...] = ()

    @property
    def bad(self) -> bool:
        return self.severity == "error"


@dataclass(frozen=True)
class Destination:
    """Where an AlertProvider points. ``address`` and ``token`` are secrets: they appear in no text of ours."""

    type: AlertType
    address: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    channel: str = "general"
    username: str = "flagger"
    proxy: str = field(default="", repr=False)


class Posted(NamedTuple):
    """A message that can be edited: Slack's channel and timestamp."""

    channel: str
    message: str


class Request(NamedTuple):
    """What is posted. ``headers`` beside the content type."""

    url: str
    body: dict[str, Any]
    headers: dict[str, str]


class Format(Protocol):
    """One module each."""

    label: str
    """In errors, in the peer's words."""

    def request(self, destination: Destination, alert: Alert, edited: Posted | None) -> Request:
        """Raises ValueError when the destination lacks something."""
