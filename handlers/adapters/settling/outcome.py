"""The decision: an error becomes an act."""

from __future__ import annotations

import base64
import random
from dataclasses import dataclass
from typing import Literal

from nats.aio.msg import Msg

from handlers.adapters.errors import AdapterError, PermanentError, TransientError, Undecodable
from schemas.events import DeadLetter

_LONGEST_DELAY = 60.0
_MOST_DELIVERIES = 10
_KEPT = 256 * 1024
"""Bytes of a body: a letter must fit into a message of its own, also in base 64. The server bounds headers itself."""
_SHOWN = 4096
"""Characters of an error."""
_jitter = random.SystemRandom()


@dataclass(frozen=True)
class Outcome:
    """``delay`` in seconds before the message comes again, 0 for at once."""

    act: Literal["ack", "nak", "term"]
    delay: float = 0.0
    dead_letter: bool = False

    @property
    def name(self) -> str:
        return "dead" if self.dead_letter else self.act


def outcome_of(error: BaseException | None, *, kind: str, deliveries: int) -> Outcome:
    """The table in :mod:`handlers.adapters.settling`. ``kind`` is the subject's second token; this delivery counts."""
    match error:
        case None:
            return Outcome("ack")
        case Undecodable():
            return Outcome("term", dead_letter=True)
        case AdapterError() if kind == "tick":
            # the next slot meets the same: a letter for each would say nothing new
            return Outcome("ack")
        case PermanentError():
            return Outcome("term", dead_letter=True)
        case TransientError(delay=float() | int() as delay):
            return Outcome("nak", float(delay))
        case TransientError():
            return Outcome("nak", growing_delay(deliveries))
        case Exception() if deliveries >= _MOST_DELIVERIES:
            return Outcome("term", dead_letter=True)
        case Exception():
            return Outcome("nak", growing_delay(deliveries))
        case _:
            return Outcome("nak")


def growing_delay(deliveries: int) -> float:
    """1, 2, 4 ... 60 seconds, each up to a quarter more or less: what failed together must not return together."""
    return float(min(_LONGEST_DELAY, 2.0 ** min(deliveries - 1, 6)) * _jitter.uniform(0.75, 1.25))


def letter(msg: Msg, error: BaseException) -> DeadLetter:
    """The message as it came, with the error that killed it."""
    encoding: Literal["utf-8", "base64"] = "utf-8"
    kept = msg.data[:_KEPT]
    try:
        body = kept.decode()
    except UnicodeDecodeError:
        body, encoding = base64.b64encode(kept).decode(), "base64"
    return DeadLetter(
        original_subject=msg.subject,
        error=f"{type(error).__name__}: {error}"[:_SHOWN],
        deliveries=msg.metadata.num_delivered,
        body=body,
        encoding=encoding,
        bytes=len(msg.data),
        original_headers=dict(msg.headers or {}),
    )
