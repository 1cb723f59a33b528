"""A small HTTP server that answers as a test says."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from handlers.adapters.kube import Access, Kube, WatchEvent
from schemas.resources import CONFIG_MAP

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(answer: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Its URL; ``answer`` gets every request."""
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def connected(answer: Answer, **options: object) -> AsyncIterator[Kube]:
    async with serving(answer) as url, Kube(Access(url), user_agent="test/1", **options) as kube:  # type: ignore[arg-type]
        yield kube


def item(name: str, version: str = "1", **more: object) -> dict[str, object]:
    return {"metadata": {"name": name, "namespace": "test", "resourceVersion": version}, **more}


async def everything(kube: Kube) -> list[WatchEvent]:
    return [event async for event in kube.watch(CONFIG_MAP, "test", resource_version="7")]


def lines(*events: object) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for event in events:
            await response.write(event if isinstance(event, bytes) else json.dumps(event).encode() + b"\n")
        return response

    return answer


def refusing(code: int, reason: str = "", message: str = "", **headers: str) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        body = {"kind": "Status", "code": code, "reason": reason, "message": message}
        return web.json_response(
            body, status=code, headers={key.replace("_", "-"): text for key, text in headers.items()}
        )

    return answer
