"""The streams and consumers of the bus, declared once (design: bus). The watcher creates them, handlers only read.

All of them can be deleted at any moment: the Canary's status is the only state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from schemas.events import Change, Command, Message, NoticeMessage, StepResult, Tick

_MINUTE = 60.0
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR

ACK_WAIT = 10.0
"""Seconds without a sign of life after which a message is given to another process."""
HEARTBEAT = 3.0
"""Seconds between two signs of life: two may be lost."""
MAX_ACK_PENDING = 2048
"""At least twice pods x workers: 64 pods of 16. A consumer at this limit stops delivering to everybody."""


@dataclass(frozen=True)
class Stream:
    """Times in seconds. ``per_subject`` is the number of messages kept for one canary, None for any number.

    ``discard="new"`` refuses a message for a canary that has ``per_subject`` of them queued or in flight: that is what
    makes one runner per canary. ``"old"`` replaces the queued one: the latest wins.
    """

    name: str
    subject: str
    max_age: float
    duplicate_window: float = 2 * _MINUTE
    work_queue: bool = True
    per_subject: int | None = None
    discard: Literal["old", "new"] = "old"


@dataclass(frozen=True)
class Consumer:
    """A durable pull consumer with explicit acks. ``from_now``: made again, it does not repeat what was told before."""

    durable: str
    stream: str
    subject: str
    message: type[Message]
    from_now: bool = False


STREAMS = (
    Stream("CANARY_TICKS", "canary.tick.>", _HOUR, duplicate_window=_MINUTE, per_subject=1, discard="new"),
    Stream("CANARY_REVISIONS", "canary.revision.>", _DAY, per_subject=1),
    Stream("CANARY_COMMANDS", "canary.command.>", _HOUR),
    Stream("CANARY_RESULTS", "canary.result.>", 7 * _DAY, work_queue=False, per_subject=1000),
    Stream("CANARY_NOTICES", "canary.notice.>", _HOUR),
    Stream("CANARY_DLQ", "canary.dlq.>", 14 * _DAY, work_queue=False),
)

CONSUMERS = {
    consumer.durable: consumer
    for consumer in (
        Consumer("analysis", "CANARY_TICKS", "canary.tick.>", Tick),
        Consumer("bootstrap", "CANARY_REVISIONS", "canary.revision.>", Change),
        Consumer("command", "CANARY_COMMANDS", "canary.command.>", Command),
        Consumer("notify", "CANARY_RESULTS", "canary.result.>", StepResult, from_now=True),
        Consumer("notices", "CANARY_NOTICES", "canary.notice.>", NoticeMessage),
    )
}
