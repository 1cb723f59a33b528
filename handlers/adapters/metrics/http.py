"""HTTP as the metric providers need it: bounded answers, words for what went wrong, and secrets that stay at home."""

from __future__ import annotations

import hashlib
import ssl
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import orjson

from handlers.adapters.http_answer import retry_after

_MOST_BYTES = 4 * 1024 * 1024
_MOST_REDIRECTS = 5
_MOST_CLIENTS = 32
_LONGEST_NAME = 200
"""Characters of a series' name."""
LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=20)
"""Connections are not rationed: who is asked has a time limit, and one that hangs must not make others wait for it."""
_TLS_KEYS = ("ca.crt", "tls.crt", "tls.key")
"""Keys of a Secret with the CA that signed the provider's certificate, and a client certificate for it."""

Pairs = list[tuple[str, str]]


class Refused(Exception):  # noqa: N818 - the provider's own words, not a fault of ours
    """It answered, and asking the same again gives the same. The text is the measurement's detail."""


class Unreachable(Refused):
    """No answer, 429 or 5xx: asking again later may help. ``wait``: seconds that it asked to be left alone for."""

    def __init__(self, detail: str, wait: float = 0.0) -> None:
        super().__init__(detail)
        self.wait = wait


class Http:
    """Asks through ``client``, which stays the caller's to close; others are made for other certificates."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._others: dict[str, httpx.AsyncClient] = {}

    async def close(self) -> None:
        for client in self._others.values():
            await client.aclose()
        self._others.clear()

    async def fetch(
        self,
        method: str,
        url: httpx.URL,
        *,
        params: Pairs | None = None,
        headers: Pairs | None = None,
        content: bytes | None = None,
        secret: Mapping[str, str] | None = None,
        insecure_skip_verify: bool = False,
    ) -> bytes:
        """The body of a 2xx. Redirects are followed on the same host; headers and secrets never leave for another."""
        client = self._for(secret or {}, insecure_skip_verify=insecure_skip_verify)
        _need_sendable(headers or [])
        try:
            found = httpx.QueryParams(tuple(params)) if params else None
            # who asks has a time limit for the whole question; the client's own would cut it short
            asked = client.build_request(method, url, params=found, headers=headers, content=content, timeout=None)
            for _ in range(_MOST_REDIRECTS):
                response, body = await _send(client, asked)
                following = response.next_request
                if following is None:
                    break
                if _origin(following.url) != _origin(asked.url) and (headers or secret or asked.url.userinfo):
                    raise Refused(f"redirected to {_origin(following.url)}; credentials are not sent there")
                asked = following
            else:
                raise Refused(f"redirected more than {_MOST_REDIRECTS} times")
        except (httpx.HTTPError, OSError) as error:
            raise Unreachable(str(error) or type(error).__name__) from error
        except httpx.InvalidURL as error:
            raise Refused(f"the query cannot be sent: {error}") from error
        _raise_for(response, body)
        return body

    def _for(self, secret: Mapping[str, str], *, insecure_skip_verify: bool) -> httpx.AsyncClient:
        """A client for the certificates that the Secret carries. Raises Refused for ones that nobody can read."""
        tls = {key: secret[key] for key in _TLS_KEYS if secret.get(key)}
        if not tls and not insecure_skip_verify:
            return self._client
        name = hashlib.sha256(orjson.dumps([sorted(tls.items()), insecure_skip_verify])).hexdigest()
        if name not in self._others:
            if len(self._others) >= _MOST_CLIENTS:
                # a rotated certificate; who is asking through the oldest just now is told Unreachable
                self._others.pop(next(iter(self._others)))
            self._others[name] = httpx.AsyncClient(verify=_context(tls, verify=not insecure_skip_verify), limits=LIMITS)
        return self._others[name]


async def _send(client: httpx.AsyncClient, asked: httpx.Request) -> tuple[httpx.Response, bytes]:
    response = await client.send(asked, stream=True, follow_redirects=False)
    body = b""
    try:
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > _MOST_BYTES:
                raise Refused(f"the answer is longer than {_MOST_BYTES >> 20} MiB; aggregate the series")
    finally:
        await response.aclose()
    return response, body


def _need_sendable(headers: Pairs) -> None:
    """HTTP has no words for other characters; the client's own error would repeat the value, which may be a secret."""
    for name, value in headers:
        if not (value.isascii() and value.isprintable()):
            raise Refused(f"the header {name} cannot be sent: its value has a line break or what is not ASCII; mend it")


def _origin(url: httpx.URL) -> str:
    port = f":{url.port}" if url.port else ""
    return f"{url.scheme}://{url.host}{port}"


def _raise_for(response: httpx.Response, body: bytes) -> None:
    code = response.status_code
    if code < 400:
        return
    said = body[:300].decode(errors="replace").strip()
    detail = f"error response: Status {code} {response.reason_phrase}: {said}"
    if code == 429 or code >= 500:
        wait = retry_after(response.headers.get("retry-after", "")) or 0.0
        raise Unreachable(detail + (f" (asked again after {wait:.0f} s at the earliest)" if wait else ""), wait)
    raise Refused(detail)


def _context(tls: Mapping[str, str], *, verify: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        if authority := tls.get("ca.crt"):
            context.load_verify_locations(cadata=authority)
        if certificate := tls.get("tls.crt"):
            _load_pair(context, certificate, tls.get("tls.key", ""))
    except (ssl.SSLError, OSError, ValueError) as error:
        raise Refused(f"the Secret's ca.crt, tls.crt or tls.key cannot be read: {error}") from error
    return context


def _load_pair(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """The ssl module reads them from files only: one that nobody else can open, gone when it is read."""
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        Path(file.name).write_text(f"{certificate}\n{key}\n")
        context.load_cert_chain(file.name)


def url_of(address: str, path: str, provider: str) -> httpx.URL:
    """``address`` with ``path`` behind its own. Raises Refused, in the peer's words, for one that is no URL."""
    try:
        url = httpx.URL(address)
    except (httpx.InvalidURL, TypeError):
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        raise Refused(f"{provider} address {without_password(address)} is not a valid URL")
    try:
        return url.copy_with(path=url.path.rstrip("/") + path, query=None, fragment=None)
    except httpx.InvalidURL as error:
        # a part of the path may come from the Secret: it is not shown
        asked = f"{provider} address {without_password(address)}"
        raise Refused(f"{asked} cannot be asked so; does a value of the Secret or the query break a line?") from error


def without_password(address: str) -> str:
    """As people may read it: no login, and no query, which nobody is asked with."""
    scheme, separator, rest = address.partition("://")
    rest = rest.partition("?")[0].partition("#")[0]
    return f"{scheme}{separator}{rest.rpartition('@')[2]}" if separator else address.partition("?")[0]


def as_json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except ValueError as error:
        raise Refused(f"the answer is not JSON: {body[:100].decode(errors='replace')}") from error


def as_number(value: Any, what: str) -> float:
    """Whole numbers and numbers in quotes are numbers; anything else is refused, with ``what`` it should have been."""
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        with suppress(ValueError):
            return float(value)
    raise Refused(f"{what} {str(value)[:100]} is not a number")


def name_of(item: Any, *keys: str) -> str:
    """What tells one series from another: the first of its ``keys`` that it has, else all of it."""
    found = next((item[key] for key in keys if item.get(key)), item) if isinstance(item, dict) else item
    return found if isinstance(found, str) else orjson.dumps(found).decode()


def several(names: Iterable[str], *, shown: int = 5) -> Refused:
    """More than one series: the error that names them."""
    found = list(names)
    more = f" and {len(found) - shown} more" if len(found) > shown else ""
    listed = ", ".join(name[:_LONGEST_NAME] for name in found[:shown]) + more
    return Refused(f"query returned multiple values: {listed}; aggregate them into one, for example with sum()")
