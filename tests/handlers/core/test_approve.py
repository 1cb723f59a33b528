"""What approve does where it makes sense: a closed gate counts as open once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from schemas.status import Phase
from tests.handlers.core.manifests import hook, weighted
from tests.handlers.core.moments import waiting, waiting_promotion
from tests.handlers.core.orders import accepted
from tests.handlers.core.rollouts import at_the_traffic_gate, with_hooks
from tests.handlers.core.world import World


def test_an_approved_start_begins_in_that_wake_and_says_who_approved() -> None:
    world = waiting()
    reply = accepted(world, "approve", by="ann", reason="looked at it")
    assert (world.phase, reply.phase) == (Phase.PROGRESSING, "Progressing")
    assert "Confirm-rollout check confirm-rollout approved by ann" in world.told
    assert world.told[-1] == "approve accepted from ann: looked at it"


def test_a_gate_can_be_approved_before_it_was_asked() -> None:
    world = with_hooks("confirm-rollout")
    world.hooks["confirm-rollout"] = False
    world.push("podinfo:2")
    accepted(world, "approve")
    assert world.phase is Phase.PROGRESSING
    assert world.asked == []


def test_an_approved_traffic_gate_lets_one_step_pass_and_is_not_asked_for_it() -> None:
    world = at_the_traffic_gate()
    reply = accepted(world, "approve", by="ann")
    assert reply.message == (
        "confirm-traffic-increase of podinfo.test counts as open once, when the checks of a slot have passed"
    )
    world.asked.clear()
    world.tick()
    assert (world.weight, world.asked) == (50, ["request-success-rate"])
    assert "Confirm-traffic-increase check confirm-traffic-increase approved by ann" in world.told
    world.tick(3)
    assert (world.phase, world.weight) == (Phase.PROGRESSING, 50), "the next step needs another"


def test_an_approval_outlives_a_failed_check_and_is_used_when_they_pass() -> None:
    world = at_the_traffic_gate()
    world.answer("request-success-rate", 50)
    world.tick()
    accepted(world, "approve")
    world.tick()
    assert world.weight == 25
    world.answer("request-success-rate", 100)
    world.tick()
    assert world.weight == 50


def test_an_approved_promotion_gate_promotes_at_the_next_slot_that_passes() -> None:
    world = waiting_promotion()
    accepted(world, "approve", by="ann")
    world.tick()
    assert world.phase is Phase.PROMOTING
    assert "Confirm-promotion check confirm-promotion approved by ann" in world.told


def test_an_approval_of_traffic_is_none_of_the_promotion() -> None:
    world = with_hooks("confirm-traffic-increase", "confirm-promotion")
    world.push("podinfo:2")
    world.until(Phase.PROGRESSING)
    world.tick(2)
    world.hooks |= {"confirm-traffic-increase": False, "confirm-promotion": False}
    assert world.weight == 50
    world.tick()
    accepted(world, "approve")
    world.tick(3)
    assert world.phase is Phase.WAITING_PROMOTION
    assert world.status.approved is None


@pytest.mark.parametrize("given", [waiting, at_the_traffic_gate, waiting_promotion])
def test_an_approval_is_recorded_while_paused_and_used_after_resume(given: Callable[[], World]) -> None:
    world = given()
    phase, weight = world.phase, world.weight
    accepted(world, "pause")
    accepted(world, "approve", by="ann")
    world.tick(2)
    assert (world.phase, world.weight) == (phase, weight)
    accepted(world, "resume")
    world.tick()
    assert (world.phase, world.weight) != (phase, weight)
    assert any(text.endswith("approved by ann") for text in world.told)


def test_a_gate_that_was_not_asked_yet_can_be_approved_while_paused() -> None:
    world = with_hooks("confirm-traffic-increase")
    world.hooks["confirm-traffic-increase"] = False
    world.push("podinfo:2")
    accepted(world, "pause")
    world.tick()
    accepted(world, "approve")
    accepted(world, "resume")
    world.tick(3)
    assert world.weight == 25


@pytest.mark.parametrize("given", [at_the_traffic_gate, waiting_promotion])
def test_an_approval_is_void_on_a_newer_revision(given: Callable[[], World]) -> None:
    world = given()
    accepted(world, "approve")
    world.push("podinfo:3")
    assert (world.status.approved, world.status.closed_gate) == (None, None)


def test_hooks_of_another_name_are_no_gates() -> None:
    world = World(weighted(webhooks=[hook("rollout")])).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick()
    accepted(world, "pause")
    reply = world.command("approve").reply
    assert reply is not None
    assert not reply.accepted
