"""Commands that are accepted where they are given."""

from __future__ import annotations

from schemas.events import Reply
from tests.handlers.core.world import World


def accepted(world: World, verb: str, **body: str) -> Reply:
    reply = world.command(verb, **body).reply
    assert reply is not None
    assert reply.accepted, reply.message
    return reply
