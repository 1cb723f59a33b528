"""``Promoted`` never speaks of a rollout that has not happened; ``Held`` says why nothing goes on, and since when."""

from __future__ import annotations

import pytest

from schemas.asked import Paused
from schemas.status import CanaryStatus, Condition, Phase
from tests.handlers.core.manifests import SUCCESS_RATE, hook, weighted
from tests.handlers.core.switched import arrived, left
from tests.handlers.core.world import World


def promoted(world: World) -> tuple[str, str, str]:
    found = world.condition("Promoted")
    return found.status, found.reason, found.message


NOT_BEGUN = ("Unknown", "NewRevision", "New revision detected, its analysis has not begun.")
INITIALISED = ("True", "Initialized", "Deployment initialization completed.")
FINISHED = ("True", "Succeeded", "Canary analysis completed successfully, promotion finished.")


def test_who_waits_after_the_first_apply_goes_on_when_it_is_initialised() -> None:
    world = World()
    world.tick()
    assert promoted(world)[:2] == ("Unknown", "Initializing")
    world.until(Phase.INITIALIZED)
    assert promoted(world) == INITIALISED


@pytest.mark.parametrize("gate", [True, False])
def test_a_new_revision_is_not_promoted_from_the_moment_it_is_seen(gate: bool) -> None:
    world = World(weighted(webhooks=[hook("confirm-rollout")] if gate else [])).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    assert promoted(world)[0] == "Unknown"
    world.until(Phase.SUCCEEDED)
    assert promoted(world) == FINISHED


def test_a_new_revision_that_a_pause_keeps_waiting_is_not_promoted() -> None:
    world = World().until(Phase.INITIALIZED)
    world.given(paused=Paused(by="ann"))
    world.push("podinfo:2")
    assert world.phase is Phase.INITIALIZED
    assert promoted(world) == NOT_BEGUN
    world.push("podinfo:1")
    assert promoted(world) == INITIALISED


def test_a_new_revision_of_a_suspended_canary_is_not_promoted() -> None:
    world = World().until(Phase.INITIALIZED)
    world.edit(suspend=True)
    assert promoted(world) == INITIALISED
    world.push("podinfo:2")
    assert (world.phase, promoted(world)) == (Phase.INITIALIZED, NOT_BEGUN)
    world.edit(suspend=False)
    world.until(Phase.SUCCEEDED)
    assert promoted(world) == FINISHED


def test_a_new_revision_of_an_invalid_canary_is_not_promoted() -> None:
    world = World().until(Phase.INITIALIZED)
    world.edit_analysis(stepWeight=0)
    world.push("podinfo:2")
    assert world.condition().reason == "Invalid"
    assert promoted(world) == NOT_BEGUN


def test_what_was_pushed_during_a_promotion_is_not_promoted_by_it() -> None:
    world = World().until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.until(Phase.FINALISING)
    world.push("podinfo:3")
    while world.phase is Phase.FINALISING:
        world.tick()
    assert (world.phase, promoted(world)) == (Phase.SUCCEEDED, NOT_BEGUN)


def test_a_target_that_went_back_is_promoted_and_no_analysis_is_said_to_have_completed() -> None:
    world = World().until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick(2)
    world.push("podinfo:1")
    assert promoted(world) == ("True", "Succeeded", "Deployment is back on the promoted revision.")
    world.tick(3)
    assert promoted(world) == ("True", "Succeeded", "Deployment is back on the promoted revision.")


def in_promotion(*, ready: bool) -> World:
    world = World(weighted(metrics=[SUCCESS_RATE])).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.until(Phase.PROMOTING)
    if not ready:
        world.not_ready = world.stuck = {"primary"}
    return world


def test_a_failed_promotion_is_not_called_a_failed_analysis() -> None:
    world = in_promotion(ready=False)
    world.tick()
    assert promoted(world) == ("Unknown", "Promoting", "Promotion failed, returning primary to the promoted revision.")
    world.not_ready = world.stuck = set()
    world.tick(4)
    text = "Promotion failed, Deployment scaled to zero and primary returned to the last promoted revision."
    assert promoted(world) == ("False", "Failed", text)


def test_an_abort_while_promoting_is_not_called_a_failed_analysis() -> None:
    world = in_promotion(ready=False)
    world.command("abort")
    assert promoted(world)[2] == "Promotion ended, returning primary to the promoted revision."
    world.not_ready = world.stuck = set()
    world.tick(4)
    text = "Promotion ended, Deployment scaled to zero and primary returned to the last promoted revision."
    assert promoted(world) == ("False", "Failed", text)


def test_a_revision_that_was_refused_before_its_analysis_did_not_fail_one() -> None:
    world = World(weighted(webhooks=[hook("confirm-rollout")])).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.command("abort")
    assert promoted(world) == ("False", "Failed", "New revision refused, Deployment not scaled up.")


def test_users_who_stay_on_the_canary_are_not_said_to_be_without_pods() -> None:
    world = arrived(left("Promoting", weight=50))
    world.not_ready = world.stuck = {"primary"}
    world.tick(3)
    assert promoted(world) == ("False", "Failed", "Promotion failed, traffic stays on the Deployment.")
    world.not_ready = world.stuck = set()
    world.tick()
    back = "Promotion failed, Deployment scaled to zero and all traffic back on the primary."
    assert promoted(world) == ("False", "Failed", back)
    world.tick(3)
    assert (world.status.settled, world.canary_replicas) == (True, 0)
    assert promoted(world) == ("False", "Failed", back)


def test_whom_the_peer_left_on_the_canary_it_did_not_leave_without_pods() -> None:
    world = arrived(left("Failed", weight=100))
    world.not_ready = {"primary"}
    world.tick()
    assert promoted(world) == ("False", "Failed", "Promotion failed, traffic stays on the Deployment.")
    said = world.condition("Promoted")
    assert said.last_update_time == world.now.replace(microsecond=0)
    assert said.last_transition_time != said.last_update_time, "it was False before"
    world.tick(2)
    assert world.condition("Promoted") == said


def test_an_analysis_that_failed_under_the_peer_is_still_said_to_have() -> None:
    world = arrived(left("Failed"))
    world.tick(3)
    assert promoted(world) == ("False", "Failed", "Canary analysis failed, Deployment scaled to zero.")


def since(world: World) -> tuple[str, object]:
    found = world.condition()
    return found.reason, found.last_transition_time


def test_ready_says_since_when_its_reason_holds() -> None:
    gate = hook("confirm-traffic-increase")
    world = World(weighted(metrics=[SUCCESS_RATE], webhooks=[gate])).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick(2)
    world.hooks[gate["name"]] = False
    world.tick()
    began = world.now.replace(microsecond=0)
    assert since(world) == ("GateClosed", began)
    world.tick(2)
    assert since(world) == ("GateClosed", began)
    world.answer("request-success-rate", outcome="empty")
    world.tick()
    assert since(world) == ("NoData", world.now.replace(microsecond=0)), "another reason, though never ready between"


def test_a_condition_of_somebody_else_is_left_alone() -> None:
    theirs = Condition(type="Theirs", status="True", reason="Because")
    world = World()
    world.item["status"] = CanaryStatus(conditions=(theirs,)).to_wire()
    world.until(Phase.INITIALIZED)
    assert world.condition("Theirs") == theirs
