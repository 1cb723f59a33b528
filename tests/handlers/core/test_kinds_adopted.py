"""DaemonSets and Services that the peer left, at rest and in mid-rollout."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.events import ChangeReason
from schemas.status import Phase
from schemas.workload import Workload
from tests.handlers.core.test_kinds import at, canary_image, world_of
from tests.handlers.core.world import World


def left_by_the_peer(kind: str, *, weight: int = 0) -> World:
    """As its objects stand there: no mark of ours, a hash that says nothing to us, pods restarted by its own id."""
    ours = at(weight, kind) if weight else world_of(kind)
    for item in (ours.target, ours.primary, ours.route, ours.canary_copy):
        if item is not None:
            kept = item["metadata"].get("annotations") or {}
            item["metadata"]["annotations"] = {key: kept[key] for key in kept if not key.startswith("canarybus.dev/")}
    assert ours.primary is not None
    if kind != "Service":
        ours.primary["spec"]["template"]["metadata"]["annotations"] = {"flagger-id": "9b6c1f5e-4a52"}
    phase = "Progressing" if weight else "Succeeded"
    hashes = {"lastAppliedSpec": "5d5b6f7c9d", "lastPromotedSpec": "5d5b6f7c9d"}
    world = World(ours.item["spec"])
    world.target, world.primary, world.route = ours.target, ours.primary, ours.route
    world.canary_copy = ours.canary_copy
    world.item["status"] = {"phase": phase, "canaryWeight": weight, "failedChecks": 0, "iterations": 0, **hashes}
    return world


def content_of_primary(world: World) -> Any:
    assert world.primary is not None
    return Workload(world.primary).content


@pytest.mark.parametrize("kind", ["DaemonSet", "Service"])
def test_one_that_the_peer_left_at_rest_starts_nothing_until_something_is_pushed(kind: str) -> None:
    world = left_by_the_peer(kind)
    before = content_of_primary(world)
    world.change(ChangeReason.SPEC)
    world.tick(3)
    assert (world.phase, world.reasons) == (Phase.SUCCEEDED, ["Adopted"])
    assert world.status.settled
    assert content_of_primary(world) == before, "its pods were restarted"
    world.push("podinfo:2")
    world.until(Phase.SUCCEEDED)
    assert world.primary_image == "podinfo:2"


@pytest.mark.parametrize("kind", ["DaemonSet", "Service"])
def test_one_that_the_peer_left_in_mid_rollout_goes_on_from_its_weight(kind: str) -> None:
    world = left_by_the_peer(kind, weight=25)
    before = content_of_primary(world)
    world.change(ChangeReason.SPEC)
    assert (world.phase, world.weight, canary_image(world)) == (Phase.PROGRESSING, 25, "podinfo:2")
    assert content_of_primary(world) == before
    world.until(Phase.SUCCEEDED)
    assert world.weights == [25, 50, 0]
    assert world.primary_image == "podinfo:2"
