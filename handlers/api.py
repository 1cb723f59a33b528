"""Requests with an answer: ``nats req canary.api.promote.test.podinfo ''``; ``nats micro info canarybus`` lists them.

Commands are answered after the commit and the route write; queries from the Canary as it is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import orjson
from nats.aio.client import Client
from nats.errors import MaxPayloadError
from nats.micro import add_service
from nats.micro.request import Request
from nats.micro.service import EndpointConfig, Service, ServiceConfig

from handlers.adapters.errors import AdapterError, TransientError
from handlers.adapters.round_trip import round_trip
from handlers.addressees import Addressee, Addressees
from handlers.advance import Advance
from handlers.core.explain import explain
from handlers.core.summary import summary, unreadable
from schemas.answers import Explanation, Listing, OneReply, Replies, Summary
from schemas.base import Wire
from schemas.canary import Canary, Ref
from schemas.envelope import UnreadableError, decode
from schemas.events import ALL, Command, Reply, Verb
from schemas.names import canary_name

log = logging.getLogger("canarybus.api")
_DESCRIPTION = "canarybus: what rollouts do, and commands to them"
_AT_ONCE = 16
"""Commands of one request to many that run at a time."""

Work = Callable[[Request], Awaitable[Wire]]


class _RefusedError(Exception):
    """An answer that says no: its code, its sentence, and its body."""

    def __init__(self, code: int, message: str, body: Wire | None = None) -> None:
        super().__init__(message)
        self.code, self.body = code, body


class Api:
    """Use as an async context manager; leaving lets requests in work finish. No request waits for another one."""

    def __init__(
        self, client: Client, advance: Advance, addressees: Addressees, version: str, shortest: float = 10.0
    ) -> None:
        """``shortest``: the least analysis interval of this installation, in seconds."""
        self._client = client
        self._advance = advance
        self._addressees = addressees
        self._version = version
        self._shortest = shortest
        self._service: Service | None = None
        self._working: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Api:
        config = ServiceConfig(name="canarybus", version=self._version, description=_DESCRIPTION)
        self._service = await add_service(self._client, config)
        for verb in Verb:
            await self._endpoint(verb.value, f"canary.api.{verb.value}.*.*", self._command)
        await self._endpoint("get", "canary.api.get.*.*", self._get)
        await self._endpoint("explain", "canary.api.explain.*.*", self._explain)
        await self._endpoint("list", "canary.api.list", self._list)
        await self._endpoint("list-namespace", "canary.api.list.*", self._list)
        # the server knows of all of them before anybody is told that we are ready
        await round_trip(self._client)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._service is not None:
            await self._service.stop()
        if self._working:
            await asyncio.wait(self._working)

    async def _endpoint(self, name: str, subject: str, work: Work) -> None:
        async def begin(request: Request) -> None:
            # the library gives an endpoint one request at a time
            task = asyncio.create_task(_answer(request, work))
            self._working.add(task)
            task.add_done_callback(self._working.discard)

        assert self._service is not None  # noqa: S101 - made by the caller
        await self._service.add_endpoint(EndpointConfig(name=name, subject=subject, handler=begin))

    async def _command(self, request: Request) -> Wire:
        inbox = _inbox(request) or self._client.new_inbox()
        command = decode(Command, request.subject, request.data, request.headers, delivery=inbox)
        if command.to_many:
            return await self._to_many(command)
        reply = await self._advance(command.ref, command)
        if not reply.accepted:
            raise _RefusedError(reply.code or 422, reply.message, reply)
        return reply

    async def _to_many(self, command: Command) -> Replies:
        free = asyncio.Semaphore(_AT_ONCE)

        async def to_one(one: Command) -> OneReply:
            async with free:
                try:
                    reply = await self._advance(one.ref, one)
                except TransientError as error:
                    reply = Reply(accepted=False, message=str(error), code=503)
                except AdapterError as error:
                    reply = Reply(accepted=False, message=str(error), code=500)
            fields = reply.model_dump() | {"code": reply.code}
            return OneReply(namespace=one.namespace, name=one.name, **fields)

        found = await self._addressees.of(command.ref)
        replies = tuple(await asyncio.gather(*(to_one(command.to(one.canary)) for one in found)))
        return _together(command, replies)

    async def _get(self, request: Request) -> Summary:
        return summary(await self._one(request))

    async def _explain(self, request: Request) -> Explanation:
        return explain(await self._one(request), self._shortest)

    async def _one(self, request: Request) -> Canary:
        namespace, name = request.subject.split(".")[3:]
        ref = Ref(namespace, canary_name(name))
        found = () if ALL in ref else await self._addressees.of(ref)
        if not found:
            raise _RefusedError(404, f"there is no Canary {ref} here")
        if found[0].unreadable:
            raise _RefusedError(500, f"Canary {ref} cannot be read: {found[0].unreadable}")
        return found[0].canary

    async def _list(self, request: Request) -> Listing:
        namespace = request.subject.removeprefix("canary.api.list").lstrip(".") or ALL
        found = await self._addressees.of(Ref(namespace, ALL))
        return Listing(canaries=tuple(_summary(one) for one in found))


def _summary(one: Addressee) -> Summary:
    if one.unreadable:
        return unreadable(one.canary, one.item.get("status") or {}, one.unreadable)
    return summary(one.canary)


def _together(command: Command, replies: tuple[OneReply, ...]) -> Replies:
    """Raises :class:`_RefusedError` when nobody has accepted, or when somebody was out of reach: ask again then."""
    accepted = sum(reply.accepted for reply in replies)
    code = max((reply.code for reply in replies), default=404)
    message = f"{command.verb.value} accepted by {accepted} of {len(replies)}"
    if not replies:
        message = f"there is no Canary {command.ref} here"
    refused = not accepted or code >= 500
    together = Replies(accepted=not refused, message=message, canaries=replies)
    if refused:
        raise _RefusedError(code, message, together)
    return together


async def _answer(request: Request, work: Work) -> None:
    """Whoever asks is answered, whatever happens; one who left no inbox is not."""
    try:
        body = orjson.dumps((await work(request)).to_wire())
        if _inbox(request):
            await request.respond(body)
    except MaxPayloadError:
        text = f"done, but the answer has {len(body)} bytes, more than a message may have: name a namespace to hear it"
        await _refuse(request, 413, text)
    except _RefusedError as error:
        await _refuse(request, error.code, str(error), error.body)
    except UnreadableError as error:
        await _refuse(request, 400, f"unreadable request: {error}")
    except TransientError as error:
        await _refuse(request, 503, str(error))
    except AdapterError as error:
        await _refuse(request, 500, str(error))
    except Exception as error:
        log.exception("a request failed by a fault of ours", extra={"subject": request.subject})
        await _refuse(request, 500, f"{type(error).__name__}: {error}")


async def _refuse(request: Request, code: int, message: str, body: Wire | None = None) -> None:
    if _inbox(request):
        # a header is one line
        line = " ".join(message.split())
        whole = orjson.dumps(body.to_wire()) if body else b""
        try:
            await request.respond_error(str(code), line, whole)
        except MaxPayloadError:
            await request.respond_error(str(code), f"{line} (each one's answer does not fit into a message)")


def _inbox(request: Request) -> str:
    """Where the answer goes; the library keeps it private, and it names the request among all others."""
    return str(getattr(request, "_msg").reply)  # noqa: B009
