"""Bytes of an HTTP/1.1 answer -> its status and the version that it names."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

VERSION_HEADER = "x-podinfo-version"
_VERSION = re.compile(rb"\r\nx-podinfo-version: *([^\r]*)", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[^\r]*chunked", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection:[^\r]*close", re.IGNORECASE)
_JSON = re.compile(rb"\r\ncontent-type: *application/json", re.IGNORECASE)


class UnreadableError(Exception):
    """It is no HTTP."""


class Found(NamedTuple):
    """``last``: the server closes the connection."""

    status: int
    version: str
    last: bool


class Reading:
    """One answer as it arrives, to a request with that method."""

    __slots__ = ("_method", "_received")

    def __init__(self, method: str) -> None:
        self._method = method
        self._received = b""

    @property
    def nothing_yet(self) -> bool:
        return not self._received

    def feed(self, data: bytes) -> Found | None:
        """None until it is complete. Raises :class:`UnreadableError`."""
        self._received = received = self._received + data if self._received else data
        end = received.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = received[: end + 2]
        try:
            status = int(received[9:12])
            body = self._body(head, status, end + 4)
        except ValueError as error:
            raise UnreadableError from error
        if body is None:
            return None
        named = _VERSION.search(head)
        version = named[1].decode("latin-1").strip() if named else _version_in(body, head)
        return Found(status, version, _CLOSE.search(head) is not None)

    def _body(self, head: bytes, status: int, start: int) -> bytes | None:
        if self._method == "HEAD" or status in (204, 304):
            return b""
        if length := _LENGTH.search(head):
            end = start + int(length[1])
            return self._received[start:end] if len(self._received) >= end else None
        return self._chunks(start) if _CHUNKED.search(head) else b""

    def _chunks(self, place: int) -> bytes | None:
        body = b""
        while (end := self._received.find(b"\r\n", place)) >= 0:
            size = int(self._received[place:end].split(b";")[0], 16)
            if size == 0:
                return body if self._received.find(b"\r\n\r\n", end) >= 0 else None
            body += self._received[end + 2 : end + 2 + size]
            place = end + 2 + size + 2
        return None


def _version_in(body: bytes, head: bytes) -> str:
    """The `version` of podinfo's own JSON, for a server that does not send the header."""
    if not _JSON.search(head):
        return ""
    try:
        value = json.loads(body)
    except ValueError:
        return ""
    return str(value.get("version", "")) if isinstance(value, dict) else ""
