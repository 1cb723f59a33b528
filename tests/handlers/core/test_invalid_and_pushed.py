"""Users of a rollout that is held as invalid never meet a revision that nobody analysed."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.core.draft import Decision
from schemas.events import ChangeReason
from schemas.status import Phase
from tests.handlers.core.manifests import ab_testing, blue_green, weighted
from tests.handlers.core.switched import arrived, left
from tests.handlers.core.world import World

BROKEN = {"mirror": True, "stepWeight": 0, "stepWeights": [30, 10], "iterations": 0}


def users_on_the_canary(spec: dict[str, Any]) -> World:
    world = World(spec).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    while not world.weight:
        world.tick()
    return world


def pushed(world: World, image: str) -> Decision:
    assert world.phase is Phase.PROGRESSING
    return world.push(image)


@pytest.mark.parametrize("spec", [weighted(), ab_testing(), blue_green()])
def test_they_leave_at_once_and_are_told_why_when_another_revision_is_pushed(spec: dict[str, Any]) -> None:
    world = users_on_the_canary(spec)
    world.edit_analysis(**BROKEN)
    pushed(world, "podinfo:3")
    assert (world.phase, world.weight) == (Phase.FAILED, 0)
    severity, alert = world.alerts[-1]
    assert severity == "error"
    assert alert.startswith(
        "Rolling back podinfo.test: podinfo.test runs a revision that cannot be analysed: spec.analysis"
    )
    world.tick(3)
    assert world.canary_replicas == 0
    assert world.condition().reason == "Invalid"


def test_what_was_pushed_is_analysed_once_the_canary_is_valid_again() -> None:
    world = users_on_the_canary(weighted())
    world.edit_analysis(stepWeight=0)
    pushed(world, "podinfo:3")
    world.tick(3)
    world.edit_analysis(stepWeight=25)
    world.until(Phase.SUCCEEDED)
    assert world.primary_image == "podinfo:3"
    assert world.weights[-4:] == [0, 25, 50, 0]


def test_they_leave_at_once_when_what_was_pushed_misses_its_config() -> None:
    world = users_on_the_canary(blue_green())
    world.missing_configs = ("configmap new.test is gone",)
    pushed(world, "podinfo:3")
    assert (world.phase, world.weight) == (Phase.FAILED, 0)
    assert "configmap new.test is gone" in world.alerts[-1][1]


def test_a_push_of_the_promoted_revision_ends_the_rollout_without_blame() -> None:
    world = users_on_the_canary(weighted())
    world.edit_analysis(stepWeight=0)
    pushed(world, "podinfo:1")
    assert (world.phase, world.weight) == (Phase.SUCCEEDED, 0)
    assert "Reverted" in world.reasons
    world.tick()
    assert world.condition().reason == "Invalid"


def test_the_analysed_revision_keeps_its_users_until_the_deadline() -> None:
    world = users_on_the_canary(weighted())
    world.edit_analysis(stepWeight=0)
    world.tick(3)
    assert (world.phase, world.weight) == (Phase.PROGRESSING, 25)


def test_an_invalid_one_that_another_controller_left_is_not_judged_by_hashes_of_that() -> None:
    world = arrived(left("Progressing", weighted(stepWeight=0), weight=20))
    world.change(ChangeReason.SPEC)
    world.tick(2)
    assert world.weight == 20
