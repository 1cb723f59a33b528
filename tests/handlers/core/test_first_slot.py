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


@pytest.mark.parametrize("reason", [ChangeReason.READY, ChangeReason.DRIFT, ChangeReason.RESYNC])
def test_the_first_step_waits_for_pods_and_not_for_a_slot(reason: ChangeReason) -> None:
    world = pushed()
    world.not_ready = set()
    world.change(reason)
    assert (world.weight, world.told[-1]) == (25, "Advance podinfo.test canary weight 25")
    assert world.status.slots_from == world.status.last_tick == world.status.weight_since == world.now


def test_the_weight_serves_a_whole_interval_from_there_before_it_is_judged() -> None:
    world = pushed()
    world.not_ready = set()
    world.change()
    began = world.now
    world.change()
    assert world.weight == 25, "what is ready again begins nothing again"
    world.wait(3)
    world.tick(slot=began + timedelta(seconds=5))
    assert (world.weight, world.status.failed_checks) == (25, 0), "a slot that another watcher counts otherwise"
    world.now = began
    world.tick()
    assert world.weight == 50


def test_the_first_iteration_of_an_ab_test_begins_so_as_well() -> None:
    world = pushed(ab_testing(iterations=3))
    world.not_ready = set()
    world.change()
    assert (world.weight, world.status.iterations) == (100, 1)


@pytest.mark.parametrize(("missing", "waits"), [("primary", "primary"), ("gateway", "gateway")])
def test_whatever_else_is_missing_wakes_it_then(missing: str, waits: str) -> None:
    world = pushed()
    world.not_ready = {"primary"} if missing == "primary" else set()
    if missing == "gateway":
        world.says("Pending")
    told = len(world.notices)
    world.change()
    assert (world.weight, world.status.waiting_for, len(world.notices)) == (0, waits, told)
    world.not_ready = set()
    world.says("Accepted")
    world.change()
    assert world.weight == 25


def test_acceptance_tests_that_fail_are_asked_once_then_and_once_a_slot_afterwards() -> None:
    world = pushed(weighted(webhooks=[hook("pre-rollout")], threshold=5))
    world.hooks["pre-rollout"] = False
    world.not_ready = set()
    world.change()
    assert (world.weight, world.status.failed_checks) == (0, 1)
    world.change()
    world.change()
    assert world.status.failed_checks == 1
    world.tick()
    assert world.status.failed_checks == 2
    world.hooks["pre-rollout"] = True
    world.tick()
    assert world.weight == 25


def test_a_command_asks_no_hook_and_begins_no_slot() -> None:
    world = pushed()
    world.not_ready = set()
    world.command("pause")
    assert (world.weight, world.status.slots_from) == (0, None)


def test_another_revision_has_a_first_slot_of_its_own() -> None:
    world = pushed()
    world.not_ready = set()
    world.change()
    world.push("podinfo:3")
    assert (world.weight, world.status.slots_from) == (0, None)
    world.says("Accepted")
    world.change()
    assert world.weight == 25
    assert world.status.slots_from == world.now
