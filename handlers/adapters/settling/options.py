"""What FastStream is told."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from faststream.message import StreamMessage
from faststream.middlewares import AckPolicy
from faststream.nats import JStream, PullSub
from faststream.nats.security import NatsCredentials, NatsNKey, NatsSecurity
from nats.aio.msg import Msg

from handlers.adapters.errors import Undecodable
from schemas.envelope import UnreadableError, decode
from schemas.events import Message
from schemas.streams import CONSUMERS

_ASK_AGAIN = 2.0
"""Seconds: a request for messages that a restarted server has forgotten is made again after this time."""


def subscriber_options(durable: str, *, workers: int) -> dict[str, Any]:
    """Keyword arguments of ``broker.subscriber``; streams and consumers are the watcher's: nothing is declared here."""
    consumer = CONSUMERS[durable]
    return {
        "subject": consumer.subject,
        "stream": JStream(consumer.stream, declare=False),
        "durable": durable,
        "pull_sub": PullSub(batch_size=1, timeout=_ASK_AGAIN),
        "max_workers": workers,
        "ack_policy": AckPolicy.MANUAL,
        "no_reply": True,
        "decoder": _decoder(consumer.message),
    }


def broker_options(options: dict[str, Any]) -> dict[str, Any]:
    """Keyword arguments of :class:`NatsBroker` from those of ``nats.connect`` (:func:`bus.connection_options`)."""
    rest = {key: value for key, value in options.items() if key not in {"tls", "user_credentials", "nkeys_seed"}}
    tls = options.get("tls")
    security: NatsSecurity | None = NatsSecurity(ssl_context=tls) if tls else None
    if credentials := options.get("user_credentials"):
        security = NatsCredentials.from_file(credentials, ssl_context=tls)
    elif seed := options.get("nkeys_seed"):
        security = NatsNKey.from_file(seed, ssl_context=tls)
    return {**rest, "security": security, "graceful_timeout": 25.0, "log_level": logging.DEBUG}


def _decoder(message_type: type[Message]) -> Callable[[StreamMessage[Msg]], Awaitable[Message]]:
    async def read(message: StreamMessage[Msg]) -> Message:
        msg = message.raw_message
        told = msg.metadata
        delivery = f"{told.stream}.{told.sequence.stream}.{told.timestamp.timestamp():.6f}"
        try:
            return decode(message_type, msg.subject, msg.data, msg.headers, delivery=delivery)
        except UnreadableError as error:
            raise Undecodable(str(error)) from error

    return read
