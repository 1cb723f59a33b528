"""The first slot of an analysis: it begins when everything is there, and the others are counted from it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from schemas.events import ChangeReason
from schemas.status import Phase
from tests.handlers.core.manifests import SUCCESS_RATE, ab_testing, hook, weighted
from tests.handlers.core.world import World


def pushed(spec: dict[str, Any] | None = None) -> World:
    """Its pods are not there yet, and a slot has passed for nothing."""
    world = World(spec or weighted(metrics=[SUCCESS_RATE])).until(Phase.INITIALIZED)
    world.not_ready = {"target"}
    world.push("podinfo:2")
    world.tick()
    assert (world.weight, world.status.waiting_for) == (0, "target")
    return world


def first_tick(world: World) -> None:
    """The watcher gives it as soon as the status says when the first slot began."""
    assert world.status.slots_from is not None
    world.wait(-10)
    world.tick(slot=world.status.slots_from)


@pytest.mark.parametrize("reason", [ChangeReason.READY, ChangeReason.DRIFT, ChangeReason.RESYNC])
def test_the_first_slot_begins_when_pods_are_ready_and_its_tick_takes_the_first_step(reason: ChangeReason) -> None:
    world = pushed()
    world.not_ready = set()
    world.change(reason)
    assert (world.weight, world.status.slots_from, world.condition().status) == (0, world.now, "False")
    first_tick(world)
    assert (world.weight, world.told[-1]) == (25, "Advance podinfo.test canary weight 25")
    assert world.status.slots_from == world.status.last_tick == world.status.weight_since == world.now


def test_the_weight_serves_a_whole_interval_from_there_before_it_is_judged() -> None:
    world = pushed()
    world.not_ready = set()
    world.change()
    first_tick(world)
    began = world.now
    world.change()
    assert world.status.slots_from == began, "what is ready again begins nothing again"
    world.wait(-7)
    world.tick(slot=began + timedelta(seconds=3))
    assert (world.weight, world.status.failed_checks) == (25, 0), "a slot that another watcher counts otherwise"
    world.now = began
    world.tick()
    assert world.weight == 50


def test_the_first_iteration_of_an_ab_test_begins_so_as_well() -> None:
    world = pushed(ab_testing(iterations=3))
    world.not_ready = set()
    world.change()
    first_tick(world)
    assert (world.weight, world.status.iterations) == (100, 1)


@pytest.mark.parametrize(("missing", "waits"), [("primary", "primary"), ("gateway", "gateway")])
def test_whatever_else_is_missing_wakes_it_then(missing: str, waits: str) -> None:
    world = pushed()
    world.not_ready = {"primary"} if missing == "primary" else set()
    if missing == "gateway":
        world.says("Pending")
    told = len(world.notices)
    world.change()
    assert (world.status.slots_from, world.status.waiting_for, len(world.notices)) == (None, waits, told)
    world.not_ready = set()
    world.says("Accepted")
    world.change()
    first_tick(world)
    assert world.weight == 25


def test_acceptance_tests_are_asked_by_ticks_alone_and_once_a_slot() -> None:
    world = pushed(weighted(webhooks=[hook("pre-rollout")], threshold=5))
    world.hooks["pre-rollout"] = False
    world.not_ready = set()
    world.change()
    world.change()
    assert world.status.failed_checks == 0
    first_tick(world)
    world.change()
    assert (world.weight, world.status.failed_checks) == (0, 1)
    world.tick()
    assert world.status.failed_checks == 2
    world.hooks["pre-rollout"] = True
    world.tick()
    assert world.weight == 25


def test_a_tick_that_finds_everything_ready_is_the_first_itself() -> None:
    world = World(weighted(metrics=[SUCCESS_RATE])).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick()
    assert (world.weight, world.status.slots_from) == (25, world.now)
    world.tick()
    assert world.weight == 50


def test_a_command_asks_no_hook_and_begins_no_slot() -> None:
    world = pushed()
    world.not_ready = set()
    world.command("pause")
    assert (world.weight, world.status.slots_from) == (0, None)


def test_another_revision_has_a_first_slot_of_its_own() -> None:
    world = pushed()
    world.not_ready = set()
    world.change()
    first_tick(world)
    world.push("podinfo:3")
    assert (world.weight, world.status.slots_from) == (0, None)
    world.says("Accepted")
    world.change()
    first_tick(world)
    assert world.weight == 25
