"""Prometheus: one number per query (spec metrics-providers). A failed measurement is data, never an exception."""

from __future__ import annotations

import asyncio
import base64
import math
from collections.abc import Iterable, Mapping
from typing import Any

import httpx
import orjson

from schemas.measurement import Measurement

_TIMEOUT = 5.0
_MOST_BYTES = 4 * 1024 * 1024
_SHOWN = 5
"""Series that an error names."""


class _Refused(Exception):  # noqa: N818 - never leaves this module
    """The text is the measurement's detail."""


class _Unreachable(_Refused):
    """As before, and asking again later may help."""


class Prometheus:
    """Asks through ``client``, which stays the caller's to close."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._unverified: httpx.AsyncClient | None = None

    async def close(self) -> None:
        if self._unverified:
            await self._unverified.aclose()

    async def query(
        self,
        name: str,
        address: str,
        promql: str,
        *,
        headers: Mapping[str, Iterable[str]] | None = None,
        auth: str = "",
        timeout: float = _TIMEOUT,  # noqa: ASYNC109 - of the whole question, kept inside
        insecure_skip_verify: bool = False,
    ) -> Measurement:
        """The value now. ``auth`` is an Authorization header (:func:`authorization`), ``timeout`` in s."""
        text = " ".join(promql.split())
        sent = [(key, value) for key, values in (headers or {}).items() for value in values]
        if auth:
            sent = [(key, value) for key, value in sent if key.lower() != "authorization"] + [("Authorization", auth)]
        shown = Measurement(name=name, outcome="empty", query=text, endpoint=_without_password(address))
        client = self._without_verification() if insecure_skip_verify else self._client
        try:
            url = _query_url(address)
            async with asyncio.timeout(timeout):
                answer = await _get(client, url, text, sent, timeout)
            value = _value(answer)
        except _Unreachable as error:
            return shown.model_copy(update={"outcome": "unreachable", "detail": str(error)})
        except _Refused as error:
            return shown.model_copy(update={"outcome": "error", "detail": str(error)})
        except TimeoutError:
            detail = f"no answer within {timeout:g}s"
            return shown.model_copy(update={"outcome": "unreachable", "detail": detail})
        if value is None or math.isnan(value):
            return shown.model_copy(update={"detail": "no values found"})
        return shown.model_copy(update={"outcome": "value", "value": value})

    async def is_online(self, address: str, *, auth: str = "", insecure_skip_verify: bool = False) -> str | None:
        """None, or why not: the query ``vector(1)`` must give 1."""
        found = await self.query("online", address, "vector(1)", auth=auth, insecure_skip_verify=insecure_skip_verify)
        if found.outcome == "value" and found.value == 1:
            return None
        return found.detail or f"vector(1) gave {found.value}"

    def _without_verification(self) -> httpx.AsyncClient:
        if self._unverified is None:
            self._unverified = httpx.AsyncClient(verify=False)  # noqa: S501 - the user asked for it: insecureSkipVerify
        return self._unverified


def authorization(secret: Mapping[str, str], provider: str = "prometheus") -> str:
    """The Authorization header for a Secret's (decoded) data: ``token``, else ``username`` and ``password``.

    Raises ValueError that names what is missing, in the peer's words.
    """
    if token := secret.get("token", "").strip():
        return f"Bearer {token}"
    for key in ("username", "password"):
        if key not in secret:
            raise ValueError(f"{provider} credentials does not contain a {key}")
    pair = f"{secret['username']}:{secret['password']}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def _query_url(address: str) -> httpx.URL:
    try:
        url = httpx.URL(address)
    except (httpx.InvalidURL, TypeError):
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        raise _Refused(f"prometheus address {_without_password(address)} is not a valid URL")
    return url.copy_with(path=url.path.rstrip("/") + "/api/v1/query")


def _without_password(address: str) -> str:
    scheme, separator, rest = address.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}" if separator else address


async def _get(
    client: httpx.AsyncClient, url: httpx.URL, promql: str, headers: list[tuple[str, str]], seconds: float
) -> bytes:
    read = b""
    try:
        asking = client.stream(
            "GET", url, params={"query": promql}, headers=headers, timeout=seconds, follow_redirects=True
        )
        async with asking as response:
            async for chunk in response.aiter_bytes():
                read += chunk
                if len(read) > _MOST_BYTES:
                    raise _Refused(f"the answer is longer than {_MOST_BYTES >> 20} MiB; aggregate the series")
    except httpx.TooManyRedirects as error:
        raise _Refused(str(error)) from error
    except (httpx.HTTPError, OSError) as error:
        raise _Unreachable(str(error) or type(error).__name__) from error
    except ValueError as error:  # a header that cannot be sent
        raise _Refused(str(error)) from error
    if response.status_code >= 400:
        body = read[:300].decode(errors="replace").strip()
        detail = f"error response: Status {response.status_code} {response.reason_phrase}: {body}"
        raise (_Unreachable if response.status_code == 429 or response.status_code >= 500 else _Refused)(detail)
    return read


def _value(answer: bytes) -> float | None:
    try:
        parsed = orjson.loads(answer)
    except ValueError as error:
        raise _Refused(f"the answer is not JSON: {answer[:100].decode(errors='replace')}") from error
    if not isinstance(parsed, dict) or parsed.get("status") != "success":
        words = parsed.get("error") if isinstance(parsed, dict) else None
        raise _Refused(f"query failed: {words or 'the answer has no status success'}")
    match parsed.get("data"):
        case {"resultType": "scalar", "result": sample}:
            return _number(sample)
        case {"resultType": "vector" | "matrix", "result": []}:
            return None
        case {"resultType": "vector", "result": [item]}:
            if not isinstance(item, dict) or "value" not in item:
                raise _Refused("the only series has no value (a native histogram?)")
            return _number(item["value"])
        case {"resultType": "vector", "result": [*items]}:
            raise _Refused(f"query returned multiple values: {_series(items)}; aggregate them, for example with sum()")
        case {"resultType": "matrix"}:
            raise _Refused("query returned multiple values: a range of samples; remove the range selector")
        case {"resultType": str() as kind}:
            raise _Refused(f"query returned a {kind}, not a number")
        case _:
            raise _Refused("the answer has no result")


def _number(sample: Any) -> float:
    match sample:
        case [_, str() | int() | float() as text]:
            try:
                return float(text)
            except ValueError:
                pass
    raise _Refused(f"the sample {str(sample)[:100]} is not a number")


def _series(items: list[Any]) -> str:
    names = []
    for item in items[:_SHOWN]:
        labels = dict(item.get("metric") or {}) if isinstance(item, dict) else {}
        name = labels.pop("__name__", "")
        names.append(name + "{" + ", ".join(f'{key}="{value}"' for key, value in sorted(labels.items())) + "}")
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return ", ".join(names) + more
