"""Requests to a gateway, and what became of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp

from tests.patience import PATIENCE

HOST = "app.example.com"


class Client:
    """Asks one gateway; every answer is ``(status, text)``."""

    def __init__(self, port: int, session: aiohttp.ClientSession) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._session = session

    async def get(
        self, path: str = "/", *, host: str = HOST, headers: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        async with self._session.get(self.url + path, headers={"Host": host, **(headers or {})}) as answer:
            return answer.status, await answer.text()

    async def count(self, requests: int, at_once: int = 20) -> Counter[tuple[int, str]]:
        """The answers to so many requests."""
        left = iter(range(requests))
        answers: Counter[tuple[int, str]] = Counter()

        async def ask() -> None:
            for _ in left:
                answers[await self.get()] += 1

        await asyncio.gather(*(ask() for _ in range(at_once)))
        return answers

    @asynccontextmanager
    async def load(self, at_once: int = 8, host: str = HOST) -> AsyncIterator[Counter[tuple[int, str]]]:
        """Requests one after the other as long as the context lasts, the first answered before it begins.

        The counter is complete at its end.
        """
        answers: Counter[tuple[int, str]] = Counter()
        begun, over = asyncio.Event(), asyncio.Event()

        async def ask() -> None:
            while not over.is_set():
                answers[await self.get(host=host)] += 1
                begun.set()

        workers = [asyncio.create_task(ask()) for _ in range(at_once)]
        try:
            async with asyncio.timeout(PATIENCE):
                await begun.wait()
            yield answers
        finally:
            over.set()
            await asyncio.gather(*workers)


@asynccontextmanager
async def client(port: int) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE)) as session:
        yield Client(port, session)
