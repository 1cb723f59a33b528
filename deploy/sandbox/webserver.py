"""A frugal HTTP/1.1 server for the sandbox's stand-ins: a pod of it takes 16 MB, with aiohttp 38 MB.

It knows what Envoy, Prometheus, curl and the probes send: keep-alive, request bodies of a known length or in chunks,
``Expect: 100-continue``. It leaves in order: it announces ``connection: close``, then accepts no more, finishes what
it has begun, and only then is gone.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

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


class Request(NamedTuple):
    """``headers`` by lower-case name; ``path`` is decoded and without the query."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes


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


Handler = Callable[[Request], Awaitable[Response]]


class _Refused(Exception):  # noqa: N818 - an answer, not a fault of ours
    """The request cannot be read; the connection ends with this status."""

    def __init__(self, status: int) -> None:
        self.status = status


class WebServer:
    """Listens on any number of addresses; each has its own handler."""

    def __init__(self) -> None:
        self.draining = False
        self._listeners: list[asyncio.Server] = []
        self._idle: set[asyncio.Task[None]] = set()
        self._busy: set[asyncio.Task[None]] = set()

    async def listen(self, handler: Handler, host: str, port: int) -> int:
        """Returns the port, which the system chooses if ``port`` is 0. Raises OSError when it is taken."""

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._connection(handler, reader, writer)

        listener = await asyncio.start_server(connected, host, port, limit=_HEAD_LIMIT, backlog=1024)
        self._listeners.append(listener)
        return int(listener.sockets[0].getsockname()[1])

    def drain(self) -> None:
        """From now on every answer asks the client to come back on a new connection."""
        self.draining = True

    async def close(self, grace: float = 5) -> None:
        """Accepts no more, ends idle connections, gives requests under way ``grace`` seconds."""
        self.drain()
        for listener in self._listeners:
            listener.close()
        for task in list(self._idle):
            task.cancel()
        if self._busy:
            await asyncio.wait(list(self._busy), timeout=grace)
        rest = [*self._idle, *self._busy]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    async def _connection(self, handler: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - start_server runs every connection in a task
        self._idle.add(task)
        try:
            while await self._exchange(handler, task, reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has left, or we are closing
        except (_Refused, asyncio.LimitOverrunError, ValueError) as error:
            writer.write(_head(getattr(error, "status", 400), {}, 0, close=True))
        finally:
            self._idle.discard(task)
            self._busy.discard(task)
            writer.close()

    async def _exchange(
        self,
        handler: Handler,
        task: asyncio.Task[None],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        """One request and its answer; false when the connection is over."""
        head = await reader.readuntil(b"\r\n\r\n")
        self._idle.discard(task)
        self._busy.add(task)
        method, target, version, headers = _parse(head)
        if headers.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await _body(reader, headers)
        address = urlsplit(target)
        request = Request(method, unquote(address.path), parse_qs(address.query), headers, body)
        response = await handler(request)
        close = self.draining or _wants_close(version, headers)
        head = _head(response.status, response.headers, len(response.body), close=close)
        writer.write(head if method == "HEAD" else head + response.body)
        await writer.drain()
        self._busy.discard(task)
        self._idle.add(task)
        return not close


def _parse(head: bytes) -> tuple[str, str, str, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise _Refused(400)
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    return parts[0], parts[1], parts[2], headers


def _wants_close(version: str, headers: Mapping[str, str]) -> bool:
    connection = headers.get("connection", "").lower()
    return "close" in connection or (version == "HTTP/1.0" and "keep-alive" not in connection)


async def _body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if "chunked" not in headers.get("transfer-encoding", "").lower():
        return await reader.readexactly(_acceptable(int(headers.get("content-length", 0))))
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        body += await reader.readexactly(_acceptable(size, len(body)))
        await reader.readexactly(2)
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass  # trailers
    return body


def _acceptable(size: int, already: int = 0) -> int:
    if size < 0 or size + already > _BODY_LIMIT:
        raise _Refused(413 if size > 0 else 400)
    return size


def _head(status: int, headers: Mapping[str, str], length: int, *, close: bool) -> bytes:
    lines = [f"HTTP/1.1 {status} {_PHRASES.get(status, 'Status')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if status >= 200 and status not in (204, 304):
        lines.append(f"Content-Length: {length}")
    lines.append("Connection: close" if close else "Connection: keep-alive")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
