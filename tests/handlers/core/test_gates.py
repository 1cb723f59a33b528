"""Gates and hooks: who is asked when, and what a closed one holds."""

from __future__ import annotations

import pytest

from schemas.asked import Approved
from schemas.status import Phase
from tests.handlers.core.manifests import SUCCESS_RATE, ab_testing, blue_green, hook, weighted
from tests.handlers.core.rollouts import at_the_traffic_gate, with_hooks
from tests.handlers.core.world import World


def test_a_closed_confirm_rollout_gate_leaves_replicas_and_traffic_alone_and_alerts_once() -> None:
    world = with_hooks("confirm-rollout")
    world.hooks["confirm-rollout"] = False
    world.push("podinfo:2")
    assert world.phase is Phase.WAITING
    world.tick(3)
    assert (world.canary_replicas, world.weight) == (0, 0)
    assert world.told[-1:] == ["Halt podinfo.test advancement waiting for approval confirm-rollout"]
    assert world.alerts[-1] == ("warn", "Canary is waiting for approval.")
    assert len(world.alerts) == 2, "one for the initialisation, one for the gate"
    assert world.status.waiting_for == "gate"
    assert world.condition("Promoted").message == "Waiting for approval."


def test_an_opened_confirm_rollout_gate_starts_the_rollout() -> None:
    world = with_hooks("confirm-rollout")
    world.push("podinfo:2")
    world.tick()
    assert world.phase is Phase.PROGRESSING
    assert world.told[-2:] == [
        "Confirm-rollout check confirm-rollout passed",
        "New revision detected! Scaling up podinfo.test",
    ]


def test_a_newer_revision_voids_approvals_and_alerts_again() -> None:
    world = with_hooks("confirm-rollout")
    world.hooks["confirm-rollout"] = False
    world.push("podinfo:2")
    world.tick()
    world.given(approved=Approved(gate="confirm-rollout", revision=world.status.canary_revision))
    world.push("podinfo:3")
    assert world.phase is Phase.WAITING
    assert world.status.approved is None
    assert [alert for _, alert in world.alerts].count("Canary is waiting for approval.") == 2
    world.tick(2)
    assert world.phase is Phase.WAITING


@pytest.mark.parametrize("woken", ["tick", "change"])
def test_an_approval_counts_for_the_revision_that_it_names(woken: str) -> None:
    world = with_hooks("confirm-rollout")
    world.hooks["confirm-rollout"] = False
    world.push("podinfo:2")
    world.tick()
    world.given(approved=Approved(gate="confirm-rollout", revision=world.status.canary_revision))
    world.tick() if woken == "tick" else world.change()
    assert world.phase is Phase.PROGRESSING
    assert world.status.approved is None


@pytest.mark.parametrize("before", [Phase.INITIALIZED, Phase.SUCCEEDED, Phase.FAILED])
def test_a_target_that_is_reverted_while_it_waits_goes_back_to_the_phase_before(before: Phase) -> None:
    world = with_hooks("confirm-rollout")
    image = "podinfo:1"
    if before is not Phase.INITIALIZED:
        world.push("podinfo:2")
        world.tick()
        if before is Phase.FAILED:
            world.command("abort")
        else:
            image = "podinfo:2"
        world.until(before)
        world.tick()
    world.hooks["confirm-rollout"] = False
    world.push("podinfo:3")
    world.tick()
    assert world.phase is Phase.WAITING
    world.push(image)
    assert world.phase is before
    assert world.reasons[-1] == "Reverted"
    world.tick(3)
    assert world.phase is before
    assert world.status.settled
    assert world.status.waiting_for == ""


def test_a_muted_gate_alerts_nobody() -> None:
    world = World(weighted(webhooks=[hook("confirm-rollout", muteAlert=True)])).until(Phase.INITIALIZED)
    world.hooks["confirm-rollout"] = False
    world.push("podinfo:2")
    world.tick(2)
    world.push("podinfo:3")
    assert [severity for severity, _ in world.alerts] == ["info"]


def test_failing_acceptance_tests_count_as_failed_checks_and_roll_back() -> None:
    world = with_hooks("pre-rollout")
    world.hooks["pre-rollout"] = False
    world.push("podinfo:2")
    world.tick(3)
    assert world.phase is Phase.FAILED
    assert world.weights == [0]
    assert world.told.count("Starting canary analysis for podinfo.test") == 1
    assert "Halt podinfo.test advancement pre-rollout check pre-rollout failed no" in world.told
    assert world.alerts[-1][1].startswith("Failed checks threshold reached 3")


def test_acceptance_tests_are_asked_until_they_pass_and_then_no_more() -> None:
    world = with_hooks("pre-rollout")
    world.hooks["pre-rollout"] = False
    world.push("podinfo:2")
    world.tick(2)
    world.hooks["pre-rollout"] = True
    world.tick()
    assert world.weight == 25
    world.asked.clear()
    world.tick()
    assert world.asked == []
    assert "Pre-rollout check pre-rollout passed" in world.told


def test_a_failing_rollout_hook_is_a_failed_check_of_its_tick() -> None:
    world = with_hooks("rollout")
    world.push("podinfo:2")
    world.tick()
    world.hooks["rollout"] = False
    world.tick()
    assert (world.weight, world.status.failed_checks) == (25, 1)
    assert world.told[-1] == "Halt podinfo.test advancement external check rollout failed no"


def test_a_passing_rollback_hook_rolls_back_at_once_whatever_else_is_wrong() -> None:
    world = with_hooks("rollback", "rollout")
    world.push("podinfo:2")
    world.tick()
    world.says("Rejected")
    world.not_ready = {"target", "primary"}
    world.moved = True
    world.hooks["rollback"] = True
    world.tick()
    assert world.phase is Phase.FAILED
    assert world.weight == 0
    assert world.told[-3:] == [
        "Rollback check rollback passed",
        "Rolling back podinfo.test manual webhook invoked",
        "Canary failed! Scaling down podinfo.test",
    ]
    assert world.alerts[-1] == ("warn", "Rolling back manual webhook invoked")


def test_a_closed_traffic_gate_holds_the_weight_while_metrics_and_threshold_go_on() -> None:
    world = with_hooks("confirm-traffic-increase", metrics=[SUCCESS_RATE])
    world.push("podinfo:2")
    world.tick()
    world.hooks["confirm-traffic-increase"] = False
    world.tick(3)
    assert (world.phase, world.weight) == (Phase.PROGRESSING, 25)
    text = "Halt podinfo.test advancement waiting for traffic increase approval confirm-traffic-increase"
    assert world.told.count(text) == 1
    assert world.alerts.count(("warn", "Canary traffic increase is waiting for approval.")) == 1
    world.answer("request-success-rate", 50)
    world.tick(3)
    assert world.phase is Phase.FAILED


def test_a_gate_that_was_closed_before_the_first_step_opens_without_traffic_to_measure() -> None:
    world = with_hooks("confirm-traffic-increase", "pre-rollout", metrics=[SUCCESS_RATE])
    world.answer("request-success-rate", outcome="empty")
    world.hooks["confirm-traffic-increase"] = False
    world.push("podinfo:2")
    world.tick(100)
    assert (world.phase, world.weight) == (Phase.PROGRESSING, 0)
    assert world.told.count("Pre-rollout check pre-rollout passed") == 1
    world.hooks["confirm-traffic-increase"] = True
    world.tick()
    assert world.weight == 25
    assert world.status.waiting_for == ""


def test_before_the_first_step_a_gate_is_not_asked_for_pods_that_are_not_ready() -> None:
    world = with_hooks("confirm-traffic-increase")
    world.hooks["confirm-traffic-increase"] = False
    world.push("podinfo:2")
    world.tick()
    world.hooks["confirm-traffic-increase"] = True
    world.not_ready = {"target"}
    world.asked.clear()
    world.tick(2)
    assert (world.weight, world.asked) == (0, [])
    world.not_ready = set()
    world.tick()
    assert world.weight == 25


def test_a_gate_is_asked_only_when_everything_else_passed() -> None:
    world = with_hooks("rollback", "rollout", "confirm-traffic-increase", metrics=[SUCCESS_RATE])
    world.push("podinfo:2")
    world.tick()
    world.asked.clear()
    world.tick()
    assert world.asked == ["rollback", "rollout", "request-success-rate", "confirm-traffic-increase"]
    world.asked.clear()
    world.answer("request-success-rate", 1)
    world.tick()
    assert world.asked == ["rollback", "rollout", "request-success-rate"]


def test_a_closed_promotion_gate_waits_at_the_full_weight_and_goes_on_judging() -> None:
    world = with_hooks("confirm-promotion", metrics=[SUCCESS_RATE])
    world.hooks["confirm-promotion"] = False
    world.push("podinfo:2")
    world.tick(5)
    assert (world.phase, world.weight, world.status.canary_weight) == (Phase.WAITING_PROMOTION, 50, 50)
    assert world.alerts.count(("warn", "Canary promotion is waiting for approval.")) == 1
    assert world.asked[-2:] == ["request-success-rate", "confirm-promotion"]
    world.hooks["confirm-promotion"] = True
    world.tick()
    assert world.phase is Phase.PROMOTING
    assert "Confirm-promotion check confirm-promotion passed" in world.told


def test_no_data_behind_a_closed_traffic_gate_never_ends_the_rollout() -> None:
    world = at_the_traffic_gate()
    world.answer("request-success-rate", outcome="empty")
    world.tick(100)
    assert (world.phase, world.weight) == (Phase.PROGRESSING, 25)


def test_an_approval_opens_a_closed_traffic_gate_once() -> None:
    world = with_hooks("confirm-traffic-increase")
    world.push("podinfo:2")
    world.hooks["confirm-traffic-increase"] = False
    world.tick()
    world.given(approved=Approved(gate="confirm-traffic-increase", revision=world.status.canary_revision))
    world.tick(3)
    assert world.weight == 25
    assert "Confirm-traffic-increase check confirm-traffic-increase approved by hand" in world.told


def test_ab_testing_asks_before_promotion_and_never_before_a_step() -> None:
    kinds = ("confirm-traffic-increase", "confirm-promotion")
    world = World(ab_testing(webhooks=[hook(kind) for kind in kinds])).until(Phase.INITIALIZED)
    world.hooks["confirm-promotion"] = False
    world.push("podinfo:2")
    world.tick(5)
    assert (world.phase, world.status.iterations) == (Phase.WAITING_PROMOTION, 2)
    assert set(world.asked) == {"confirm-promotion"}


def test_blue_green_asks_once_before_all_users_move() -> None:
    world = World(blue_green(webhooks=[hook("confirm-promotion")])).until(Phase.INITIALIZED)
    world.hooks["confirm-promotion"] = False
    world.push("podinfo:2")
    world.tick(4)
    assert (world.phase, world.weight) == (Phase.WAITING_PROMOTION, 0)
    world.hooks["confirm-promotion"] = True
    world.tick()
    assert (world.phase, world.weight) == (Phase.PROGRESSING, 100)
    world.asked.clear()
    world.until(Phase.SUCCEEDED)
    assert world.asked == []


def test_a_promotion_gate_that_is_closed_behind_an_opened_one_alerts_people() -> None:
    world = with_hooks("confirm-traffic-increase", "confirm-promotion", stepWeight=50)
    world.hooks |= {"confirm-promotion": False}
    world.push("podinfo:2")
    while world.weight < 50:
        world.tick()
    world.hooks["confirm-traffic-increase"] = False
    world.tick()
    assert world.alerts[-1] == ("warn", "Canary traffic increase is waiting for approval.")
    world.hooks["confirm-traffic-increase"] = True
    world.tick(3)
    assert world.phase is Phase.WAITING_PROMOTION
    assert world.alerts[-1] == ("warn", "Canary promotion is waiting for approval.")


def test_a_maximum_that_is_raised_while_promotion_waits_asks_the_gate_before_more_traffic() -> None:
    world = with_hooks("confirm-traffic-increase", "confirm-promotion", stepWeight=10, maxWeight=30)
    world.hooks["confirm-promotion"] = False
    world.push("podinfo:2")
    world.until(Phase.WAITING_PROMOTION)
    world.hooks["confirm-traffic-increase"] = False
    world.edit_analysis(maxWeight=80)
    world.tick(3)
    assert (world.phase, world.weight) == (Phase.PROGRESSING, 30)
    world.hooks["confirm-traffic-increase"] = True
    world.tick()
    assert world.weight == 40
