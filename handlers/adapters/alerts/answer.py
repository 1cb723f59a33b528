"""What a chat service answered: its beginning, and the error that it stands for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import httpx
import orjson

from handlers.adapters.alerts.alert import Request
from handlers.adapters.errors import PermanentError, Throttled, Unavailable
from handlers.adapters.hiding import hidden, secrets_of
from handlers.adapters.http_answer import retry_after

_SHOWN = 200
"""Characters of an answer that an error shows."""
_SHORTEST_SECRET = 8
"""Characters; shorter parts of an address are words."""
_LONGEST_WAIT = 300.0
"""Seconds: who asks for more is asked again all the same, for a notice is kept for an hour."""
_REFUSED_WITHIN = re.compile(r"HTTP error (\d{3})")
"""A connector of Teams answers 200, and says in the text what became of the message behind it."""


def read(label: str, response: httpx.Response, body: bytes, request: Request) -> dict[str, Any]:
    """The JSON object of a 2xx, empty for any other text. Raises what the answer means."""
    if response.next_request is not None:
        raise PermanentError(
            f"{label} redirects to {_origin(response.next_request.url)}, where alerts are not sent; mend the address"
        )
    text = body.decode(errors="replace")
    within = _REFUSED_WITHIN.search(text) if label == "MS Teams" and response.is_success else None
    if within or not response.is_success:
        _raise(label, int(within[1]) if within else response.status_code, response, text, request)
    try:
        found = orjson.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def slack_words(answer: Mapping[str, Any]) -> str:
    """Slack's API answers 200 whatever happened."""
    return "" if answer.get("ok") else str(answer.get("error") or "no ok and no error")[:_SHOWN]


def _raise(label: str, code: int, response: httpx.Response, text: str, request: Request) -> None:
    reason = response.reason_phrase if code == response.status_code else _phrase(code)
    said = _without_secrets(text, request)[:_SHOWN].strip()
    words = f"{label} answered {code} {reason}: {said}".rstrip(": ")
    if code == HTTPStatus.TOO_MANY_REQUESTS:
        wait = retry_after(response.headers.get("retry-after", ""))
        raise Throttled(words, delay=None if wait is None else min(wait, _LONGEST_WAIT))
    raise (Unavailable if code >= HTTPStatus.INTERNAL_SERVER_ERROR else PermanentError)(words)


def _phrase(code: int) -> str:
    return HTTPStatus(code).phrase if code in HTTPStatus._value2member_map_ else ""


def _origin(url: httpx.URL) -> str:
    port = f":{url.port}" if url.port else ""
    return f"{url.scheme}://{url.host}{port}"


def _without_secrets(text: str, request: Request) -> str:
    """Some services repeat what they were sent, or parts of it."""
    path = httpx.URL(request.url).path
    parts = [part for part in path.split("/") if len(part) >= _SHORTEST_SECRET]
    sent = [value.split()[-1] for value in request.headers.values()]
    return hidden(text, [request.url, *parts, *sent, *secrets_of(request.url)])
