"""Suspend stops deciding, not finishing; afterwards nothing is touched."""

from __future__ import annotations

import pytest

from schemas.gloo import ROUTE_STEP
from schemas.status import Phase
from tests.handlers.core.happenings import happen
from tests.handlers.core.manifests import SUCCESS_RATE, hook, weighted
from tests.handlers.core.moments import promoting, succeeded
from tests.handlers.core.starts import begin
from tests.handlers.core.world import World


def rolling() -> World:
    world = World(weighted(metrics=[SUCCESS_RATE], webhooks=[hook("rollback")])).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick()
    return world


def test_a_suspended_rollout_keeps_its_weight_asks_nothing_and_names_the_weight() -> None:
    world = rolling()
    world.edit(suspend=True)
    world.asked.clear()
    world.hooks["rollback"] = True
    world.tick(5)
    assert (world.phase, world.weight, world.asked) == (Phase.PROGRESSING, 25, [])
    assert world.condition().reason == "Suspended"
    assert world.condition().message.endswith("canary weight stays at 25")
    assert world.reasons.count("Suspended") == 1


def test_a_suspended_canary_commits_nothing_once_it_is_settled() -> None:
    world = rolling()
    world.edit(suspend=True)
    world.tick(2)
    before = world.status
    assert before.settled
    world.tick(5)
    assert world.status == before


def test_what_was_committed_before_the_suspension_is_projected_once_then_hands_off() -> None:
    world = World(weighted(webhooks=[hook("rollback")])).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick()
    world.hooks["rollback"] = True
    world.tick(project=False)
    assert (world.phase, world.weight) == (Phase.FAILED, 25)
    world.edit(suspend=True)
    world.tick(3)
    assert (world.weight, world.canary_replicas) == (0, 0)
    assert world.status.settled
    world.destinations()[1]["weight"] = 77
    world.tick(3)
    assert world.weight == 77, "hands off, repair included"


def test_abort_works_while_suspended() -> None:
    world = rolling()
    world.edit(suspend=True)
    world.tick(2)
    world.command("abort")
    assert (world.phase, world.weight) == (Phase.FAILED, 0)
    world.tick(3)
    assert world.canary_replicas == 0


def test_promote_is_refused_while_suspended() -> None:
    world = rolling()
    world.edit(suspend=True)
    reply = world.command("promote").reply
    assert reply is not None
    assert (reply.accepted, reply.code) == (False, 422)
    assert "spec.suspend" in reply.message
    assert world.phase is Phase.PROGRESSING


@pytest.mark.parametrize("idle", [True, False])
def test_unsuspending_goes_on_and_says_so(idle: bool) -> None:
    world = World().until(Phase.INITIALIZED) if idle else rolling()
    world.edit(suspend=True)
    world.tick(3)
    world.edit(suspend=False)
    world.tick(2)
    assert world.condition().status == "False"
    if not idle:
        world.until(Phase.SUCCEEDED)


def test_a_primary_that_a_promotion_waits_for_has_its_whole_deadline_again_afterwards() -> None:
    world = promoting()
    world.tick()
    world.edit(suspend=True)
    world.wait(3600)
    world.edit(suspend=False)
    world.tick()
    assert (world.phase, world.status.returning, world.condition().reason) == (Phase.PROMOTING, None, "NotReady")
    world.wait(world.item["spec"].get("progressDeadlineSeconds", 600))
    world.tick()
    assert world.status.returning is not None
    assert world.status.returning.reason == "PromotionFailed"


def test_a_canary_without_a_reason_to_wait_says_so_in_the_wake_that_takes_the_suspension_back() -> None:
    world = rolling()
    world.edit(suspend=True)
    world.edit(suspend=False)
    assert (world.condition().status, world.condition().message) == ("False", "Nothing holds this Canary.")


def test_what_was_pushed_while_suspended_is_found_afterwards() -> None:
    world = World().until(Phase.INITIALIZED)
    world.edit(suspend=True)
    world.push("podinfo:2")
    world.tick(2)
    assert world.phase is Phase.INITIALIZED
    world.edit(suspend=False)
    assert world.status.phase is Phase.PROGRESSING


def test_a_new_canary_that_is_suspended_touches_nothing() -> None:
    world = World(weighted() | {"suspend": True})
    world.tick(3)
    assert (world.phase, world.route, world.primary) == (Phase.NEW, None, None)
    assert world.status.settled
    world.edit(suspend=False)
    world.until(Phase.INITIALIZED)


def test_a_suspended_rollout_is_not_ended_because_its_spec_is_invalid() -> None:
    world = World(weighted() | {"progressDeadlineSeconds": 30}).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick()
    world.edit(suspend=True)
    world.edit_analysis(stepWeight=0)
    world.tick(20)
    assert (world.phase, world.weight) == (Phase.PROGRESSING, 25)
    assert world.condition().reason == "Suspended"


def test_the_fence_stays_when_it_is_suspended() -> None:
    world = rolling()
    assert world.route is not None
    fence = world.route["metadata"]["annotations"][ROUTE_STEP]
    world.edit(suspend=True)
    world.tick(3)
    assert world.route["metadata"]["annotations"][ROUTE_STEP] == fence


def test_how_a_promotion_goes_back_is_not_forgotten_while_it_is_suspended() -> None:
    world = promoting()
    world.command("abort")
    world.edit(suspend=True)
    world.not_ready = set()
    world.tick(3)
    assert world.status.settled
    world.edit(suspend=False)
    world.tick(4)
    assert (world.phase, world.primary_image) == (Phase.FAILED, "podinfo:1")
    assert world.status.promoted_revision == world.status.primary_revision
    assert world.condition("Promoted").status == "False"


def test_what_a_waiting_revision_goes_back_to_is_not_forgotten_while_it_is_suspended() -> None:
    world = World(weighted(webhooks=[hook("confirm-rollout")])).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.until(Phase.PROGRESSING)
    world.command("abort")
    world.tick(3)
    world.hooks["confirm-rollout"] = False
    world.push("podinfo:3")
    world.edit(suspend=True)
    world.tick(3)
    world.edit(suspend=False)
    world.push("podinfo:1")
    assert world.phase is Phase.FAILED


def test_a_way_back_that_was_over_while_suspended_leaves_no_clock_that_runs() -> None:
    world = succeeded()
    world.push("podinfo:1")
    world.until(Phase.SUCCEEDED)
    world.tick()
    world.command("rollback")
    world.edit(suspend=True)
    world.tick(3)
    world.edit(suspend=False)
    world.tick(2)
    assert world.status.primary_not_ready_since is None
    world.wait(86400)
    world.not_ready, told = {"primary"}, len(world.told)
    world.tick(2)
    assert world.told[told:] == []


def test_users_whom_somebody_led_back_while_suspended_have_left_before_the_target_is_parked() -> None:
    world = begin(0, "finalising")
    world.edit(suspend=True)
    world.says("Accepted")
    world.tick(3)
    happen(world, ("edit", "route"))
    world.says("Accepted")
    world.tick(2)
    assert world.weight > 0
    world.edit(suspend=False)
    world.change()
    world.change()
    world.until(Phase.SUCCEEDED)
    assert world.canary_replicas == 0
