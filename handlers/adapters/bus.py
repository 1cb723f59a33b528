"""The bus: NATS JetStream. Connecting, provisioning, publishing, and reading what was published.

:mod:`handlers.adapters.settling` is its other half: how handlers take messages and say what became of them.
Every failure is one of :mod:`handlers.adapters.errors`.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import nats.errors
import orjson
from nats.aio.client import Client
from nats.js import JetStreamContext, api
from nats.js import errors as js_errors

from handlers.adapters.errors import Invalid, NotFound, Unavailable
from schemas.events import Message, Tick
from schemas.settings import Settings
from schemas.streams import ACK_WAIT, CONSUMERS, MAX_ACK_PENDING, STREAMS, Consumer, Stream

log = logging.getLogger(__name__)

_TIMEOUT = 5.0
"""Seconds for one answer of the server."""
_AWAY = (
    nats.errors.TimeoutError,
    nats.errors.NoRespondersError,
    nats.errors.ConnectionClosedError,
    nats.errors.ConnectionDrainingError,
    nats.errors.ConnectionReconnectingError,
    nats.errors.OutboundBufferLimitError,
    nats.errors.StaleConnectionError,
    nats.errors.NoServersError,
    js_errors.NoStreamResponseError,
    js_errors.ServiceUnavailableError,
    asyncio.TimeoutError,
    OSError,
)


def connection_options(settings: Settings, name: str) -> dict[str, Any]:
    """Keyword arguments of :func:`nats.connect`. ``name`` is shown by the server's connection list.

    Reconnects are never given up: a client that has given up never recovers. A frozen server is noticed within 45 s.
    """
    options: dict[str, Any] = {
        "servers": list(settings.nats_url),
        "name": name,
        "max_reconnect_attempts": -1,
        "reconnect_time_wait": 1,
        "ping_interval": 15,
        "error_cb": _one_line,
    }
    if context := tls_context(settings):
        options["tls"] = context
    if settings.nats_creds:
        options["user_credentials"] = settings.nats_creds
    elif settings.nats_nkey_seed:
        options["nkeys_seed"] = settings.nats_nkey_seed
    return options


async def _one_line(error: Exception) -> None:
    """The client's own way is an error with its stack for every attempt of an outage."""
    log.warning("NATS: %s", _words(error))


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """None when no CA and no client certificate is set: then the URL decides (``tls://``), with the system's CAs."""
    if not (settings.nats_ca or settings.nats_cert):
        return None
    context = ssl.create_default_context(cafile=settings.nats_ca or None)
    if settings.nats_cert:
        context.load_cert_chain(settings.nats_cert, settings.nats_key or None)
    return context


class Bus:
    """Publishes on a connected client, which stays the caller's to close."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.js = client.jetstream(timeout=_TIMEOUT)

    async def publish(self, message: Message, *, source: str) -> bool:
        """False when the broker had this message id already. ``source`` is the CloudEvents attribute: who says so.

        Ticks are not awaited: the server refuses one while another of that canary is queued or in flight (10077), as
        it should, and the next slot brings the next one. Raises :class:`Unavailable` and :class:`Invalid`.
        """
        body = orjson.dumps(message.to_wire())
        headers = message.headers(source=source, time=datetime.now(UTC))
        with _failures(f"publish {message.subject}"):
            if isinstance(message, Tick):
                if not self.client.is_connected:  # or the client would keep stale ticks for later
                    raise nats.errors.ConnectionReconnectingError
                await self.client.publish(message.subject, body, headers=headers)
                return True
            stored = await self.js.publish(message.subject, body, headers=headers)
        return not stored.duplicate

    async def holds(self, message: Message) -> bool:
        """Whether this is the newest message of its subject that the broker keeps: published before, however long ago.

        False as well when the broker cannot tell: publishing again says why.
        """
        stream = next(stream.name for stream in STREAMS if stream.subject.startswith(f"canary.{message.kind}."))
        try:
            newest = await self.js.get_last_msg(stream, message.subject)
        except (nats.errors.Error, OSError):
            return False
        return (newest.headers or {}).get("Nats-Msg-Id") == message.message_id

    async def unready(self, durables: Iterable[str]) -> str | None:
        """What keeps these consumers from working, in words; None if nothing does. A ping cannot tell (design: bus)."""
        if not self.client.is_connected:
            return "not connected to NATS"
        gone = []
        for durable in durables:
            stream = CONSUMERS[durable].stream
            try:
                await self.js.consumer_info(stream, durable)
            except js_errors.NotFoundError:
                gone.append(f"{stream}/{durable}")
            except (nats.errors.Error, OSError) as error:
                return f"NATS did not answer: {_words(error)}"
        return f"no such consumer: {', '.join(gone)}" if gone else None

    async def preflight(self) -> str | None:
        """A warning when the servers do not write to disk before they confirm; None when they do or do not let us see.

        Only a connection that may ask the system account sees it (``$SYS.REQ.SERVER.PING.JSZ`` imported as a service).
        """
        try:
            answer = await self.client.request("$SYS.REQ.SERVER.PING.JSZ", b'{"config":true}', timeout=1)
            server = orjson.loads(answer.data)
            config = server["data"]["config"]
        except (nats.errors.Error, ValueError, KeyError, TypeError):
            return None
        if config.get("sync_always"):
            return None
        every = config.get("sync_interval", 0) / 1e9
        return (
            f"JetStream writes to disk every {every:g} s: a power loss can take confirmed messages with it; "
            "set `jetstream { sync_interval: always }`"
        )


async def provision(js: JetStreamContext, replicas: int = 1) -> list[str]:
    """Creates or updates the streams and consumers that differ from their declaration; says what was done, in words.

    Raises :class:`Invalid` with the remedy for a difference that the server cannot change in place.
    """
    done = []
    for stream in STREAMS:
        with _failures(f"stream {stream.name}", f"delete it to have it made again: nats stream rm {stream.name}"):
            done += await _provision_stream(js, stream, replicas)
    for consumer in CONSUMERS.values():
        place = f"{consumer.stream} {consumer.durable}"
        with _failures(f"consumer {place}", f"delete it to have it made again: nats consumer rm {place}"):
            done += await _provision_consumer(js, consumer)
    return done


async def _provision_stream(js: JetStreamContext, stream: Stream, replicas: int) -> list[str]:
    wanted = stream_config(stream, replicas)
    try:
        found = (await js.stream_info(stream.name)).config
    except js_errors.NotFoundError:
        await js.add_stream(wanted)
        return [f"created stream {stream.name}"]
    differences = _differences(wanted, found, _OF_STREAM)
    if not differences:
        return []
    await js.update_stream(found.evolve(**{name: getattr(wanted, name) for name in differences}))
    return [f"updated stream {stream.name}: {', '.join(differences)}"]


async def _provision_consumer(js: JetStreamContext, consumer: Consumer) -> list[str]:
    wanted = consumer_config(consumer)
    try:
        found = (await js.consumer_info(consumer.stream, consumer.durable)).config
    except js_errors.NotFoundError:
        await js.add_consumer(consumer.stream, wanted)
        return [f"created consumer {consumer.stream}/{consumer.durable}"]
    differences = _differences(wanted, found, _OF_CONSUMER)
    if not differences:
        return []
    await js.add_consumer(consumer.stream, found.evolve(**{name: getattr(wanted, name) for name in differences}))
    return [f"updated consumer {consumer.stream}/{consumer.durable}: {', '.join(differences)}"]


_OF_STREAM = (
    "subjects",
    "retention",
    "discard",
    "discard_new_per_subject",
    "max_msgs_per_subject",
    "max_age",
    "duplicate_window",
    "storage",
    "num_replicas",
)
_OF_CONSUMER = ("ack_policy", "ack_wait", "max_deliver", "filter_subject", "max_ack_pending")
"""What the declaration decides; everything else (placement, description, byte limits) is the operator's."""


def _differences(wanted: object, found: object, names: Iterable[str]) -> list[str]:
    return [name for name in names if getattr(wanted, name) != getattr(found, name)]


def stream_config(stream: Stream, replicas: int) -> api.StreamConfig:
    return api.StreamConfig(
        name=stream.name,
        subjects=[stream.subject],
        retention=api.RetentionPolicy.WORK_QUEUE if stream.work_queue else api.RetentionPolicy.LIMITS,
        discard=api.DiscardPolicy(stream.discard),
        discard_new_per_subject=stream.discard == "new",
        max_msgs_per_subject=-1 if stream.per_subject is None else stream.per_subject,
        max_age=stream.max_age,
        duplicate_window=stream.duplicate_window,
        storage=api.StorageType.FILE,
        num_replicas=replicas,
    )


def consumer_config(consumer: Consumer) -> api.ConsumerConfig:
    """``max_deliver`` is without limit: a message that exhausts it would block its subject for ever (design: bus)."""
    return api.ConsumerConfig(
        name=consumer.durable,
        durable_name=consumer.durable,
        deliver_policy=api.DeliverPolicy.NEW if consumer.from_now else api.DeliverPolicy.ALL,
        ack_policy=api.AckPolicy.EXPLICIT,
        ack_wait=ACK_WAIT,
        max_deliver=-1,
        filter_subject=consumer.subject,
        max_ack_pending=MAX_ACK_PENDING,
    )


@contextmanager
def _failures(what: str, remedy: str = "") -> Iterator[None]:
    try:
        yield
    except _AWAY as error:
        raise Unavailable(f"NATS: {what}: {_words(error)}") from error
    except js_errors.NotFoundError as error:
        raise NotFound(f"NATS: {what}: {_words(error)}") from error
    except js_errors.ServerError as error:
        # with this code the server also refuses a configuration
        kind = Invalid if remedy else Unavailable
        raise kind("; ".join(filter(None, (f"NATS: {what}: {_words(error)}", remedy)))) from error
    except nats.errors.Error as error:
        raise Invalid("; ".join(filter(None, (f"NATS: {what}: {_words(error)}", remedy)))) from error


def _words(error: BaseException) -> str:
    description = getattr(error, "description", None)
    return str(description or error) or type(error).__name__
