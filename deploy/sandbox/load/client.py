"""A small HTTP/1.1 client that keeps connections and tells exactly how a request failed."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

Cause = Literal["5xx", "404", "4xx", "refused", "reset", "timeout"]
VERSION_HEADER = "x-podinfo-version"
_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})


class Answer(NamedTuple):
    """How one request ended. ``status`` is 0 if no answer came; ``version`` is "" if the answer names none.

    ``seconds`` is from the call to the last byte or to the failure.
    """

    status: int
    version: str
    seconds: float
    cause: Cause | None


class _Connection(NamedTuple):
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class _StaleError(Exception):
    """The server had closed a kept connection before it saw the request."""


class Client:
    """Requests to one address. ``timeout`` in seconds covers a whole request."""

    def __init__(
        self, url: str, *, host: str | None = None, headers: Mapping[str, str] | None = None, timeout: float = 10
    ) -> None:
        """``host`` is sent as Host header instead of the address of ``url``. Raises ValueError for a strange URL."""
        address = urlsplit(url)
        if address.scheme != "http" or not address.hostname:
            raise ValueError(f"not a http URL: {url!r}")
        self.address = (address.hostname, address.port or 80)
        self.path = (address.path or "/") + (f"?{address.query}" if address.query else "")
        given = {"Host": host or address.netloc, "User-Agent": "canarybus-load", "Accept": "*/*"}
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in (given | dict(headers or {})).items())
        self._timeout = timeout
        self._idle: list[_Connection] = []

    async def request(self, path: str | None = None, *, method: str = "GET", body: bytes = b"") -> Answer:
        """One request; never raises for what the other side does."""
        started = time.monotonic()
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        wanted = f"{method} {path or self.path} HTTP/1.1\r\n{self._headers}{length}\r\n".encode() + body
        status, version, cause = await self._attempt(wanted, method)
        return Answer(status, version, time.monotonic() - started, cause or _cause(status))

    async def _attempt(self, wanted: bytes, method: str) -> tuple[int, str, Cause | None]:
        try:
            async with asyncio.timeout(self._timeout):
                try:
                    return *await self._send(wanted, method, fresh=False), None
                except _StaleError:
                    return *await self._send(wanted, method, fresh=True), None
        except TimeoutError:
            return 0, "", "timeout"
        except ConnectionRefusedError:
            return 0, "", "refused"
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError):
            return 0, "", "reset"

    async def _send(self, wanted: bytes, method: str, *, fresh: bool) -> tuple[int, str]:
        kept = None if fresh else self._kept()
        connection = kept or _Connection(*await asyncio.open_connection(*self.address))
        keep = False
        try:
            connection.writer.write(wanted)
            try:
                head = await connection.reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError as error:
                if kept and not error.partial and method in _IDEMPOTENT:
                    raise _StaleError from error
                raise
            except ConnectionError as error:
                if kept and method in _IDEMPOTENT:
                    raise _StaleError from error
                raise
            status, headers = _parse(head)
            body = b"" if method == "HEAD" else await _body(connection.reader, status, headers)
            keep = "close" not in headers.get("connection", "").lower()
            return status, headers.get(VERSION_HEADER) or _version_in(body, headers)
        finally:
            if keep:
                self._idle.append(connection)
            else:
                connection.writer.close()

    def _kept(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.reader.at_eof() and not connection.writer.is_closing():
                return connection
            connection.writer.close()
        return None

    async def close(self) -> None:
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.writer.close()
        await asyncio.gather(*(connection.writer.wait_closed() for connection in idle), return_exceptions=True)


def _cause(status: int) -> Cause | None:
    if status >= 500:
        return "5xx"
    if status == 404:
        return "404"
    return "4xx" if status >= 400 else None


def _parse(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines if line)
    return int(first.split(" ")[1]), {name.strip().lower(): value.strip() for name, _, value in pairs}


async def _body(reader: asyncio.StreamReader, status: int, headers: Mapping[str, str]) -> bytes:
    if status in (204, 304):
        return b""
    if "chunked" not in headers.get("transfer-encoding", ""):
        return await reader.readexactly(int(headers.get("content-length", 0)))
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass  # trailers
    return body


def _version_in(body: bytes, headers: Mapping[str, str]) -> str:
    """The `version` of podinfo's own JSON, for a server that does not send the header."""
    if not headers.get("content-type", "").startswith("application/json"):
        return ""
    try:
        value = json.loads(body)
    except ValueError:
        return ""
    return str(value.get("version", "")) if isinstance(value, dict) else ""
