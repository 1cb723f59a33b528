"""A server in one thread, without asyncio: a replica takes 13 MB with it (16 MB with), a request 20 us (200 us).

It leaves in order: it announces ``connection: close``, then accepts no more, finishes what it has begun, and only then
is gone.
"""

from __future__ import annotations

import selectors
import socket
from collections.abc import Callable
from typing import NamedTuple

from deploy.sandbox.messages import CONTINUE, Incoming, RefusedError, Request, Response, refusal, rendered
from deploy.sandbox.podinfo.loop import CHUNK, Loop


class Plan(NamedTuple):
    """What is to be done about a request: ``answer`` is asked for the response ``delay`` seconds from now."""

    answer: Callable[[], Response]
    delay: float = 0.0


Planner = Callable[[Request], Plan]


class Server:
    """Listens on any number of addresses and answers as planned."""

    def __init__(self, loop: Loop, planner: Planner) -> None:
        self.draining = False
        self.planner = planner
        self.loop = loop
        self.connections: set[Connection] = set()
        self._listeners: list[socket.socket] = []
        self._when_idle: Callable[[], None] | None = None

    @property
    def listening(self) -> bool:
        return bool(self._listeners)

    def listen(self, host: str, port: int) -> int:
        """Returns the port, which the system chooses if ``port`` is 0. Raises OSError when it is taken."""
        listener = socket.create_server((host, port), backlog=1024)
        listener.setblocking(False)
        self._listeners.append(listener)
        self.loop.watch(listener, selectors.EVENT_READ, lambda _: self._accept(listener))
        return int(listener.getsockname()[1])

    def drain(self) -> None:
        """From now on every answer asks the client to come back on a new connection."""
        self.draining = True

    def close(self, done: Callable[[], None], grace: float) -> None:
        """Accepts no more, ends idle connections; ``done`` when the others have their answers, or after ``grace``."""
        self.drain()
        for listener in self._listeners:
            self.loop.forget(listener)
            listener.close()
        for connection in [each for each in self.connections if each.idle]:
            connection.close()
        self._when_idle = done
        self.loop.after(grace, done)
        self.ended(None)

    def ended(self, connection: Connection | None) -> None:
        self.connections.discard(connection)
        if self._when_idle and not self.connections:
            self._when_idle()

    def _accept(self, listener: socket.socket) -> None:
        try:
            line, _ = listener.accept()
        except OSError:
            return  # it has left already
        line.setblocking(False)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connections.add(Connection(self, line))


class Connection:
    """One request after the other."""

    def __init__(self, server: Server, line: socket.socket) -> None:
        self._server = server
        self._line = line
        self._incoming = Incoming(lambda: self._send(CONTINUE))
        self._unsent = b""
        self._last = False
        self._answering = False
        self._open = True
        server.loop.watch(line, selectors.EVENT_READ, self._moved)

    @property
    def idle(self) -> bool:
        return not self._answering and not self._unsent

    def close(self) -> None:
        if self._open:
            self._open = False
            self._server.loop.forget(self._line)
            self._line.close()
            self._server.ended(self)

    def _moved(self, events: int) -> None:
        try:
            if events & selectors.EVENT_WRITE:
                self._send(b"")
            if events & selectors.EVENT_READ:
                self._read()
        except OSError:
            self.close()  # the client has left

    def _read(self) -> None:
        data = self._line.recv(CHUNK)
        if not data:
            self.close()
            return
        self._incoming.feed(data)
        self._go_on()

    def _go_on(self) -> None:
        while self._open and not self._answering and not self._last:
            try:
                request = self._incoming.next()
            except RefusedError as error:
                self._finish(refusal(error.status), last=True)
                return
            if request is None:
                return
            self._answer(request)

    def _answer(self, request: Request) -> None:
        plan = self._server.planner(request)
        if not plan.delay:
            self._respond(request, plan)
            return
        self._answering = True
        self._server.loop.after(plan.delay, lambda: self._respond_late(request, plan))

    def _respond_late(self, request: Request, plan: Plan) -> None:
        self._answering = False
        try:
            self._respond(request, plan)
            self._go_on()
        except OSError:
            self.close()

    def _respond(self, request: Request, plan: Plan) -> None:
        response = plan.answer()  # it counts even when nobody is there to hear it
        last = self._server.draining or request.closes
        if self._open:
            self._finish(rendered(response, request, close=last), last=last)

    def _finish(self, answer: bytes, *, last: bool) -> None:
        self._last = last
        self._send(answer)

    def _send(self, more: bytes) -> None:
        self._unsent += more
        try:
            sent = self._line.send(self._unsent)
        except BlockingIOError:
            sent = 0
        self._unsent = self._unsent[sent:]
        if self._unsent:
            self._server.loop.watch(self._line, selectors.EVENT_READ | selectors.EVENT_WRITE, self._moved)
        elif self._last:
            self.close()
        elif not more:
            self._server.loop.watch(self._line, selectors.EVENT_READ, self._moved)
