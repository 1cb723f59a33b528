"""What people and other systems ask for: fire-and-forget on ``canary.command``, with an answer on ``canary.api``."""

from __future__ import annotations

import logging

import orjson
from nats.aio.client import Client
from nats.micro import add_service
from nats.micro.request import Request, ServiceError
from nats.micro.service import EndpointConfig, Service, ServiceConfig
from pydantic import ValidationError

from handlers.adapters.errors import PermanentError, TransientError
from handlers.advance import Advance
from schemas.events import Command, CommandBody, Reply, Verb, place_in_subject

log = logging.getLogger("canarybus.command")


async def on_command(advance: Advance, command: Command) -> Reply:
    """The refusal of a command is an answer, not an error: it is told like any other step."""
    reply = await advance(command.ref, command)
    if not reply.accepted:
        log.warning(reply.message, extra={"canary": str(command.ref), "verb": command.verb.value, "by": command.by})
    return reply


async def serve(client: Client, advance: Advance, version: str) -> Service:
    """``nats req canary.api.promote.test.podinfo ''`` answers after the commit and the route write."""
    description = "canarybus: promote and abort rollouts"
    service = await add_service(client, ServiceConfig(name="canarybus", version=version, description=description))

    async def answer(request: Request) -> None:
        await _answer(advance, request)

    for verb in (Verb.PROMOTE, Verb.ABORT):
        subject = f"canary.api.{verb.value}.*.*"
        await service.add_endpoint(EndpointConfig(name=verb.value, subject=subject, handler=answer))
    return service


async def _answer(advance: Advance, request: Request) -> None:
    try:
        reply = await on_command(advance, _read(request))
    except (ValidationError, ValueError) as error:
        await request.respond_error("400", f"unreadable request: {error}")
    except TransientError as error:
        await request.respond_error("503", str(error))
    except (PermanentError, ServiceError) as error:
        await request.respond_error("500", str(error))
    else:
        body = orjson.dumps(reply.to_wire())
        if reply.accepted:
            await request.respond(body)
        else:
            await request.respond_error(str(reply.code or 422), reply.message, body)


def _read(request: Request) -> Command:
    place = place_in_subject(request.subject)
    data = request.data.strip()
    body = CommandBody.model_validate(orjson.loads(data) if data else {})
    reply_to = getattr(request, "_msg").reply  # noqa: B009 - the library keeps the inbox private; it names the request
    return Command.of(Verb(place["verb"]), place["namespace"], place["name"], body, message=reply_to)
