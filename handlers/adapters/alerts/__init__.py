"""Alerts to chat services: one module for each payload, one way to post them (spec alerts).

Addresses and tokens are secrets. No text that leaves here has them: errors say which provider answered what.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx

from handlers.adapters.alerts.alert import Alert, Destination, Format, Posted, Request
from handlers.adapters.alerts.answer import read, slack_words
from handlers.adapters.alerts.chat import Discord, Rocket, Slack, is_bot
from handlers.adapters.alerts.gchat import GoogleChat
from handlers.adapters.alerts.msteams import MsTeams
from handlers.adapters.errors import PermanentError, Unavailable
from handlers.adapters.http_answer import beginning
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
        bot = is_bot(destination)
        said = slack_words(answer) if bot or (destination.type is AlertType.SLACK and "ok" in answer) else ""
        if edited is not None and said in _LOST:
            return await self.send(destination, alert)
        if said:
            raise (Unavailable if said in _BUSY else PermanentError)(f"{form.label} answered: {said}")
        if not bot:
            return None
        return Posted(str(answer.get("channel") or destination.channel), str(answer.get("ts") or ""))

    async def _post(self, form: Format, request: Request, proxy: str) -> dict[str, Any]:
        headers = {"Content-type": "application/json", **request.headers}
        if not all(value.isascii() and value.isprintable() for value in headers.values()):
            # the library's own words would repeat it
            raise PermanentError(f"the token of {form.label} has a line break or what is not ASCII; mend it")
        try:
            async with (
                asyncio.timeout(_TIMEOUT),
                self._through(proxy).stream(
                    "POST",
                    request.url,
                    content=encode(request.body),
                    headers=headers,
                    timeout=_TIMEOUT,
                    # a login page says 200, and another host is nobody that was named
                    follow_redirects=False,
                ) as answer,
            ):
                body = await beginning(answer)
        except TimeoutError:
            raise Unavailable(f"{form.label} gave no answer within {_TIMEOUT:g}s") from None
        except (httpx.HTTPError, OSError) as error:
            # the library's own text may name the address
            raise Unavailable(f"{form.label} cannot be reached: {type(error).__name__}") from None
        except (httpx.InvalidURL, ValueError):
            raise PermanentError(f"invalid {form.label} hook URL, proxy or token") from None
        return read(form.label, answer, body, request)

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


__all__ = ["Alert", "Alerts", "Destination", "Posted"]
