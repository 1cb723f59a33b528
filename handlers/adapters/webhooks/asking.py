"""Asking a hook until it answers, or long enough."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx
from nats.aio.client import Client

from handlers.adapters.hiding import hidden
from handlers.adapters.webhooks.attempt import Attempt
from handlers.adapters.webhooks.http import Http
from handlers.adapters.webhooks.request import request
from schemas.canary import Webhook
from schemas.hooks import secrets_in
from schemas.measurement import HookAnswer

PATIENCE = 120.0
"""Seconds after the first attempt in which another one may begin, however many retries are asked for.

With its timeout this is the longest that one hook can keep a step waiting; each slot asks anew.
"""
_LONGEST_WAIT = 30.0
"""Seconds between two attempts, unless the other side asks for another time (spec lifecycle 2.8)."""


class Webhooks:
    """``client`` and ``bus`` stay the caller's to close; ``sleep`` waits between attempts (seconds)."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        bus: Client | None = None,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._http = Http(client)
        self._bus = bus
        self._sleep = sleep

    async def close(self) -> None:
        await self._http.close()

    async def ask(self, hook: Webhook, payload: bytes) -> HookAnswer:
        """Any 2xx passes. No answer, 429 and 5xx but 501 are tried ``hook.retries`` times more. Never raises."""
        timeout = hook.timeout_seconds
        try:
            subject = hook.subject
        except ValueError as error:
            return _answer(hook, Attempt.unanswered(str(error)))
        started, waited = asyncio.get_running_loop().time(), 0.0
        for number in range(1, 2 + max(0, hook.retries)):
            attempt = await self._attempt(hook, subject, payload, timeout)
            if not attempt.worth_repeating:
                return _answer(hook, attempt)
            pause = _wait(attempt, number - 1)
            spent = asyncio.get_running_loop().time() - started
            if number > hook.retries or max(spent, waited) + pause > PATIENCE:
                break
            await self._sleep(pause)
            waited += pause
        why = f": {attempt.text}" if attempt.text else ""
        verb = "request" if subject else "POST"
        return _answer(hook, attempt._replace(text=f"{verb} {hook.url} giving up after {number} attempt(s){why}"))

    async def _attempt(self, hook: Webhook, subject: str, payload: bytes, timeout: float) -> Attempt:  # noqa: ASYNC109
        if not subject:
            return await self._http.post(hook, payload, timeout)
        if self._bus is None:
            return Attempt.unanswered(f"{hook.url}: there is no bus here", final=True)
        return await request(self._bus, subject, payload, timeout)


def _answer(hook: Webhook, attempt: Attempt) -> HookAnswer:
    return HookAnswer(
        name=hook.name,
        type=hook.hook_type,
        passed=attempt.passed,
        text=hidden(attempt.text.replace(hook.url, hook.shown_url), secrets_in(hook.url)),
        status=attempt.status,
        answered=attempt.answered,
    )


def _wait(attempt: Attempt, number: int) -> float:
    asked = attempt.retry_after if attempt.status in (429, 503) else None
    return min(_LONGEST_WAIT, 2.0 ** min(number, 10)) if asked is None else asked
