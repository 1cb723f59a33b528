"""Holding a message, giving signs of life, and the last word."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Any

import anyio
import nats.errors
from faststream import BaseMiddleware
from faststream.exceptions import IgnoredException
from faststream.nats import NatsBroker
from faststream.nats.subscriber.usecases import PullStreamSubscriber
from nats.aio.msg import Msg

from handlers.adapters.errors import PermanentError, TransientError
from handlers.adapters.settling.options import subscriber_options
from handlers.adapters.settling.outcome import Outcome, growing_delay, letter, outcome_of
from handlers.adapters.settling.pull import Pull
from schemas.events import DeadLetter
from schemas.streams import HEARTBEAT

log = logging.getLogger(__name__)


class _WentBack(IgnoredException):
    """The message was given back before its turn came."""


def _count_nothing(_kind: str, _outcome: str) -> None:
    """For those who do not count."""


class Settling:
    """Given to the broker as its middleware; ``dead_letter`` publishes, ``tell`` counts by kind and outcome.

    Call :meth:`stop` before the broker's own ``stop``, which waits for the handlers that are at work.
    """

    def __init__(
        self,
        dead_letter: Callable[[DeadLetter], Awaitable[object]],
        tell: Callable[[str, str], None] = _count_nothing,
        *,
        heartbeat: float = HEARTBEAT,
    ) -> None:
        self._dead_letter = dead_letter
        self._tell = tell
        self._heartbeat = heartbeat
        self._held: dict[str, Msg] = {}
        self._working: set[str] = set()
        self._pulls: list[Pull] = []
        self._beating: asyncio.Task[None] | None = None
        self._stopping = False

    def __call__(self, msg: Any, *, context: Any) -> BaseMiddleware[Any, Any]:
        if isinstance(msg, Msg) and msg.reply.startswith("$JS.ACK."):
            return _SettlingMiddleware(msg, context=context, settling=self)
        return BaseMiddleware(msg, context=context)

    def subscriber(self, broker: NatsBroker, durable: str, *, workers: int) -> PullStreamSubscriber:
        """The decorator of a handler that takes the message of :data:`schemas.streams.CONSUMERS` ``[durable]``.

        ``workers`` messages at a time; each is fetched only when a worker is free, so that nothing queues behind a slow
        one while another process is idle.
        """
        subscriber = broker.subscriber(**subscriber_options(durable, workers=workers))
        assert isinstance(subscriber, PullStreamSubscriber)  # noqa: S101 - narrows a union of overloads
        pull = Pull(self, subscriber)
        subscriber._consume_pull = pull.run  # type: ignore[method-assign]
        self._pulls.append(pull)
        return subscriber

    async def stop(self) -> None:
        """Nothing more is fetched, and what no worker has begun goes back at once. Handlers at work go on."""
        self._stopping = True
        for pull in self._pulls:
            await pull.end()
        for reply in [reply for reply in self._held if reply not in self._working]:
            await self.give_back(self._held[reply])

    @property
    def stopping(self) -> bool:
        return self._stopping

    def hold(self, msg: Msg) -> None:
        """From now on the server hears that we are alive, until the message is settled."""
        self._held[msg.reply] = msg
        if self._beating is None or self._beating.done():
            self._beating = asyncio.create_task(self._beat())

    def begin(self, msg: Msg) -> bool:
        """False when the message went back before its turn came."""
        if msg.is_acked:
            return False
        self.hold(msg)
        self._working.add(msg.reply)
        return True

    async def give_back(self, msg: Msg) -> None:
        await self._settle(msg, Outcome("nak"))

    async def settle(self, msg: Msg, error: BaseException | None) -> None:
        """Acts on the table above; never raises: what is not settled comes again after the ack wait."""
        kind, deliveries = _kind(msg), msg.metadata.num_delivered
        outcome = outcome_of(error, kind=kind, deliveries=deliveries)
        if error is not None:
            _report(error, msg, outcome)
        if outcome.dead_letter and error is not None:
            try:
                await self._dead_letter(letter(msg, error))
            except Exception:
                log.exception("dead letter could not be published, the message comes again")
                outcome = Outcome("nak", growing_delay(deliveries))
        await self._settle(msg, outcome)

    async def _settle(self, msg: Msg, outcome: Outcome) -> None:
        self._held.pop(msg.reply, None)
        self._working.discard(msg.reply)
        if msg.is_acked:
            return
        try:
            match outcome.act:
                case "ack":
                    await msg.ack()
                case "nak":
                    await msg.nak(outcome.delay)
                case "term":
                    await msg.term()
        except (nats.errors.Error, OSError) as error:
            fields = {"subject": msg.subject, "error": str(error)}
            log.warning("message could not be settled, it comes again", extra=fields)
        else:
            self._tell(_kind(msg), outcome.name)

    async def _beat(self) -> None:
        while self._held:
            await asyncio.sleep(self._heartbeat)
            for msg in list(self._held.values()):
                with suppress(nats.errors.Error, OSError):  # not connected: the next beat may be
                    await msg.in_progress()


class _SettlingMiddleware(BaseMiddleware[Any, Any]):
    def __init__(self, msg: Msg, /, *, context: Any, settling: Settling) -> None:
        super().__init__(msg, context=context)
        self._settling = settling

    async def on_receive(self) -> None:
        if not self._settling.begin(self.msg):
            raise _WentBack

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_val: BaseException | None = None,
        exc_tb: TracebackType | None = None,
    ) -> bool | None:
        with anyio.CancelScope(shield=True):  # a cancelled handler's message is given back all the same
            await self._settling.settle(self.msg, exc_val)
        return isinstance(exc_val, Exception)


def _kind(msg: Msg) -> str:
    return msg.subject.split(".")[1]


def _report(error: BaseException, msg: Msg, outcome: Outcome) -> None:
    fields = {
        "subject": msg.subject,
        "deliveries": msg.metadata.num_delivered,
        "outcome": outcome.name,
        "delay": round(outcome.delay, 3),
        "error": str(error),
    }
    if isinstance(error, TransientError):
        log.info("message not done yet", extra=fields)
    elif isinstance(error, PermanentError):
        log.error("message is dead" if outcome.dead_letter else "message was in vain", extra=fields)
    elif isinstance(error, Exception):
        log.error("message failed by a fault of ours", extra=fields, exc_info=error)
