"""Keeps the streams of the bus there: made at start, and again whenever one is gone (design: bus)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import nats.errors
from nats.js import errors as js_errors

from handlers.adapters.bus import Bus, provision
from handlers.adapters.errors import AdapterError, Unavailable
from schemas.streams import CONSUMERS, STREAMS

_log = logging.getLogger("watcher.provision")
CHECK_EVERY = 3.0
"""Seconds. A rollout goes on within two slots after its stream was lost, the shortest slot being ten seconds."""


async def missing(bus: Bus) -> list[str]:
    """The streams and consumers that are not there, by name. Raises :class:`Unavailable`."""
    gone = []
    try:
        for stream in STREAMS:
            try:
                await bus.js.stream_info(stream.name)
            except js_errors.NotFoundError:
                gone.append(stream.name)
        for consumer in CONSUMERS.values():
            try:
                await bus.js.consumer_info(consumer.stream, consumer.durable)
            except js_errors.NotFoundError:
                gone.append(f"{consumer.stream}/{consumer.durable}")
    except (nats.errors.Error, OSError) as error:
        raise Unavailable(f"NATS did not answer: {error or type(error).__name__}") from error
    return gone


async def made(bus: Bus, replicas: int) -> bool:
    """Streams and consumers as declared, each change in the log, and what their server may lose; False: no change.

    Raises :class:`Invalid` and :class:`Unavailable`.
    """
    changes = await provision(bus.js, replicas)
    for line in changes:
        _log.info(line)
    if warning := await bus.preflight():
        _log.warning(warning)
    return bool(changes)


class Provisioning:
    """``made_again`` is called after something was created: messages may have been lost with what was there before.

    ``trouble`` says in words why the streams are not known to be there; ``there`` is set while they are.
    """

    def __init__(
        self,
        bus: Bus,
        replicas: int,
        connected: asyncio.Event,
        made_again: Callable[[], None],
        *,
        update: bool = False,
        every: float = CHECK_EVERY,
    ) -> None:
        """``update``: at start, change what differs from the declaration, too. ``every`` in seconds."""
        self.trouble: str | None = "not checked yet"
        self.there = asyncio.Event()
        self._bus = bus
        self._replicas = replicas
        self._connected = connected
        self._made_again = made_again
        self._update = update
        self._every = every
        self._hurry = asyncio.Event()

    def hurry(self) -> None:
        """Look now: a message was not taken."""
        self._hurry.set()

    def doubt(self) -> None:
        """The connection came or went: nothing is published until the streams were seen again."""
        self.there.clear()
        self.trouble = "not checked since the connection changed"
        self._hurry.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._connected.wait()
            self._hurry.clear()
            await self._check()
            try:
                async with asyncio.timeout(self._every):
                    await self._hurry.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(min(0.2, self._every))  # many messages are refused at once

    async def _check(self) -> None:
        try:
            gone = await missing(self._bus)
            if gone:
                self.there.clear()
            if gone or self._update:
                await made(self._bus, self._replicas)
                self._update = False
            if gone:
                self._made_again()
        except AdapterError as error:
            if str(error) != self.trouble:
                _log.warning("the streams are not known to be there; trying again", extra={"error": str(error)})
            self.trouble = str(error)
            self.there.clear()
        else:
            self.trouble = None
            self.there.set()
