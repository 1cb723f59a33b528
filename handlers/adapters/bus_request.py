"""One request to whoever answers on a subject of the bus: what gates and judges there share."""

from __future__ import annotations

import nats.errors
from nats.aio.client import Client

from handlers.adapters.shown import shown

_CODE, _WORDS = "Nats-Service-Error-Code", "Nats-Service-Error"


class Unanswered(Exception):  # noqa: N818 - the sentence that says so, no fault of ours
    """Nobody listens, or not in time, or the bus is away."""


class Declined(Exception):  # noqa: N818 - the answer of a micro service, no fault of ours
    """A micro service's own error; ``status`` counts like the HTTP answer of the same code."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


async def request(client: Client, subject: str, payload: bytes, seconds: float) -> bytes:
    """The body of the answer. Raises :class:`Unanswered` or :class:`Declined`, in words for people."""
    place = f"nats://{subject}"
    try:
        reply = await client.request(subject, payload, timeout=seconds)
    except nats.errors.NoRespondersError as error:
        raise Unanswered(f"nobody listens on {place}") from error
    except TimeoutError as error:
        raise Unanswered(f"no answer within {seconds:g}s") from error
    except (nats.errors.Error, OSError) as error:
        raise Unanswered(f"{place}: {error}") from error
    headers = reply.headers or {}
    if code := headers.get(_CODE, ""):
        status = int(code) if code.isascii() and code.isdigit() else 500
        raise Declined(status, shown(headers.get(_WORDS, "") or code))
    return reply.data
