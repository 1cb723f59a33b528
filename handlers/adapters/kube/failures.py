"""The API server's refusals as :mod:`handlers.adapters.errors`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import aiohttp

from handlers.adapters.errors import (
    AdapterError,
    AlreadyExists,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    Throttled,
    Unavailable,
    Unserved,
)
from schemas.resources import Resource

_KINDS: Mapping[int, type[AdapterError]] = {401: Forbidden, 403: Forbidden, 404: NotFound, 409: Conflict, 410: Gone}
_COMES_WITH: Mapping[str, str] = {
    "gateway.solo.io": "it comes with Gloo Edge",
    "gloo.solo.io": "it comes with Gloo Edge",
    "keda.sh": "it comes with KEDA",
}


def unserved(resource: Resource, name: str, error: NotFound) -> Unserved:
    """The server's own words are "404 page not found" when a whole group of kinds is missing."""
    text = f"{resource.kind} {name} cannot be created: {error}"
    if (source := _COMES_WITH.get(resource.group)) and "namespaces" not in str(error):
        text += f"; install the CustomResourceDefinition {resource.plural}.{resource.group}, {source}"
    return Unserved(text)


def words(error: BaseException) -> str:
    return str(error) or type(error).__name__


def of_response(response: aiohttp.ClientResponse, answer: bytes) -> AdapterError:
    """A proxy on the way may answer with something else than a Status: its beginning is kept."""
    try:
        status = json.loads(answer)
    except ValueError:
        status = None
    if not isinstance(status, dict):
        status = {"message": answer[:300].decode(errors="replace").strip()}
    return of_status(response.status, status, response.headers.get("Retry-After", ""))


def of_status(code: int, status: Mapping[str, Any], retry_after: str = "") -> AdapterError:
    """``retry_after`` in seconds, as sent."""
    reason, message = status.get("reason") or "", status.get("message") or ""
    text = ": ".join(filter(None, (f"Kubernetes API: {code} {reason}".rstrip(), message)))
    delay = float(retry_after) if retry_after.isascii() and retry_after.isdigit() else None
    if code == 409 and reason == "AlreadyExists":
        return AlreadyExists(text)
    if code == 429:
        return Throttled(text, delay)
    if kind := _KINDS.get(code):
        return kind(text)
    return Invalid(text) if code < 500 else Unavailable(text, delay)
