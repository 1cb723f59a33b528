"""A provider that asks for time gets it, and one that hangs keeps nobody else waiting."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from handlers.adapters.kube import Access, Kube
from handlers.adapters.metrics import Providers
from handlers.adapters.metrics.prometheus import Prometheus
from handlers.adapters.metrics.waiting import Waiting
from handlers.app import http_clients
from schemas.metrics import ProviderType
from tests.handlers.adapters.apiserver import serving
from tests.handlers.adapters.metrics.asking import question, replying
from tests.handlers.adapters.metrics.test_prometheus import vector

PROMETHEUS = ProviderType.PROMETHEUS


class Busy:
    """Answers 429 until it is told not to, and counts."""

    def __init__(self, retry_after: str) -> None:
        self.retry_after, self.asked, self.busy = retry_after, 0, True

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        busy = replying("slow down", 429, Retry_After=self.retry_after)
        return await (busy if self.busy else replying(vector("1")))(request)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def with_clock(clock: Clock) -> AsyncIterator[Providers]:
    client = http_clients(1)[0]
    async with client, Kube(Access("http://127.0.0.1:1"), user_agent="test/1") as kube:
        yield Providers(client, kube, clock=clock)


async def test_a_provider_that_asked_for_time_is_left_alone_until_it_is_over() -> None:
    busy, clock = Busy("30"), Clock()
    async with serving(busy.answer) as url, with_clock(clock) as found:
        await found.ask(PROMETHEUS, question(url))
        clock.now += 20.5
        told = await found.ask(PROMETHEUS, question(url, "another"))
        assert (told.outcome, told.detail) == (
            "unreachable",
            "the provider asked for time; it is asked again in 10 s",
        )
        assert await found.check(PROMETHEUS, question(url)) == told.detail
        assert busy.asked == 1
        busy.busy = False
        clock.now += 10
        assert (await found.ask(PROMETHEUS, question(url))).value == 1


async def test_another_login_or_address_is_asked_meanwhile() -> None:
    busy, clock = Busy("30"), Clock()
    async with serving(busy.answer) as url, serving(replying(vector("1"))) as other, with_clock(clock) as found:
        await found.ask(PROMETHEUS, question(url, secret={"token": "one"}))
        await found.ask(PROMETHEUS, question(url, secret={"token": "two"}))
        assert busy.asked == 2
        assert (await found.ask(PROMETHEUS, question(other, secret={"token": "one"}))).value == 1


async def test_nobody_waits_for_days() -> None:
    busy, clock = Busy("999999"), Clock()
    async with serving(busy.answer) as url, with_clock(clock) as found:
        await found.ask(PROMETHEUS, question(url))
        assert (await found.ask(PROMETHEUS, question(url))).detail.endswith("asked again in 300 s")


def test_what_is_over_is_forgotten() -> None:
    clock = Clock()
    waiting = Waiting(clock)
    for account in range(50):
        waiting.note(str(account), 10)
        clock.now += 10
    assert len(waiting._until) == 1


async def test_a_healthy_provider_answers_at_once_behind_a_hundred_that_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Prometheus, "timeout", 3.0)
    over, asked = asyncio.Event(), asyncio.Semaphore(0)

    async def never(request: web.Request) -> web.StreamResponse:
        asked.release()
        await over.wait()
        return web.Response()

    async with serving(never) as hanging, serving(replying(vector("1"))) as url, with_clock(Clock()) as found:
        dead = [asyncio.create_task(found.ask(PROMETHEUS, question(hanging))) for _ in range(110)]
        for _ in range(100):
            await asked.acquire()
        healthy = asyncio.create_task(found.ask(PROMETHEUS, question(url)))
        done, _ = await asyncio.wait([healthy, *dead], return_when=asyncio.FIRST_COMPLETED)
        assert done == {healthy}
        assert healthy.result().value == 1
        over.set()
        await asyncio.gather(*dead)


async def test_clients_of_their_own_for_metrics_hooks_and_alerts_load_the_certificates_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loaded: list[ssl.SSLContext] = []
    load = ssl.create_default_context

    def counted(*how: Any, **more: Any) -> ssl.SSLContext:
        loaded.append(load(*how, **more))
        return loaded[-1]

    monkeypatch.setattr(ssl, "create_default_context", counted)
    clients = http_clients(3)
    assert (len({id(client) for client in clients}), len(loaded)) == (3, 1)
    for client in clients:
        await client.aclose()
