"""Takes ticks and changes from their consumers, as the handlers do, and keeps them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple, Self

import nats.errors
import orjson
from nats.aio.client import Client
from nats.js import errors as js_errors

from schemas.streams import CONSUMERS
from tests.handlers.adapters.natsserver import NatsServer


class Heard(NamedTuple):
    kind: str
    id: str
    body: dict[str, Any]

    @property
    def what(self) -> tuple[str, str, str]:
        """Reason, Canary, object."""
        return self.body.get("reason", "tick"), self.body["name"], self.body.get("object", "")


class Ear:
    def __init__(self, server: NatsServer) -> None:
        self.heard: list[Heard] = []
        self._server = server
        self._news = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []
        self._done = False
        self.client: Client

    async def __aenter__(self) -> Self:
        self.client = await self._server.connect()
        self._tasks = [asyncio.create_task(self._listen(durable)) for durable in ("analysis", "bootstrap")]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._done = True  # the client may swallow a cancellation while it fetches
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.client.close()

    async def _listen(self, durable: str) -> None:
        consumer = CONSUMERS[durable]
        js = self.client.jetstream()
        while not self._done:
            with suppress(nats.errors.Error, js_errors.Error):
                subscription = await js.pull_subscribe_bind(durable, consumer.stream)
                while not self._done:
                    for message in await subscription.fetch(1, timeout=0.2):
                        await message.ack_sync()
                        kind = message.subject.split(".")[1]
                        headers = message.headers or {}
                        await self._keep(Heard(kind, headers["Nats-Msg-Id"], orjson.loads(message.data)))
            await asyncio.sleep(0.02)  # the stream is not there, or was deleted: the watcher makes it again

    async def _keep(self, heard: Heard) -> None:
        async with self._news:
            self.heard.append(heard)
            self._news.notify_all()

    async def until(self, enough: Callable[[list[Heard]], Any], seconds: float = 8) -> None:
        async with self._news:
            try:
                async with asyncio.timeout(seconds):
                    await self._news.wait_for(lambda: enough(self.heard))
            except TimeoutError:
                raise AssertionError(f"heard only {[one.what for one in self.heard]}") from None

    async def hears(self, reason: str, name: str = "podinfo", object: str | None = None) -> Heard:  # noqa: A002
        """The first message of that kind that is or will be heard."""

        def found(heard: list[Heard]) -> list[Heard]:
            return [
                one for one in heard if one.what[:2] == (reason, name) and (object is None or one.what[2] == object)
            ]

        await self.until(found)
        return found(self.heard)[0]

    async def counts(self, name: str, changes: int) -> None:
        """Until so many changes of that Canary were heard; more than those are a failure."""
        await self.until(lambda heard: len(self.changes(name)) >= changes)
        assert len(self.changes(name)) == changes

    def changes(self, name: str = "podinfo") -> list[tuple[str, str]]:
        """Reason and object of each change, in the order of arrival."""
        return [(one.what[0], one.what[2]) for one in self.heard if one.kind == "revision" and one.what[1] == name]

    def ticks(self, name: str = "podinfo") -> list[Heard]:
        return [one for one in self.heard if one.kind == "tick" and one.what[1] == name]

    def forget(self) -> None:
        self.heard.clear()
