"""Alerts to chat services: one module for each payload, one way to post them (spec alerts).

Addresses and tokens are secrets. No text that leaves here has them: errors say which provider answered what.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import orjson

from handlers.adapters.alerts.alert import Alert, Destination, Format, Posted, Request
from handlers.adapters.alerts.chat import Discord, Rocket, Slack, is_bot
from handlers.adapters.alerts.gchat import GoogleChat
from handlers.adapters.alerts.msteams import MsTeams
from handlers.adapters.errors import PermanentError, Throttled, Unavailable
from handlers.adapters.hiding import hidden, secrets_of
from schemas.alerts import AlertType
from schemas.gojson import encode

_FORMATS: Mapping[AlertType, Format] = {
    AlertType.SLACK: Slack(),
    AlertType.DISCORD: Discord(),
    AlertType.ROCKET: Rocket(),
    AlertType.MSTEAMS: MsTeams(),
    AlertType.GCHAT: GoogleChat(),
}
_TIMEOUT = 5.0
_LONGEST_ANSWER = 64 * 1024
_SHOWN = 200
"""Characters of an answer that an error shows."""
_SHORTEST_SECRET = 8
"""Characters; shorter parts of an address are words."""
_PROXIES = 16
_LOST = ("message_not_found", "cant_update_message", "edit_window_closed", "channel_not_found")
"""Slack's words for a message that cannot be edited any more."""
_BUSY = ("ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout")


class Alerts:
    """Posts through ``client``, which stays the caller's to close; another client for each proxy."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._proxied: dict[str, httpx.AsyncClient] = {}

    async def close(self) -> None:
        for client in self._proxied.values():
            await client.aclose()
        self._proxied.clear()

    async def send(self, destination: Destination, alert: Alert, edited: Posted | None = None) -> Posted | None:
        """What can be edited later, if anything. ``edited``: the message to change instead of posting another.

        Raises :class:`Unavailable` or :class:`Throttled` when trying again may help, :class:`PermanentError` else.
        """
        form = _FORMATS[destination.type]
        _check(form, destination.address)
        try:
            request = form.request(destination, alert, edited)
        except ValueError as error:
            raise PermanentError(str(error)) from error
        answer = await self._post(form, request, destination.proxy)
        if not is_bot(destination):
            return None
        said = _slack_words(answer)
        if edited is not None and said in _LOST:
            return await self.send(destination, alert)
        if said:
            raise (Unavailable if said in _BUSY else PermanentError)(f"{form.label} answered: {said}")
        return Posted(str(answer.get("channel") or destination.channel), str(answer.get("ts") or ""))

    async def _post(self, form: Format, request: Request, proxy: str) -> dict[str, Any]:
        headers = {"Content-type": "application/json", **request.headers}
        try:
            async with asyncio.timeout(_TIMEOUT):
                client = self._through(proxy)
                answer = await client.post(request.url, content=encode(request.body), headers=headers, timeout=_TIMEOUT)
        except TimeoutError:
            raise Unavailable(f"{form.label} gave no answer within {_TIMEOUT:g}s") from None
        except (httpx.HTTPError, OSError) as error:
            # the library's own text may name the address
            raise Unavailable(f"{form.label} cannot be reached: {type(error).__name__}") from None
        except (httpx.InvalidURL, ValueError):
            raise PermanentError(f"invalid {form.label} hook URL, proxy or token") from None
        return _read(form, answer, request)

    def _through(self, proxy: str) -> httpx.AsyncClient:
        if not proxy:
            return self._client
        if proxy not in self._proxied:
            if len(self._proxied) >= _PROXIES:
                self._proxied.pop(next(iter(self._proxied)))
            self._proxied[proxy] = httpx.AsyncClient(proxy=proxy)
        return self._proxied[proxy]


def _check(form: Format, address: str) -> None:
    try:
        url = httpx.URL(address)
    except (httpx.InvalidURL, TypeError):
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        article = "webhook" if form.label in ("MS Teams", "Google Chat") else "hook"
        raise PermanentError(f"invalid {form.label} {article} URL" if address else f"{form.label} has no address")


def _read(form: Format, answer: httpx.Response, request: Request) -> dict[str, Any]:
    if not answer.is_success:
        said = _without_secrets(answer.text[:_LONGEST_ANSWER], request)[:_SHOWN].strip()
        text = f"{form.label} answered {answer.status_code} {answer.reason_phrase}: {said}".rstrip(": ")
        if answer.status_code == 429:
            wait = answer.headers.get("retry-after", "")
            raise Throttled(text, delay=float(wait) if wait.isdigit() else None)
        raise (Unavailable if answer.status_code >= 500 else PermanentError)(text)
    try:
        found = orjson.loads(answer.content[:_LONGEST_ANSWER])
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _without_secrets(text: str, request: Request) -> str:
    """Some services repeat what they were sent, or parts of it."""
    path = httpx.URL(request.url).path
    parts = [part for part in path.split("/") if len(part) >= _SHORTEST_SECRET]
    sent = [value.split()[-1] for value in request.headers.values()]
    return hidden(text, [request.url, *parts, *sent, *secrets_of(request.url)])


def _slack_words(answer: Mapping[str, Any]) -> str:
    """Slack's bot API answers 200 whatever happened."""
    return "" if answer.get("ok") else str(answer.get("error") or "no ok and no error")


__all__ = ["Alert", "Alerts", "Destination", "Posted"]
