"""Slots are named by the clock of a watcher and judged by that of a worker: neither is trusted to be right."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schemas.status import Phase
from tests.handlers.core.manifests import blue_green
from tests.handlers.core.rollouts import progressing
from tests.handlers.core.watched import Watched
from tests.handlers.core.world import World

CENTURY = timedelta(days=36_500)


def test_one_tick_from_a_clock_that_runs_ahead_is_judged_and_keeps_no_later_one_from_it() -> None:
    world = progressing(25, maxWeight=100)
    world.tick(slot=world.now + CENTURY + timedelta(seconds=3))
    world.tick()
    assert world.weight == 50, "it has cost no slot"
    assert world.status.last_tick is not None
    assert world.status.last_tick <= world.now


def test_a_slot_that_runs_is_judged_once_whatever_the_clocks_call_it() -> None:
    world = Watched(blue_green(iterations=5)).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick(2)
    judged, slot = world.status.iterations, world.now
    for ahead in (1000, 30, 0):
        world.now = slot + timedelta(seconds=ahead // 500 - 10)
        world.tick(slot=slot + timedelta(seconds=ahead))
    assert world.status.iterations == judged


@pytest.mark.parametrize("ahead", [3, 10, 15, 86_400])
def test_a_watcher_whose_clock_runs_ahead_brings_a_rollout_to_its_end(ahead: int) -> None:
    world = Watched(World().item["spec"]).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    for _ in range(20):
        world.tick(slot=world.now + timedelta(seconds=10 + ahead))
    assert world.phase is Phase.SUCCEEDED


def test_a_slot_of_the_future_in_the_status_is_believed_by_nobody() -> None:
    world = progressing(25, maxWeight=100)
    world.given(last_tick=world.now + CENTURY)
    world.tick()
    assert world.weight == 50
    assert world.status.last_tick == world.now


def test_a_tick_that_comes_again_is_not_judged_again() -> None:
    world = progressing(25, maxWeight=100)
    world.tick(slot=world.now)
    assert world.weight == 25
