"""Rollouts that were played to their end, for those who look at what was told in them."""

from __future__ import annotations

from functools import cache

from schemas.events import ChangeReason
from schemas.status import Phase
from tests.handlers.core.manifests import SUCCESS_RATE, ab_testing, blue_green, hook, weighted
from tests.handlers.core.switched import arrived, left
from tests.handlers.core.world import World

GATES = ("confirm-rollout", "pre-rollout", "confirm-traffic-increase", "confirm-promotion")


def analysing(**analysis: object) -> World:
    """``podinfo:2`` has 25 percent."""
    world = World(weighted(**analysis)).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick()
    return world


@cache
def everything() -> World:
    """The canonical sequence: every hook there is, and a promotion in two steps."""
    hooks = [hook(name) for name in GATES]
    spec = weighted(stepWeight=100, stepWeightPromotion=50, metrics=[SUCCESS_RATE], webhooks=hooks)
    world = World(spec)
    world.not_ready = {"primary"}
    world.tick(2)
    world.not_ready = set()
    world.until(Phase.INITIALIZED)
    world.push("podinfo:2")
    return world.until(Phase.SUCCEEDED)


@cache
def closed(name: str) -> World:
    """The gate of this type, or the acceptance test."""
    world = World(weighted(webhooks=[hook(name)])).until(Phase.INITIALIZED)
    world.hooks[name] = False
    world.push("podinfo:2")
    world.tick(4)
    return world


@cache
def switched_on_and_off() -> World:
    world = analysing()
    world.push("podinfo:3")
    world.edit(suspend=True)
    return world


@cache
def ab_test() -> World:
    world = World(ab_testing()).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    return world.until(Phase.SUCCEEDED)


@cache
def blue_and_green() -> World:
    world = World(blue_green()).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    return world.until(Phase.SUCCEEDED)


@cache
def skipped() -> World:
    world = World({**weighted(), "skipAnalysis": True}).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    return world.until(Phase.SUCCEEDED)


@cache
def too_many_failures() -> World:
    world = analysing(metrics=[SUCCESS_RATE])
    world.answer("request-success-rate", 42.0)
    world.tick(3)
    return world


@cache
def asked_to_roll_back() -> World:
    world = analysing(webhooks=[hook("rollback")])
    world.hooks["rollback"] = True
    world.tick()
    return world


@cache
def canary_stuck() -> World:
    world = World().until(Phase.INITIALIZED)
    world.not_ready = {"target"}
    world.push("podinfo:2")
    world.tick()
    world.stuck = {"target"}
    world.tick()
    return world


@cache
def primary_stuck() -> World:
    world = analysing().until(Phase.PROMOTING)
    world.not_ready = world.stuck = {"primary"}
    world.tick()
    return world


@cache
def providers_away() -> World:
    world = World(weighted(metrics=[SUCCESS_RATE]))
    world.providers = "prometheus not avaiable: refused"
    world.tick(3)
    return world


@cache
def deleted() -> World:
    world = arrived(left("Succeeded", {**weighted(), "revertOnDeletion": True}))
    world.item["metadata"]["finalizers"] = ["finalizer.flagger.app"]
    world.tick(3)
    world.item["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:30Z"
    world.change(ChangeReason.DELETED)
    world.tick(8)
    return world


@cache
def external_check_failed() -> World:
    world = analysing(webhooks=[hook("rollout", name="load test")])
    world.hooks["load test"] = False
    world.tick()
    return world
