"""What approve, pause, resume, restart and rollback do where they make sense; abort and promote: test_commands."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from schemas.events import Reply
from schemas.status import Phase
from tests.handlers.core.manifests import SUCCESS_RATE, hook, weighted
from tests.handlers.core.moments import failed, initialized, progressing, succeeded, waiting, waiting_promotion
from tests.handlers.core.rollouts import with_hooks
from tests.handlers.core.world import World


def accepted(world: World, verb: str, **body: str) -> Reply:
    reply = world.command(verb, **body).reply
    assert reply is not None
    assert reply.accepted, reply.message
    return reply


def at_the_traffic_gate() -> World:
    """At 25 %, where the gate before more traffic is closed."""
    world = with_hooks("confirm-traffic-increase", metrics=[SUCCESS_RATE])
    world.push("podinfo:2")
    world.tick()
    world.hooks["confirm-traffic-increase"] = False
    world.tick()
    assert world.status.closed_gate is not None
    return world


# ---- approve


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


# ---- pause, resume


def test_a_pause_holds_the_weight_and_asks_no_gate_while_checks_go_on() -> None:
    world = at_the_traffic_gate()
    reply = accepted(world, "pause", by="ann", reason="load test")
    paused = "Halt podinfo.test advancement paused by ann since 2026-01-01T00:00:52Z: load test"
    assert reply.message == paused
    assert (world.condition().reason, world.condition().message) == ("Paused", paused)
    world.hooks["confirm-traffic-increase"] = True
    world.asked.clear()
    world.tick(2)
    assert (world.weight, set(world.asked)) == (25, {"request-success-rate"})
    assert paused not in world.told, "who paused has said so"


def test_the_threshold_rolls_back_a_paused_canary() -> None:
    world = at_the_traffic_gate()
    accepted(world, "pause")
    world.answer("request-success-rate", 1)
    world.tick(3)
    assert (world.phase, world.weight) == (Phase.FAILED, 0)


def test_a_rollback_hook_rolls_back_a_paused_canary() -> None:
    world = with_hooks("rollback")
    world.push("podinfo:2")
    world.tick()
    accepted(world, "pause")
    world.hooks["rollback"] = True
    world.tick()
    assert (world.phase, world.weight) == (Phase.FAILED, 0)


def test_a_second_pause_leaves_the_first_in_place_and_says_whose_it_is() -> None:
    world = progressing()
    accepted(world, "pause", by="ann")
    reply = accepted(world, "pause", by="bob")
    assert reply.message == "podinfo.test is paused by ann since 2026-01-01T00:00:42Z already"
    assert world.status.paused is not None
    assert world.status.paused.by == "ann"


def test_a_pause_outlives_a_newer_revision_whose_event_names_who_paused() -> None:
    world = progressing()
    accepted(world, "pause", by="ann")
    world.push("podinfo:3")
    assert world.told[-1] == (
        "New revision detected! Restarting analysis for podinfo.test; paused by ann since 2026-01-01T00:00:42Z"
    )
    world.tick(5)
    assert (world.phase, world.weight) == (Phase.PROGRESSING, 0)
    accepted(world, "resume")
    world.tick()
    assert world.weight == 25


def test_a_pause_while_waiting_asks_no_gate_until_resume() -> None:
    world = waiting()
    accepted(world, "pause", by="ann")
    world.hooks["confirm-rollout"] = True
    world.asked.clear()
    world.tick(3)
    assert (world.phase, world.asked) == (Phase.WAITING, [])
    world.push("podinfo:3")
    assert world.told[-1].startswith("New revision of podinfo.test is waiting for approval; paused by ann since ")
    accepted(world, "resume")
    assert world.condition().status == "True"
    world.tick()
    assert world.phase is Phase.PROGRESSING


@pytest.mark.parametrize("given", [initialized, succeeded, failed])
def test_a_new_revision_waits_for_the_end_of_a_pause_and_starts_with_it(given: Callable[[], World]) -> None:
    world = given()
    world.tick(2)
    phase = world.phase
    reply = accepted(world, "pause", by="ann")
    assert reply.message.startswith("a new revision of podinfo.test will wait: paused by ann since ")
    assert world.condition("Promoted").reason == phase.value
    world.push("podinfo:3")
    world.tick(2)
    assert (world.phase, world.canary_replicas) == (phase, 0)
    waits = [text for text in world.told if text.startswith("New revision of podinfo.test waits: paused by ann since ")]
    assert len(waits) == 1
    accepted(world, "resume")
    assert world.phase is Phase.PROGRESSING
    assert world.told[-2:] == [
        "New revision detected! Scaling up podinfo.test",
        "resume accepted from somebody",
    ]


def test_promote_takes_a_pause_back_and_takes_a_waiting_revision_to_production() -> None:
    world = initialized()
    accepted(world, "pause")
    world.push("podinfo:2")
    world.tick()
    assert world.phase is Phase.INITIALIZED
    stale = world.command("promote", revision=world.status.canary_revision).reply
    assert stale is not None
    assert stale.code == 409, "the revision that waits is another one"
    accepted(world, "promote")
    world.until(Phase.SUCCEEDED)
    assert (world.status.paused, world.primary_image) == (None, "podinfo:2")


def test_promote_takes_a_pause_back_in_mid_analysis() -> None:
    world = progressing()
    accepted(world, "pause")
    accepted(world, "promote")
    world.until(Phase.SUCCEEDED)
    assert world.status.paused is None


def test_a_pause_before_the_first_look_lets_the_canary_initialise() -> None:
    world = World()
    accepted(world, "pause", by="ann")
    world.until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick()
    assert world.phase is Phase.INITIALIZED


def test_a_pause_never_hides_what_is_worse() -> None:
    world = progressing()
    world.not_ready = {"primary"}
    world.tick()
    assert world.condition().reason == "NotReady"
    accepted(world, "pause")
    assert world.condition().reason == "NotReady"
    accepted(world, "resume")
    assert world.condition().reason == "NotReady"


def test_a_gate_that_nobody_asked_because_of_a_pause_is_asked_after_it() -> None:
    """Resumed while hooks and metrics were being asked: what was not asked has not said yes."""
    world = at_the_traffic_gate()
    accepted(world, "pause")
    real = world.look

    def resumed_meanwhile(stimulus):  # type: ignore[no-untyped-def]
        canary, seen = real(stimulus)
        return canary.model_copy(update={"status": canary.status.model_copy(update={"paused": None})}), seen

    world.look = resumed_meanwhile  # type: ignore[method-assign]
    world.tick()
    assert world.weight == 25


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
    assert world.condition().status == "True"


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


def test_hooks_of_another_name_are_no_gates() -> None:
    world = World(weighted(webhooks=[hook("rollout")])).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick()
    accepted(world, "pause")
    reply = world.command("approve").reply
    assert reply is not None
    assert not reply.accepted
