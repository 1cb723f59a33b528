"""Webhooks: gates, load tests, rollback signals and events, posted as the peer does (spec lifecycle 2.8)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import httpx

from schemas.canary import Webhook
from schemas.measurement import HookAnswer

_TEXT = 300
"""Characters of an answer that are kept."""
_MOST_BYTES = 64 * 1024
_LONGEST_WAIT = 30.0
"""Seconds between two attempts, whatever the other side asks for: a step waits meanwhile."""


class _Attempt(NamedTuple):
    """``status`` is None when there was no answer; then ``text`` says why. ``final``: asking again cannot help."""

    status: int | None
    text: str
    retry_after: float | None = None
    final: bool = False

    @property
    def passed(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def worth_repeating(self) -> bool:
        if self.status is None:
            return not self.final
        return self.status == 429 or (self.status >= 500 and self.status != 501)


def payload_of(
    name: str, namespace: str, phase: str, checksum: str, metadata: Mapping[str, str] | None = None
) -> bytes:
    """The body, byte for byte as the peer's: this key order, no spaces, metadata sorted, and left out when empty."""
    body: dict[str, object] = {"name": name, "namespace": namespace, "phase": phase, "checksum": checksum}
    if metadata:
        body["metadata"] = dict(sorted(metadata.items()))
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode()


class Webhooks:
    """Posts through ``client``, which stays the caller's to close; environment proxies are the client's.

    ``sleep`` waits between attempts (seconds).
    """

    def __init__(self, client: httpx.AsyncClient, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._client = client
        self._unverified: httpx.AsyncClient | None = None
        self._sleep = sleep

    async def close(self) -> None:
        if self._unverified:
            await self._unverified.aclose()

    async def ask(self, hook: Webhook, payload: bytes) -> HookAnswer:
        """Any 2xx passes. No answer, 429 and 5xx but 501 are tried ``hook.retries`` times more. Never raises."""
        if hook.url.startswith("nats://"):
            return _answer(hook, _Attempt(None, "webhooks over nats:// are not available yet; use an http:// url"))
        try:
            timeout = hook.timeout_seconds
        except ValueError as error:
            return _answer(hook, _Attempt(None, f"timeout: {error}"))
        attempts = 1 + max(0, hook.retries)
        for number in range(attempts):
            attempt = await self._post(hook, payload, timeout)
            if not attempt.worth_repeating:
                return _answer(hook, attempt)
            if number + 1 < attempts:
                await self._sleep(_wait(attempt, number))
        why = f": {attempt.text}" if attempt.text else ""
        return _answer(hook, attempt._replace(text=f"POST {hook.url} giving up after {attempts} attempt(s){why}"))

    async def _post(self, hook: Webhook, payload: bytes, seconds: float) -> _Attempt:
        client = self._without_verification() if hook.disable_tls else self._client
        headers = {"Content-Type": "application/json"}
        try:
            async with (
                asyncio.timeout(seconds),
                client.stream(
                    "POST", hook.url, content=payload, headers=headers, timeout=seconds, follow_redirects=True
                ) as response,
            ):
                text = await _beginning(response)
        except (TimeoutError, httpx.TimeoutException):
            return _Attempt(None, f"no answer within {seconds:g}s")
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.TooManyRedirects) as error:
            return _Attempt(None, f"POST {hook.url}: {error}", final=True)
        except (httpx.HTTPError, OSError, ValueError) as error:
            return _Attempt(None, str(error) or type(error).__name__)
        text = text or f"{response.status_code} {response.reason_phrase}".rstrip()
        return _Attempt(response.status_code, text, _retry_after(response))

    def _without_verification(self) -> httpx.AsyncClient:
        if self._unverified is None:
            self._unverified = httpx.AsyncClient(verify=False)  # noqa: S501 - the user asked for it: disableTLS
        return self._unverified


async def _beginning(response: httpx.Response) -> str:
    read = b""
    async for chunk in response.aiter_bytes():
        read += chunk
        if len(read) >= _MOST_BYTES:
            break
    return read.decode(errors="replace").strip()[:_TEXT]


def _answer(hook: Webhook, attempt: _Attempt) -> HookAnswer:
    return HookAnswer(
        name=hook.name, type=hook.hook_type, passed=attempt.passed, text=attempt.text[:_TEXT], status=attempt.status
    )


def _wait(attempt: _Attempt, number: int) -> float:
    asked = attempt.retry_after if attempt.status in (429, 503) else None
    return min(_LONGEST_WAIT, 2.0 ** min(number, 10) if asked is None else asked)


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds; the header has them or a date."""
    text = response.headers.get("retry-after", "")
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
