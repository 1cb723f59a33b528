"""Rules that an exhaustive model showed to be necessary, as far as the core decides them (design section 9).

The rest are where the core meets the cluster; suspending, settling and lost snapshots have tests beside their phases.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from handlers.core.plan import plan
from schemas.events import ChangeReason, Tick
from schemas.gloo import ROUTE_STEP
from schemas.status import Phase
from schemas.workload import PRIMARY_STEP, TARGET_STEP
from tests.handlers.core.manifests import SUCCESS_RATE, hook, weighted
from tests.handlers.core.rollouts import progressing
from tests.handlers.core.world import World


def fence(item: dict[str, Any] | None, key: str, step: int) -> None:
    assert item is not None
    item["metadata"].setdefault("annotations", {})[key] = str(step)


# ---- 1: every projected object carries the step at which its desired value last changed


def test_weight_needs_a_target_that_carries_the_current_fence() -> None:
    world = progressing(0)
    fence(world.target, TARGET_STEP, world.status.target_step - 1)
    world.tick(project=False)
    assert (world.phase, world.status.canary_weight) == (Phase.PROGRESSING, 0)
    assert world.condition().message.endswith("replicas not set yet")


def test_weight_does_not_rise_on_a_target_with_an_older_fence_though_metrics_pass() -> None:
    world = progressing(25)
    fence(world.target, TARGET_STEP, world.status.target_step - 1)
    world.tick(project=False)
    assert world.status.canary_weight == 25


@pytest.mark.parametrize("step", [0, 9999])
def test_an_accepted_verdict_on_routes_with_another_fence_is_not_believed(step: int) -> None:
    world = progressing(25)
    fence(world.route, ROUTE_STEP, step)
    world.tick(project=False)
    assert world.status.canary_weight == 25
    assert world.condition().message == "RouteTable podinfo.test: the routes are not written yet"


def test_a_primary_with_an_older_fence_is_not_ready_whatever_its_pods_say() -> None:
    world = World().until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.until(Phase.PROMOTING)
    fence(world.primary, PRIMARY_STEP, world.status.primary_step - 1)
    world.change(project=False)
    assert world.phase is Phase.PROMOTING
    assert world.condition().message.endswith("template not copied yet")


def test_each_change_of_a_desired_value_moves_its_fence() -> None:
    world = World().until(Phase.INITIALIZED)
    parked = world.status.target_step
    world.push("podinfo:2")
    scaled = world.status
    assert scaled.target_step == scaled.step > parked
    world.tick()
    assert world.status.route_step == world.status.step > scaled.route_step
    world.until(Phase.PROMOTING)
    assert world.status.primary_step == world.status.step > scaled.primary_step
    world.command("abort")
    assert world.status.primary_step == world.status.step


def test_an_equal_value_with_an_older_fence_is_written_all_the_same() -> None:
    world = World().until(Phase.INITIALIZED)
    world.push("podinfo:2")
    assert world.status.target_step == world.status.step
    world.push("podinfo:1")
    assert (world.phase, world.weight) == (Phase.SUCCEEDED, 0)
    assert world.status.target_step == world.status.step, "the parked size has a fence of its own"


# ---- 3: slots only go forward


def test_a_slot_that_was_judged_is_not_judged_again() -> None:
    world = World(weighted(metrics=[SUCCESS_RATE], webhooks=[hook("rollback")])).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick()
    judged = world.status.last_tick
    world.asked.clear()
    world.hooks["rollback"] = True
    for slot in (judged, world.now - timedelta(seconds=300), judged):
        world.tick(slot=slot)
    assert (world.weight, world.asked, world.status.last_tick) == (25, [], judged)
    assert not world.tick(slot=judged).changed


def test_a_redelivered_slot_finishes_what_the_first_one_left() -> None:
    world = progressing(0)
    world.tick(project=False)
    assert world.weight == 0
    world.tick(slot=world.status.last_tick)
    assert (world.weight, world.status.canary_weight) == (25, 25)


@pytest.mark.parametrize("reason", list(ChangeReason))
def test_changes_neither_use_up_a_slot_nor_judge(reason: ChangeReason) -> None:
    world = progressing(25)
    slot = world.status.last_tick
    world.asked.clear()
    world.change(reason)
    assert (world.status.last_tick, world.weight, world.asked) == (slot, 25, [])


# ---- 4: a weight serves a whole interval before it is judged


def test_metrics_are_not_asked_at_a_slot_that_began_before_the_routes_were_in_force() -> None:
    world = progressing(25)
    world.says("Pending")
    world.tick()
    world.says("Accepted")
    world.wait(3)
    world.asked.clear()
    slow = Tick(namespace="test", name="podinfo", uid="u", slot=world.now - timedelta(seconds=2), interval=10)
    world.wake(slow)
    assert (world.weight, world.asked) == (25, [])
    world.tick()
    assert world.weight == 50


def test_a_weight_that_was_given_late_in_its_slot_is_not_judged_at_the_next_one() -> None:
    world = progressing(0)
    world.now += timedelta(seconds=9)
    late = Tick(namespace="test", name="podinfo", uid="u", slot=world.now - timedelta(seconds=8), interval=10)
    world.wake(late)
    assert world.weight == 25
    world.asked.clear()
    world.now += timedelta(seconds=2)
    world.wake(late.model_copy(update={"slot": late.slot + timedelta(seconds=10)}))
    assert (world.weight, world.asked) == (25, [])
    world.now += timedelta(seconds=10)
    world.wake(late.model_copy(update={"slot": late.slot + timedelta(seconds=20)}))
    assert world.weight == 50


def test_a_shortened_interval_does_not_judge_the_weight_before_the_new_one_is_served() -> None:
    world = progressing(25)
    world.asked.clear()
    world.now += timedelta(seconds=4)
    world.wake(Tick(namespace="test", name="podinfo", uid="u", slot=world.now, interval=10))
    assert (world.weight, world.asked) == (25, [])


# ---- 5: no verdict about what moved while it was asked


@pytest.mark.parametrize("rate", [100, 1])
def test_what_was_measured_while_pods_moved_is_neither_pass_nor_failure(rate: float) -> None:
    world = progressing(25)
    world.answer("request-success-rate", rate)
    world.moved = True
    world.tick()
    assert (world.weight, world.status.failed_checks) == (25, 0)
    assert world.condition().message == "pods or routes moved while they were judged, judging again"
    world.moved = False
    world.tick()
    assert (world.weight, world.status.failed_checks) == ((50, 0) if rate == 100 else (25, 1))


# ---- 10: level-triggered


@pytest.mark.parametrize("woken", ["tick", "resync"])
def test_a_push_that_nobody_announced_is_found_by_whatever_wakes_the_canary(woken: str) -> None:
    world = World().until(Phase.INITIALIZED)
    world.set_image("podinfo:2")
    world.tick() if woken == "tick" else world.change(ChangeReason.RESYNC)
    assert world.phase is Phase.PROGRESSING


def test_a_push_during_promotion_is_found_when_the_rollout_has_ended() -> None:
    world = World().until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.until(Phase.PROMOTING)
    world.set_image("podinfo:3")
    world.tick(8)
    world.until(Phase.SUCCEEDED)
    assert world.primary_image == "podinfo:3"


# ---- 14: the step is never reset


def test_the_step_rises_by_one_a_commit_over_the_canarys_whole_life() -> None:
    world = World().until(Phase.INITIALIZED)
    for image in ("podinfo:2", "podinfo:3"):
        world.push(image)
        world.until(Phase.SUCCEEDED)
    steps = [decision.status.step for decision in world.decisions]
    assert steps == list(range(1, len(steps) + 1))
    told = [decision.status.last_step.step for decision in world.decisions if decision.status.last_step]
    assert told == steps


# ---- what is asked, and when


@pytest.mark.parametrize("broken", ["suspend", "deleted", "invalid"])
def test_nothing_is_asked_for_a_canary_that_decides_nothing(broken: str) -> None:
    world = World(weighted(metrics=[SUCCESS_RATE], webhooks=[hook("rollback")])).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick()
    match broken:
        case "suspend":
            world.item["spec"]["suspend"] = True
        case "deleted":
            world.item["metadata"]["deletionTimestamp"] = "2026-01-01T01:00:00Z"
        case _:
            world.item["spec"]["service"] = {"port": 0}
    world.wait(10)
    tick = Tick(namespace="test", name="podinfo", uid="u", slot=world.now, interval=10)
    assert not plan(*world.look(tick))


def test_until_routes_are_in_force_only_rollback_hooks_are_asked() -> None:
    webhooks = [hook("rollback"), hook("rollout"), hook("confirm-traffic-increase")]
    world = World(weighted(metrics=[SUCCESS_RATE], webhooks=webhooks)).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick()
    world.says("Pending")
    world.asked.clear()
    world.tick(2)
    assert set(world.asked) == {"rollback"}


def test_a_gate_is_not_polled_while_something_else_keeps_the_weight() -> None:
    world = World(weighted(webhooks=[hook("confirm-traffic-increase")])).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick()
    world.not_ready = {"primary"}
    world.asked.clear()
    world.tick()
    assert world.asked == []
