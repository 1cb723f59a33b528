"""What the peer left, when its spec was edited or suspended before the first look."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.events import ChangeReason
from schemas.status import Phase
from tests.handlers.core.manifests import ab_testing, blue_green, weighted
from tests.handlers.core.switched import arrived, left, named
from tests.handlers.core.world import World
from tests.peer import Left


def edited(found: Left, **spec: Any) -> World:
    """Nobody has looked at it, and its primary is not ready."""
    world = arrived(found)
    world.not_ready = {"primary"}
    world.item["spec"] = {**world.item["spec"], **spec}
    world.item["metadata"]["generation"] += 1
    return world


@pytest.mark.parametrize(
    "found",
    [left("Failed", weight=100), left("Promoting", weight=50), left("Promoting", ab_testing(), weight=100)],
    ids=named,
)
def test_users_stay_on_the_canary_until_the_primary_is_ready_although_the_port_was_edited(found: Left) -> None:
    world = edited(found, service={"port": 9999})
    world.change(ChangeReason.SPEC)
    world.tick(6)
    assert (world.phase.value, world.weight, world.status.canary_weight) == (found.phase, found.weight, found.weight)
    assert world.canary_replicas > 0


@pytest.mark.parametrize(
    ("found", "weight"),
    [
        (left("Failed", weight=100), 100),
        (left("Failed"), 0),
        (left("Promoting", weight=50), 50),
        (left("Promoting", ab_testing(), weight=100), 100),
        (left("Promoting", blue_green(), weight=100), 100),
        (left("Finalising"), 0),
    ],
)
@pytest.mark.parametrize("gone", [False, True])
def test_weights_that_nobody_can_read_are_those_of_the_peers_phase(found: Left, weight: int, gone: bool) -> None:
    world = edited(found)
    assert world.route is not None
    world.route["spec"]["routes"] = []
    if gone:
        # the service's name was edited: the peer's RouteTable is under another
        world.route = None
    world.change(ChangeReason.SPEC)
    assert (world.phase.value, world.status.canary_weight) == (found.phase, weight)


def test_an_analysis_goes_on_at_its_weight_although_the_port_was_edited() -> None:
    world = edited(left("Progressing", weighted(stepWeight=10, maxWeight=50), weight=30), service={"port": 9999})
    world.not_ready = set()
    world.change(ChangeReason.SPEC)
    assert (world.phase, world.weight) == (Phase.PROGRESSING, 30)


@pytest.mark.parametrize(
    "found",
    [
        left("Progressing", ab_testing(), weight=100, iterations=1),
        left("Progressing", weight=30),
        left("Promoting", blue_green(), weight=100),
        left("Failed", weight=100),
        left("Succeeded"),
    ],
    ids=named,
)
def test_suspended_without_a_primary_it_keeps_its_routes_says_their_weight_and_goes_on_afterwards(found: Left) -> None:
    world = edited(found, suspend=True)
    world.primary = None
    world.not_ready = set()
    text = f"skipping canary run as object is suspended, canary weight stays at {found.weight}"
    world.change(ChangeReason.SPEC)
    assert (world.weight, world.condition().message) == (found.weight, text)
    world.tick(4)
    assert (world.weight, world.condition().message, world.told) == (found.weight, text, [text])
    assert (world.phase.value, world.primary) == (found.phase, None)
    world.edit(suspend=False)
    assert not world.status.settled
    if found.phase == "Failed":
        assert world.condition().message.endswith("was refused: give podinfo.test a good one")
        return
    world.until(Phase.INITIALIZED)
    assert (world.weight, world.told.count(text)) == (0, 1)
