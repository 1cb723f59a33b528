"""HTTP/1.1 as the sandbox's stand-ins speak it, without any I/O: bytes in, requests out; responses in, bytes out.

It knows what Envoy, Prometheus, curl and the probes send: keep-alive, request bodies of a known length or in chunks,
``Expect: 100-continue``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote

_HEAD_LIMIT = 64 * 1024
_BODY_LIMIT = 8 * 1024 * 1024
_PHRASES = {
    200: "OK",
    202: "Accepted",
    204: "No Content",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Request(NamedTuple):
    """``headers`` by lower-case name; ``path`` is decoded and without the query; ``closes`` if it is the last one."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    closes: bool = False


class Response(NamedTuple):
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = {}

    @classmethod
    def json(cls, value: Any, status: int = 200) -> Response:
        body = json.dumps(value, indent=2).encode() + b"\n"
        return cls(status, body, {"Content-Type": "application/json; charset=utf-8"})

    @classmethod
    def text(cls, value: str, status: int = 200) -> Response:
        return cls(status, value.encode(), {"Content-Type": "text/plain; charset=utf-8"})


class RefusedError(Exception):
    """The request cannot be read; the connection ends with this status."""

    def __init__(self, status: int = 400) -> None:
        super().__init__(str(status))
        self.status = status


class Incoming:
    """What has come in on one connection. ``permit`` is called when the client waits for leave to send its body."""

    def __init__(self, permit: Callable[[], None]) -> None:
        self._permit = permit
        self._received = bytearray()
        self._head: Request | None = None

    def feed(self, data: bytes) -> None:
        self._received += data

    def next(self) -> Request | None:
        """None until one is complete. Raises :class:`RefusedError`."""
        try:
            if self._head is None:
                self._head = self._read_head()
            if self._head is None or (body := self._read_body(self._head.headers)) is None:
                return None
        except ValueError:
            raise RefusedError from None
        request, self._head = self._head._replace(body=body), None
        return request

    def _read_head(self) -> Request | None:
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            if len(self._received) > _HEAD_LIMIT:
                raise RefusedError
            return None
        request = _parse(self._received[:end].decode("latin-1"))
        del self._received[: end + 4]
        if request.headers.get("expect", "").lower() == "100-continue":
            self._permit()
        return request

    def _read_body(self, headers: Mapping[str, str]) -> bytes | None:
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return self._read_chunks()
        size = _acceptable(int(headers.get("content-length", 0)))
        return self._take(size) if len(self._received) >= size else None

    def _read_chunks(self) -> bytes | None:
        body, place = b"", 0
        while (end := self._received.find(b"\r\n", place)) >= 0:
            size = int(self._received[place:end].split(b";")[0], 16)
            start, place = end + 2, end + 2 + _acceptable(size, len(body)) + 2
            if size == 0:
                return self._end_chunks(body, start)
            body += self._received[start : place - 2]
        return None

    def _end_chunks(self, body: bytes, start: int) -> bytes | None:
        """Trailers mean nothing here; an empty line ends them."""
        end = self._received.find(b"\r\n\r\n", start - 2)
        if end < 0:
            return None
        del self._received[: end + 4]
        return body

    def _take(self, size: int) -> bytes:
        taken = bytes(self._received[:size])
        del self._received[:size]
        return taken


def rendered(response: Response, request: Request, *, close: bool) -> bytes:
    """The bytes of ``response`` to ``request``."""
    head = _head(response.status, response.headers, len(response.body), close=close)
    return head if request.method == "HEAD" else head + response.body


def refusal(status: int) -> bytes:
    return _head(status, {}, 0, close=True)


def _parse(head: str) -> Request:
    first, *lines = head.split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise RefusedError
    method, target, version = parts
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    path, _, query = target.partition("?")
    connection = headers.get("connection", "").lower()
    closes = "close" in connection or (version == "HTTP/1.0" and "keep-alive" not in connection)
    return Request(method, unquote(path), parse_qs(query) if query else {}, headers, b"", closes)


def _acceptable(size: int, already: int = 0) -> int:
    if size < 0 or size + already > _BODY_LIMIT:
        raise RefusedError(413 if size > 0 else 400)
    return size


def _head(status: int, headers: Mapping[str, str], length: int, *, close: bool) -> bytes:
    lines = [f"HTTP/1.1 {status} {_PHRASES.get(status, 'Status')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if status >= 200 and status not in (204, 304):
        lines.append(f"Content-Length: {length}")
    lines.append("Connection: close" if close else "Connection: keep-alive")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
