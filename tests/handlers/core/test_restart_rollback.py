"""What restart and rollback do where they make sense: a revision is analysed again, a promotion is taken back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from schemas.status import Phase
from tests.handlers.core.manifests import SUCCESS_RATE, weighted
from tests.handlers.core.moments import failed, progressing, succeeded, waiting, waiting_promotion
from tests.handlers.core.orders import accepted
from tests.handlers.core.rollouts import at_the_traffic_gate
from tests.handlers.core.world import World

# ---- restart


@pytest.mark.parametrize("given", [at_the_traffic_gate, waiting_promotion])
def test_restart_in_mid_analysis_begins_again_without_traffic(given: Callable[[], World]) -> None:
    world = given()
    reply = accepted(world, "restart", by="ann")
    assert reply.message == "Restarting analysis for podinfo.test"
    assert (world.phase, world.weight, world.canary_replicas) == (Phase.PROGRESSING, 0, 2)
    assert (world.status.failed_checks, world.status.iterations, world.status.pre_rollout_passed) == (0, 0, False)
    world.hooks = {}
    world.until(Phase.SUCCEEDED)
    assert world.primary_image == "podinfo:2"


def test_restart_takes_a_promote_back_that_still_waits_for_pods() -> None:
    world = progressing()
    world.not_ready = {"target"}
    accepted(world, "promote")
    accepted(world, "restart")
    world.not_ready = set()
    world.until(Phase.SUCCEEDED)
    assert world.weights == [0, 25, 0, 25, 50, 0]


def test_a_failed_revision_is_analysed_again_without_a_new_template() -> None:
    world = World(weighted(metrics=[SUCCESS_RATE])).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.answer("request-success-rate", 1)
    world.until(Phase.FAILED)
    world.answer("request-success-rate", 100)
    world.tick(3)
    accepted(world, "restart", by="ann", reason="mended the query")
    assert world.told[-2:] == [
        "Restarting analysis! Scaling up podinfo.test",
        "restart accepted from ann: mended the query",
    ]
    world.until(Phase.SUCCEEDED)
    assert world.primary_image == "podinfo:2"


def test_a_restarted_revision_is_asked_about_at_the_gate_before_it() -> None:
    world = waiting()
    world.command("abort")
    accepted(world, "restart")
    assert world.phase is Phase.WAITING
    world.hooks["confirm-rollout"] = True
    world.tick()
    assert world.status.phase is Phase.PROGRESSING


def test_restart_while_paused_says_who_holds_it() -> None:
    world = failed()
    accepted(world, "pause", by="ann")
    reply = world.command("restart").reply
    assert reply is not None
    assert reply.message.startswith("restart refused: paused by ann since ")
    assert reply.message.endswith("; resume first")


# ---- rollback


def rolled_back() -> World:
    world = succeeded()
    accepted(world, "rollback", by="ann", reason="orders are lost")
    return world


def test_rollback_takes_the_primary_back_to_the_revision_before_without_an_analysis() -> None:
    world = succeeded()
    before, refused = world.status.previous_revision, world.status.promoted_revision
    world.asked.clear()
    reply = accepted(world, "rollback", by="ann", reason="orders are lost")
    text = f"Rolling back podinfo-primary.test to revision {before}, asked for by ann: orders are lost"
    assert reply.message == text
    assert world.alerts[-1] == ("warn", text)
    assert (world.phase, world.primary_image, world.weight) == (Phase.FAILED, "podinfo:1", 0)
    status = world.status
    assert (status.promoted_revision, status.last_applied_spec) == (before, refused)
    assert status.last_step is not None
    assert status.last_step.reason == "RolledBack"
    world.tick(5)
    assert (world.phase, world.canary_replicas, world.asked) == (Phase.FAILED, 0, [])
    assert world.status.settled
    assert world.condition("Promoted").message == (
        "Rolled back on command, primary returned to the revision promoted before."
    )


def test_a_rollback_is_over_only_when_the_primary_serves_the_revision_before() -> None:
    world = succeeded()
    world.not_ready = {"primary"}
    accepted(world, "rollback")
    world.tick(2)
    assert not world.status.settled
    assert world.status.waiting_for == "primary"
    world.wait(700)
    world.tick()
    assert (world.reasons[-1], world.alerts[-1][0]) == ("DeadlineExceeded", "error")
    world.not_ready = set()
    world.change()
    assert world.status.settled
    assert world.condition().status == "False"


def test_a_primary_that_was_rolled_back_is_repaired_to_the_revision_before() -> None:
    world = rolled_back()
    world.tick(2)
    world.primary = None
    world.change()
    assert world.primary_image == "podinfo:1"


def test_a_revision_that_was_rolled_back_is_new_again_after_another_one() -> None:
    world = rolled_back()
    world.tick(2)
    world.push("podinfo:1")
    assert world.phase is Phase.FAILED
    world.push("podinfo:2")
    assert world.status.phase is Phase.PROGRESSING
    world.until(Phase.SUCCEEDED)
    assert world.primary_image == "podinfo:2"


def test_a_revision_that_was_rolled_back_can_be_analysed_again() -> None:
    world = rolled_back()
    world.tick(2)
    accepted(world, "restart")
    world.until(Phase.SUCCEEDED)
    assert (world.primary_image, world.weights[-4:]) == ("podinfo:2", [0, 25, 50, 0])


def test_there_is_one_way_back_per_promotion() -> None:
    world = rolled_back()
    reply = world.command("rollback").reply
    assert reply is not None
    assert reply.message == (
        "rollback refused: no promotion to take back in phase Failed; push the revision that you want"
    )
    world.push("podinfo:3")
    world.until(Phase.SUCCEEDED)
    accepted(world, "rollback")
    assert world.primary_image == "podinfo:1"


def test_a_revision_whose_snapshot_is_lost_is_not_guessed() -> None:
    world = succeeded()
    previous = world.status.previous_revision
    world.snapshots.pop(previous)
    reply = world.command("rollback").reply
    assert reply is not None
    assert (
        reply.message == f"rollback refused: the snapshot of revision {previous} is missing; push that revision again"
    )
    assert (world.phase, world.primary_image) == (Phase.SUCCEEDED, "podinfo:2")


def test_a_new_revision_that_waits_outlives_a_rollback() -> None:
    world = succeeded()
    accepted(world, "pause")
    world.push("podinfo:3")
    accepted(world, "rollback")
    assert world.primary_image == "podinfo:1"
    accepted(world, "resume")
    world.until(Phase.SUCCEEDED)
    assert world.primary_image == "podinfo:3"
