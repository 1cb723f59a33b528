"""Worlds that the peer left (:mod:`tests.peer`), and the first look at them."""

from __future__ import annotations

from typing import Any

from schemas.events import ChangeReason
from tests.handlers.core.manifests import SUCCESS_RATE, weighted
from tests.handlers.core.world import World
from tests.peer import SETTINGS, Left, peers_checksum

TEN = {"stepWeight": 10, "maxWeight": 50, "metrics": [SUCCESS_RATE]}


def left(phase: str, spec: dict[str, Any] | None = None, **more: Any) -> Left:
    return Left(phase, spec or weighted(**TEN), **more)


def arrived(found: Left) -> World:
    """The world that ``found`` describes; nobody has looked at it yet."""
    world = World(found.spec)
    move_in(world, found)
    return world


def move_in(world: World, found: Left) -> None:
    world.target, world.primary, world.route = found.target, found.primary, found.route
    for item in (world.target, world.primary, world.route):
        item["metadata"] = {"generation": 1, "resourceVersion": "1", "annotations": {}, **item["metadata"]}
    world.item["status"] = found.status
    world.configs = {"configmap/settings": peers_checksum(SETTINGS)}


def taken_over(found: Left) -> World:
    """Looked at once."""
    world = arrived(found)
    world.change(ChangeReason.SPEC)
    return world


def pods_of_primary(world: World) -> Any:
    assert world.primary is not None
    return world.primary["spec"]["template"]


def named(found: Left) -> str:
    """For the name of a test."""
    kind = "ab" if "match" in found.spec["analysis"] else "bg" if "iterations" in found.spec["analysis"] else "weights"
    return f"{found.phase}-{kind}-{found.weight}"
