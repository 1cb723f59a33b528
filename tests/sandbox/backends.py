"""Small HTTP servers at pods' addresses, for tests of what lies in front of pods."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Network:
    """Addresses of pods that no other test uses at the same time: ``published`` is 10.A.B.C, ``real`` 127.A.B.C."""

    def __init__(self) -> None:
        self._prefix = f"{97 + secrets.randbelow(150)}.{secrets.randbelow(256)}"

    def published(self, number: int) -> str:
        return f"10.{self._prefix}.{number}"

    def real(self, number: int) -> str:
        return f"127.{self._prefix}.{number}"


def saying(text: str) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=text)

    return answer


@asynccontextmanager
async def backend(address: str, answer: Handler, port: int = 9898) -> AsyncIterator[None]:
    """Answers every request at ``address``; it ends as a pod should: no new connections, then the last answers."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, address, port).start()
        yield
    finally:
        await runner.cleanup()
