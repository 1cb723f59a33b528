"""One request to a hook on the bus: ``nats://subject``, the payload as over HTTP, the answer ``{"pass": true}``."""

from __future__ import annotations

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from pydantic import ValidationError

from handlers.adapters.webhooks.attempt import Attempt, shown
from schemas.hooks import HookVerdict

_CODE, _WORDS = "Nats-Service-Error-Code", "Nats-Service-Error"


async def request(client: Client, subject: str, payload: bytes, seconds: float) -> Attempt:
    """Never raises. A micro service's error counts like the HTTP answer of the same code."""
    place = f"nats://{subject}"
    try:
        reply = await client.request(subject, payload, timeout=seconds)
    except nats.errors.NoRespondersError:
        return Attempt.unanswered(f"nobody listens on {place}")
    except TimeoutError:
        return Attempt.unanswered(f"no answer within {seconds:g}s")
    except (nats.errors.Error, OSError) as error:
        return Attempt.unanswered(f"{place}: {error}")
    return _failed(reply) or _verdict(place, reply)


def _failed(reply: Msg) -> Attempt | None:
    headers = reply.headers or {}
    if not (code := headers.get(_CODE, "")):
        return None
    status = int(code) if code.isascii() and code.isdigit() else 500
    return Attempt(False, shown(headers.get(_WORDS, "") or code), status)


def _verdict(place: str, reply: Msg) -> Attempt:
    try:
        verdict = HookVerdict.model_validate_json(reply.data)
    except ValidationError as error:
        why = error.errors()[0]["msg"]
        return Attempt(False, f'{place} does not answer {{"pass": true|false, "message": …}}: {why}')
    return Attempt(verdict.passed, shown(verdict.message) or ("passed" if verdict.passed else "refused"))
