"""Rollouts on their way, for tests that begin in the middle."""

from __future__ import annotations

from typing import Any

from schemas.status import Phase
from tests.handlers.core.manifests import SUCCESS_RATE, hook, weighted
from tests.handlers.core.world import World

DEADLINE = 60


def progressing(weight: int = 25, **analysis: Any) -> World:
    spec = weighted(metrics=[SUCCESS_RATE], **analysis) | {"progressDeadlineSeconds": DEADLINE}
    world = World(spec).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    while world.weight < weight:
        world.tick()
    return world


def promoting(**analysis: Any) -> World:
    """At weight 50, the template copied, the primary's pods not ready yet."""
    world = World(weighted(**analysis) | {"progressDeadlineSeconds": DEADLINE}).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.until(Phase.PROMOTING)
    world.not_ready = {"primary"}
    return world


def with_hooks(*kinds: str, **analysis: object) -> World:
    return World(weighted(webhooks=[hook(kind) for kind in kinds], **analysis)).until(Phase.INITIALIZED)


def at_the_traffic_gate() -> World:
    """At 25 %, where the gate before more traffic is closed."""
    world = with_hooks("confirm-traffic-increase", metrics=[SUCCESS_RATE])
    world.push("podinfo:2")
    world.tick()
    world.hooks["confirm-traffic-increase"] = False
    world.tick()
    assert world.status.closed_gate is not None
    return world
