"""A small HTTP/1.1 client that keeps connections and tells exactly how a request failed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from deploy.sandbox.load.answers import Reading, UnreadableError

Cause = Literal["5xx", "404", "4xx", "refused", "reset", "timeout"]
_KEPT = 64
"""Idle connections; those of a crowd that has gone cost the gateway 50 KB each."""
_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})


class Answer(NamedTuple):
    """How one request ended. ``status`` is 0 if no answer came; ``version`` is "" if the answer names none.

    ``seconds`` is from the call to the last byte or to the failure.
    """

    status: int
    version: str
    seconds: float
    cause: Cause | None


class _Question:
    """One request under way. ``done`` hears how it ended."""

    __slots__ = ("connection", "done", "due", "method", "once", "started", "text")

    def __init__(self, method: str, text: bytes, timeout: float, done: Callable[[Answer], None]) -> None:
        self.method = method
        self.text = text
        self.started = time.monotonic()
        self.due = self.started + timeout
        self.done = done
        self.once = method not in _IDEMPOTENT
        self.connection: _Connection | None = None

    def answered(self, status: int, version: str) -> None:
        self.done(Answer(status, version, time.monotonic() - self.started, _cause(status)))

    def failed(self, cause: Cause) -> None:
        self.done(Answer(0, "", time.monotonic() - self.started, cause))


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
        self._under_way: dict[_Question, None] = {}
        self._connecting: set[asyncio.Task[None]] = set()
        self._watch: asyncio.TimerHandle | None = None

    @property
    def under_way(self) -> int:
        """Requests that have no answer yet."""
        return len(self._under_way)

    async def request(self, path: str | None = None, *, method: str = "GET", body: bytes = b"") -> Answer:
        """One request; never raises for what the other side does."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.send(lambda given: None if answer.done() else answer.set_result(given), path, method=method, body=body)
        return await answer

    def send(
        self, done: Callable[[Answer], None], path: str | None = None, *, method: str = "GET", body: bytes = b""
    ) -> None:
        """The same for those who send many: ``done`` is called when it has ended."""
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        text = f"{method} {path or self.path} HTTP/1.1\r\n{self._headers}{length}\r\n".encode() + body
        question = _Question(method, text, self._timeout, done)
        self._under_way[question] = None
        self._watch_over(question)
        while self._idle:
            kept = self._idle.pop()
            if kept.is_open:
                kept.ask(question)
                return
        self._on_a_new_connection(question)

    async def close(self) -> None:
        """What is under way ends as reset."""
        if self._watch:
            self._watch.cancel()
        for task in self._connecting:
            task.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)
        idle, self._idle = self._idle, []
        asked = [question.connection for question in self._under_way if question.connection]
        for connection in (*idle, *asked):
            connection.end()
        for question in list(self._under_way):
            self.over(question).failed("reset")

    def over(self, question: _Question) -> _Question:
        self._under_way.pop(question, None)
        return question

    def keep(self, connection: _Connection) -> None:
        if len(self._idle) < _KEPT:
            self._idle.append(connection)
        else:
            connection.end()

    def lost(self, question: _Question, *, kept: bool, silent: bool) -> None:
        """A connection that had been kept may have been closed before the server saw the request: it is sent again."""
        if kept and silent and not question.once:
            question.once = True
            self._on_a_new_connection(question)
        elif question in self._under_way:
            self.over(question).failed("reset")

    def _on_a_new_connection(self, question: _Question) -> None:
        task = asyncio.create_task(self._connect(question))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, question: _Question) -> None:
        try:
            _, connection = await asyncio.get_running_loop().create_connection(lambda: _Connection(self), *self.address)
        except OSError as error:
            if question in self._under_way:
                self.over(question).failed("refused" if isinstance(error, ConnectionRefusedError) else "reset")
            return
        if question in self._under_way:
            connection.ask(question)
        else:
            connection.end()  # it came too late

    def _watch_over(self, question: _Question) -> None:
        """They end in the order in which they began: one alarm clock is enough for all."""
        if self._watch is None:
            wait = question.due - time.monotonic()
            self._watch = asyncio.get_running_loop().call_later(wait, self._look_at_the_clock)

    def _look_at_the_clock(self) -> None:
        self._watch = None
        while self._under_way:
            oldest = next(iter(self._under_way))
            if oldest.due > time.monotonic():
                self._watch_over(oldest)
                return
            self.over(oldest).failed("timeout")
            if oldest.connection:
                oldest.connection.end()


class _Connection(asyncio.Protocol):
    """One request after the other."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._question: _Question | None = None
        self._reading = Reading("")
        self._answers = 0
        self._transport: asyncio.Transport
        self.is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - of a stream
        self._transport = transport
        self.is_open = True

    def ask(self, question: _Question) -> None:
        self._question = question
        question.connection = self
        self._reading = Reading(question.method)
        self._transport.write(question.text)

    def end(self) -> None:
        self._question = None
        self.is_open = False
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._question is None:
            self.end()  # nobody has asked
            return
        try:
            answer = self._reading.feed(data)
        except UnreadableError:
            question, self._question = self._question, None
            self.end()
            self._client.over(question).failed("reset")
            return
        if answer is not None:
            question, self._question = self._question, None
            self._answers += 1
            if answer.last:
                self.end()
            else:
                self._client.keep(self)
            self._client.over(question).answered(answer.status, answer.version)

    def eof_received(self) -> None:
        """The server has closed: so do we."""

    def connection_lost(self, _: Exception | None) -> None:
        self.is_open = False
        question, self._question = self._question, None
        if question is not None:
            self._client.lost(question, kept=self._answers > 0, silent=self._reading.nothing_yet)


def _cause(status: int) -> Cause | None:
    if status < 400:
        return None
    if status >= 500:
        return "5xx"
    return "404" if status == 404 else "4xx"
