"""Rollback hooks: a signal that may be given only once ends the rollout wherever it is."""

from __future__ import annotations

import pytest

from schemas.status import Phase, Reason
from tests.handlers.core.manifests import SUCCESS_RATE, hook, weighted
from tests.handlers.core.rollouts import with_hooks
from tests.handlers.core.world import World

SIGNALLED = [
    "Rollback check rollback passed",
    "Rolling back podinfo.test manual webhook invoked",
]


def once(world: World) -> None:
    """The signal is given to the next tick, and to no later one."""
    world.hooks["rollback"] = True
    world.tick()
    world.hooks["rollback"] = False


def promoting() -> World:
    world = with_hooks("rollback")
    world.push("podinfo:2")
    world.until(Phase.PROMOTING)
    world.not_ready = {"primary"}
    world.tick()
    return world


def test_a_signal_while_waiting_refuses_the_revision_and_moves_nothing() -> None:
    world = with_hooks("rollback", "confirm-rollout")
    world.hooks["confirm-rollout"] = False
    world.push("podinfo:2")
    world.tick()
    once(world)
    assert (world.phase, world.weight, world.canary_replicas) == (Phase.FAILED, 0, 0)
    assert world.told[-2:] == SIGNALLED
    assert world.alerts[-1] == ("warn", "Rolling back manual webhook invoked")
    world.hooks["confirm-rollout"] = True
    world.tick(3)
    assert world.phase is Phase.FAILED
    assert world.status.settled


def test_a_signal_while_waiting_counts_while_paused() -> None:
    world = with_hooks("rollback", "confirm-rollout")
    world.push("podinfo:2")
    world.command("pause")
    once(world)
    assert world.phase is Phase.FAILED


def test_a_signal_while_promoting_takes_the_primary_back_before_any_traffic() -> None:
    world = promoting()
    weight = world.weight
    once(world)
    assert (world.phase, world.weight, world.primary_image) == (Phase.PROMOTING, weight, "podinfo:1")
    assert world.told[-2:] == SIGNALLED
    world.not_ready = set()
    world.tick()
    assert (world.phase, world.weight) == (Phase.FAILED, 0)
    world.tick(3)
    assert world.canary_replicas == 0


def test_a_rollout_that_is_going_back_is_not_asked_again() -> None:
    world = promoting()
    once(world)
    world.asked.clear()
    world.tick(3)
    assert world.asked == []


def test_a_signal_is_not_lost_to_a_push_in_the_same_slot() -> None:
    world = with_hooks("rollback")
    world.push("podinfo:2")
    world.tick()
    world.set_image("podinfo:3")
    once(world)
    assert world.phase is Phase.FAILED
    refused = world.status.last_applied_spec
    world.tick()
    assert world.status.phase is Phase.PROGRESSING, "the pushed revision has its own analysis"
    assert world.status.last_applied_spec != refused


def test_a_signal_heard_while_somebody_else_finished_the_promotion_still_counts() -> None:
    """Asked for Promoting; the status has moved on to Finalising before the commit."""
    world = promoting()
    real = world.look

    def moved_meanwhile(stimulus):  # type: ignore[no-untyped-def]
        canary, seen = real(stimulus)
        status = canary.status.model_copy(update={"phase": Phase.FINALISING})
        return canary.model_copy(update={"status": status}), seen

    world.look = moved_meanwhile  # type: ignore[method-assign]
    once(world)
    world.look = real  # type: ignore[method-assign]
    assert world.primary_image == "podinfo:1"
    world.not_ready = set()
    world.until(Phase.FAILED)


@pytest.mark.parametrize("wrong", ["pods", "routes", "metrics", "gate"])
def test_a_signal_counts_whatever_else_is_wrong(wrong: str) -> None:
    world = with_hooks("rollback", "confirm-traffic-increase", metrics=[SUCCESS_RATE])
    world.push("podinfo:2")
    world.tick()
    match wrong:
        case "pods":
            world.not_ready = {"target", "primary"}
        case "routes":
            world.says("Rejected")
        case "metrics":
            world.answer("request-success-rate", outcome="unreachable", detail="away")
        case "gate":
            world.hooks["confirm-traffic-increase"] = False
    world.tick()
    once(world)
    assert (world.phase, world.weight) == (Phase.FAILED, 0)


def test_without_an_analysis_nobody_is_asked_but_the_gate_before_it() -> None:
    kinds = ("rollback", "confirm-rollout", "pre-rollout", "rollout", "confirm-traffic-increase", "confirm-promotion")
    world = World(weighted(webhooks=[hook(kind) for kind in kinds]) | {"skipAnalysis": True}).until(Phase.INITIALIZED)
    world.hooks["rollback"] = True
    world.push("podinfo:2")
    world.until(Phase.SUCCEEDED)
    assert set(world.asked) == {"confirm-rollout"}
    assert world.primary_image == "podinfo:2"


def test_a_promotion_by_hand_can_still_be_signalled_back() -> None:
    world = with_hooks("rollback")
    world.push("podinfo:2")
    world.tick()
    world.not_ready = {"target"}
    world.command("promote")
    once(world)
    assert world.phase is Phase.FAILED
    assert world.status.last_step is not None
    assert world.status.last_step.reason == Reason.ROLLBACK_REQUESTED


def test_a_signal_is_not_lost_with_the_target_of_a_promotion() -> None:
    world = promoting()
    lost, world.target = world.target, None
    once(world)
    assert world.weight == 0, "its users are sent to what is left of the primary"
    world.target, world.not_ready = lost, set()
    world.tick(2)
    assert (world.phase, world.primary_image) == (Phase.FAILED, "podinfo:1")
