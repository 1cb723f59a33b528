"""The loop that fetches, in place of FastStream's own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Protocol

import nats.errors
from faststream.nats.subscriber.usecases import PullStreamSubscriber
from nats.aio.msg import Msg

from handlers.adapters.round_trip import round_trip

log = logging.getLogger(__name__)


class Holder(Protocol):
    """Who looks after fetched messages."""

    @property
    def stopping(self) -> bool: ...

    def hold(self, msg: Msg) -> None: ...


class Pull:
    """For one subscriber. FastStream's loop spins when the consumer is gone, and drops fetched messages at the end."""

    def __init__(self, holder: Holder, subscriber: PullStreamSubscriber) -> None:
        self._holder = holder
        self._subscriber = subscriber
        self._fetch: asyncio.Future[list[Msg]] | None = None

    async def run(self, cb: Callable[[Msg], Awaitable[Any]]) -> None:
        subscription = self._subscriber.subscription
        assert subscription is not None  # noqa: S101 - FastStream starts this loop after it has subscribed
        failures = 0
        while self._subscriber.running and not self._holder.stopping:
            self._fetch = asyncio.ensure_future(subscription.fetch(1, timeout=self._subscriber.pull_sub.timeout))
            try:
                messages = await self._fetch
            except nats.errors.TimeoutError:
                failures = 0
                continue
            except (nats.errors.Error, OSError) as error:
                failures += 1
                self._report(error, failures)
                await asyncio.sleep(min(5.0, 0.1 * 2**failures))
                continue
            failures = 0
            for msg in messages:
                self._holder.hold(msg)
                await cb(msg)

    def _report(self, error: Exception, failures: int) -> None:
        if failures == 1:
            where = {"stream": self._subscriber.stream.name, "consumer": self._subscriber.extra_options["durable"]}
            log.warning("no messages can be fetched, trying again", extra={**where, "error": str(error)})

    async def end(self) -> None:
        """Tells the server to send nothing more, waits for what is on its way, and gives that back."""
        subscription = self._subscriber.subscription
        if subscription is None or self._fetch is None:
            return
        inbox = subscription._sub
        with suppress(nats.errors.Error, OSError):
            await inbox._conn._send_unsubscribe(inbox._id)
            await round_trip(inbox._conn, timeout=2)  # whatever was sent before is here now
        if self._fetch.done() and not self._fetch.cancelled() and self._fetch.exception() is None:
            for msg in self._fetch.result():
                self._holder.hold(msg)
        self._fetch.cancel()
        while not inbox._pending_queue.empty():
            msg = inbox._pending_queue.get_nowait()
            if msg.reply.startswith("$JS.ACK."):
                self._holder.hold(msg)
