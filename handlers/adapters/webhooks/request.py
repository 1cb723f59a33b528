"""One request to a hook on the bus: ``nats://subject``, the payload as over HTTP, the answer ``{"pass": true}``."""

from __future__ import annotations

from nats.aio.client import Client
from pydantic import ValidationError

from handlers.adapters import bus_request
from handlers.adapters.bus_request import Declined, Unanswered
from handlers.adapters.shown import shown
from handlers.adapters.webhooks.attempt import Attempt
from schemas.hooks import HookVerdict


async def request(client: Client, subject: str, payload: bytes, seconds: float) -> Attempt:
    """Never raises. A micro service's error counts like the HTTP answer of the same code."""
    try:
        answer = await bus_request.request(client, subject, payload, seconds)
    except Unanswered as error:
        return Attempt.unanswered(str(error))
    except Declined as error:
        return Attempt(False, str(error), error.status)
    return _verdict(f"nats://{subject}", answer)


def _verdict(place: str, answer: bytes) -> Attempt:
    try:
        verdict = HookVerdict.model_validate_json(answer)
    except ValidationError as error:
        why = error.errors()[0]["msg"]
        return Attempt(False, f'{place} does not answer {{"pass": true|false, "message": …}}: {why}')
    return Attempt(verdict.passed, shown(verdict.message) or ("passed" if verdict.passed else "refused"))
