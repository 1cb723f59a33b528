"""Asking a metric provider on a real HTTP server that answers as a test says."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from aiohttp import web
from nats.aio.client import Client

from handlers.adapters.kube import Access, Kube
from handlers.adapters.metrics import Providers, Question
from schemas.measurement import Measurement
from schemas.metrics import ProviderType
from tests.handlers.adapters.apiserver import Answer

NOW = 1_700_000_000.0
TRUST = ssl.create_default_context()
"""Made once: it reads every certificate that the machine trusts."""


@asynccontextmanager
async def providers(cluster: str = "http://127.0.0.1:1", bus: Client | None = None) -> AsyncIterator[Providers]:
    """``cluster``: the address of the Kubernetes API that the providers inside the cluster use."""
    async with httpx.AsyncClient(verify=TRUST) as client, Kube(Access(cluster), user_agent="test/1") as kube:
        found = Providers(client, kube, bus)
        yield found
        await found.close()


def question(address: str = "", query: str = "up", **more: Any) -> Question:
    return Question(name="m", query=query, now=NOW, address=address, **more)


async def ask(kind: str, address: str = "", query: str = "up", **more: Any) -> Measurement:
    async with providers() as found:
        return await found.ask(ProviderType(kind), question(address, query, **more))


async def check(kind: str, address: str = "", **more: Any) -> str:
    async with providers() as found:
        return await found.check(ProviderType(kind), question(address, "up", **more))


def replying(body: Any, status: int = 200, **headers: str) -> Answer:
    named = {key.replace("_", "-"): value for key, value in headers.items()}

    async def answer(request: web.Request) -> web.StreamResponse:
        if isinstance(body, str | bytes):
            raw = body if isinstance(body, bytes) else body.encode()
            return web.Response(body=raw, status=status, headers=named)
        return web.json_response(body, status=status, headers=named)

    return answer
