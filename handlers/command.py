"""What people and other systems ask for, fire-and-forget on ``canary.command``; with an answer: :mod:`handlers.api`."""

from __future__ import annotations

import logging

from handlers.adapters.bus import Bus
from handlers.addressees import Addressees
from handlers.advance import Advance
from handlers.telling import SOURCE
from schemas.events import Command

log = logging.getLogger("canarybus.command")


async def on_command(advance: Advance, addressees: Addressees, bus: Bus, command: Command) -> None:
    """The refusal of a command is an answer, not an error: it is told like any other step.

    One to many becomes one durable command for each, so that one who cannot obey now repeats nobody else's.
    """
    if command.to_many:
        for one in await addressees.of(command.ref):
            await bus.publish(command.to(one.canary), source=SOURCE)
        return
    reply = await advance(command.ref, command)
    if reply.code == 404:
        log.warning(reply.message, extra={"canary": str(command.ref), "verb": command.verb.value, "by": command.by})
