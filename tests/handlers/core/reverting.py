"""Canaries with revertOnDeletion, and where the routes of one lead."""

from __future__ import annotations

from typing import Any

from schemas.status import Phase
from tests.handlers.core.manifests import weighted
from tests.handlers.core.world import World


def reverting(analysis: dict[str, Any] | None = None, **spec: Any) -> World:
    return World({**weighted(**(analysis or {})), "revertOnDeletion": True, "progressDeadlineSeconds": 60, **spec})


def at_rest(**spec: Any) -> World:
    return reverting(**spec).until(Phase.INITIALIZED)


def shares(world: World) -> list[tuple[str, int]]:
    return [
        (item["destination"]["upstream"]["name"].split("-")[2], item["weight"])
        for number in range(len(world.route["spec"]["routes"] if world.route else ()))
        for item in world.destinations(number)
    ]
