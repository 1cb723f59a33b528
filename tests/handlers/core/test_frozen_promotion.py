"""From the promotion until they are on the primary, users keep the pods that were analysed, whatever is pushed."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.status import Phase
from schemas.workload import FROZEN, TARGET_STEP, Workload
from tests.handlers.core import shapes
from tests.handlers.core.manifests import ab_testing, blue_green, weighted
from tests.handlers.core.shapes import image_of, of_kind
from tests.handlers.core.switched import arrived, left
from tests.handlers.core.world import World

SHORT = {"progressDeadlineSeconds": 60}
WORKLOADS = ("Deployment", "DaemonSet")


def promoting(spec: dict[str, Any] | None = None) -> World:
    """Its primary does not get ready."""
    world = World(SHORT | (spec or weighted())).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.until(Phase.PROMOTING)
    world.not_ready = {"primary"}
    world.tick()
    return world


def is_frozen(world: World) -> bool:
    assert world.target is not None
    noted = FROZEN in world.target["metadata"]["annotations"]
    assert noted == shapes.is_frozen(world.target)
    return noted


def running(world: World) -> str:
    return image_of(world.rolled)


def ends_well(world: World) -> None:
    """Nothing is left of it."""
    world.not_ready = set()
    world.tick(20)
    assert not is_frozen(world)
    assert world.weight == 0
    assert world.status.settled


@pytest.mark.parametrize("spec", [weighted(), ab_testing(), blue_green(), of_kind("DaemonSet", weighted())])
def test_a_fix_reaches_nobody_before_it_is_analysed(spec: dict[str, Any]) -> None:
    world = promoting(spec)
    world.push("podinfo:3")
    assert "is frozen until its users have left it, what is pushed meanwhile waits" in world.condition().message
    seen = []
    while world.weight:
        seen.append(running(world))
        world.tick()
        if world.status.returning:
            world.not_ready = set()
    assert set(seen) == {"podinfo:2"}
    world.until(Phase.PROGRESSING)
    world.until(Phase.SUCCEEDED)
    assert world.primary_image == "podinfo:3"
    assert not is_frozen(world)


def test_a_fix_does_not_keep_a_promotion_from_failing_at_its_deadline() -> None:
    world = promoting()
    world.push("podinfo:3")
    world.tick(8)
    assert world.status.returning is not None
    assert any(text.startswith("Promotion failed") for _, text in world.alerts)


@pytest.mark.parametrize("kind", WORKLOADS)
def test_a_promotion_that_comes_through_lets_the_pushed_revision_begin_from_zero(kind: str) -> None:
    world = promoting(of_kind(kind, weighted()))
    world.push("podinfo:3")
    world.not_ready = set()
    world.until(Phase.FINALISING)
    assert is_frozen(world)
    world.until(Phase.PROGRESSING)
    assert world.primary_image == "podinfo:2"
    world.until(Phase.PROMOTING)
    assert running(world) == "podinfo:3"
    ends_well(world)
    assert world.primary_image == "podinfo:3"


@pytest.mark.parametrize("how", ["succeeds", "abort", "reverted", "skip", "steps", "invalid", "snapshot lost"])
def test_whichever_way_a_promotion_ends_the_target_is_let_go(how: str) -> None:
    world = promoting(weighted(stepWeightPromotion=10) if how == "steps" else None)
    assert is_frozen(world)
    match how:
        case "abort":
            world.command("abort")
        case "reverted":
            world.push("podinfo:1")
        case "skip":
            world.edit(skipAnalysis=True)
        case "invalid":
            world.edit_analysis(stepWeight=0)
            world.tick(8)
            world.not_ready = set()
            world.tick(10)
            world.edit_analysis(stepWeight=25)
        case "snapshot lost":
            world.push("podinfo:3")
            world.snapshots.pop(world.status.primary_revision)
            world.primary = None
    ends_well(world)


def test_users_who_were_never_sent_there_keep_nothing() -> None:
    world = World(weighted()).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.edit(skipAnalysis=True)
    world.not_ready = {"primary"}
    world.tick(2)
    assert (world.phase, world.weight) == (Phase.PROMOTING, 0)
    assert not is_frozen(world)
    world.push("podinfo:3")
    ends_well(world)


def test_a_service_is_not_even_written() -> None:
    world = World(of_kind("Service", weighted())).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick(2)
    before = world.status.target_step
    world.until(Phase.PROMOTING)
    assert world.weight
    assert world.target is not None
    assert Workload(world.target).fence(TARGET_STEP) == world.status.target_step == before


def test_a_promotion_that_another_controller_began_is_frozen_from_the_first_look() -> None:
    world = arrived(left("Promoting", weighted(), weight=50))
    world.not_ready = {"primary"}
    world.tick(2)
    assert world.phase is Phase.PROMOTING
    assert is_frozen(world)
    ends_well(world)


def test_a_deletion_lets_it_go() -> None:
    world = World({"revertOnDeletion": True, **SHORT, **weighted()}).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.until(Phase.PROMOTING)
    assert is_frozen(world)
    world.delete()
    world.tick(10)
    assert world.phase is Phase.TERMINATED
    assert not is_frozen(world)
