"""A Canary in each phase, for tests that ask what something does there."""

from __future__ import annotations

from schemas.status import Phase
from tests.handlers.core.manifests import hook, weighted
from tests.handlers.core.world import World


def fresh() -> World:
    return World()


def initializing() -> World:
    world = World()
    world.not_ready = {"primary"}
    world.tick(2)
    return world


def initialized() -> World:
    return World().until(Phase.INITIALIZED)


def waiting() -> World:
    world = World(weighted(webhooks=[hook("confirm-rollout")])).until(Phase.INITIALIZED)
    world.hooks["confirm-rollout"] = False
    world.push("podinfo:2")
    world.tick()
    return world


def progressing() -> World:
    world = initialized()
    world.push("podinfo:2")
    world.tick()
    return world


def waiting_promotion() -> World:
    world = World(weighted(webhooks=[hook("confirm-promotion")])).until(Phase.INITIALIZED)
    world.hooks["confirm-promotion"] = False
    world.push("podinfo:2")
    return world.until(Phase.WAITING_PROMOTION)


def promoting() -> World:
    world = initialized()
    world.push("podinfo:2")
    world.until(Phase.PROMOTING)
    world.not_ready = {"primary"}
    return world


def finalising() -> World:
    world = promoting()
    world.verdict, world.not_ready = "Pending", set()
    return world.until(Phase.FINALISING)


def succeeded() -> World:
    world = initialized()
    world.push("podinfo:2")
    return world.until(Phase.SUCCEEDED)


def failed() -> World:
    world = progressing()
    world.command("abort")
    return world
