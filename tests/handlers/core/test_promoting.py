"""The primary takes over from the canary."""

from __future__ import annotations

import pytest

from schemas.status import Phase
from schemas.workload import PRIMARY_STEP, Workload
from tests.handlers.core import shapes
from tests.handlers.core.manifests import on_podinfo, weighted
from tests.handlers.core.rollouts import DEADLINE, promoting
from tests.handlers.core.world import World


def test_traffic_stays_on_the_canary_until_the_primary_is_ready() -> None:
    world = promoting()
    world.tick(3)
    assert (world.phase, world.weight) == (Phase.PROMOTING, 50)
    assert world.condition().message.startswith("podinfo-primary.test not ready: waiting for rollout to finish")
    assert world.status.waiting_for == "primary"
    world.not_ready = set()
    world.change()
    assert (world.phase, world.weight) == (Phase.FINALISING, 0), "no need to wait for a slot"
    assert world.condition("Promoted").message == "Canary analysis completed, routing all traffic to primary."


def test_finalising_waits_for_the_gateway() -> None:
    world = promoting()
    world.verdict = "Pending"
    world.not_ready = set()
    world.tick(3)
    assert world.phase is Phase.FINALISING
    assert world.canary_replicas == 2
    world.says("Rejected")
    world.tick()
    assert world.told[-1] == "RouteTable podinfo.test: its words"
    world.says("Accepted")
    world.change()
    assert world.status.phase is Phase.SUCCEEDED
    assert world.told[-1] == "Promotion completed! Scaling down podinfo.test"
    assert world.alerts[-1] == ("info", "Canary analysis completed successfully, promotion finished.")
    assert world.condition("Promoted").status == "True"


def test_what_was_analysed_is_promoted_not_what_the_target_is_by_then() -> None:
    world = World().until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick(2)
    world.tick(project=False)
    assert world.phase is Phase.PROMOTING
    world.push("podinfo:3")
    assert world.primary_image == "podinfo:2"
    world.until(Phase.SUCCEEDED)
    assert world.promoted == ["podinfo:1", "podinfo:2", "podinfo:3"]
    assert world.weights == [0, 25, 50, 0, 25, 50, 0], "the other one was analysed before"


def test_a_push_during_promotion_ends_it_on_the_ready_side_at_once_and_is_analysed_afterwards() -> None:
    world = promoting(stepWeightPromotion=10)
    world.not_ready = set()
    world.push("podinfo:3")
    assert (world.phase, world.weight) == (Phase.FINALISING, 0), "no steps back while users would meet the new one"
    world.tick(2)
    assert Phase.SUCCEEDED in world.phases
    world.until(Phase.PROGRESSING)
    world.until(Phase.SUCCEEDED)
    assert world.primary_image == "podinfo:3"


def test_a_canary_that_breaks_during_promotion_loses_its_traffic_as_soon_as_the_primary_is_ready() -> None:
    world = promoting(stepWeightPromotion=10)
    world.not_ready = {"target"}
    world.change()
    assert world.weight == 0


def test_a_primary_deleted_during_promotion_is_made_again_from_what_was_analysed() -> None:
    world = promoting()
    world.push("podinfo:3")
    world.primary = None
    world.change()
    assert world.primary_image == "podinfo:2"


def test_the_primary_carries_the_fence_of_the_step_that_changed_it() -> None:
    world = promoting()
    assert world.primary is not None
    assert Workload(world.primary).fence(PRIMARY_STEP) == world.status.primary_step


@pytest.mark.parametrize("gone_at", [Phase.PROMOTING, Phase.FINALISING])
def test_a_target_deleted_during_promotion_does_not_keep_the_primary_from_taking_over(gone_at: Phase) -> None:
    world = promoting()
    if gone_at is Phase.FINALISING:
        world.verdict = "Pending"
        world.not_ready = set()
        world.until(Phase.FINALISING)
    world.target = None
    world.not_ready = set()
    world.says("Accepted")
    world.tick(3)
    assert (world.phase, world.weight) == (Phase.SUCCEEDED, 0)


def test_a_rollout_of_one_slot_ends_with_the_phases_of_the_peer() -> None:
    world = World(on_podinfo({"stepWeight": 100})).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.until(Phase.SUCCEEDED)
    assert world.phases == [
        Phase.INITIALIZING,
        Phase.INITIALIZED,
        Phase.PROGRESSING,
        Phase.PROMOTING,
        Phase.FINALISING,
        Phase.SUCCEEDED,
    ]


def test_users_of_a_target_that_is_deleted_during_promotion_go_to_a_primary_that_is_not_ready_yet() -> None:
    world = promoting()
    world.target = None
    world.change()
    assert (world.phase, world.weight) == (Phase.PROMOTING, 0)
    assert world.alerts[-1] == ("error", "Deployment podinfo.test is gone, routing all traffic to primary")
    world.not_ready = set()
    world.change()
    assert world.phase is Phase.FINALISING


@pytest.mark.parametrize("returning", [False, True])
def test_users_of_a_target_that_is_scaled_to_zero_during_promotion_go_to_the_primary_at_once(returning: bool) -> None:
    world = promoting()
    if returning:
        world.command("abort")
    assert world.target is not None
    shapes.park(world.target)
    world.change()
    assert (world.phase, world.weight) == (Phase.PROMOTING, 0)
    assert world.told[-1] == "Deployment podinfo.test was scaled to zero, routing all traffic to primary"
    world.not_ready = set()
    world.tick(4)
    assert world.phase is (Phase.FAILED if returning else Phase.SUCCEEDED)


# ---- what is switched and what is missing meanwhile


@pytest.mark.parametrize("skipped", [True, False])
def test_an_analysis_that_was_left_out_stays_so_whatever_is_switched_while_the_primary_takes_over(
    *, skipped: bool
) -> None:
    world = World(weighted() | {"skipAnalysis": skipped}).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.until(Phase.PROMOTING)
    world.not_ready = {"primary"}
    world.edit(skipAnalysis=not skipped)
    world.not_ready = set()
    world.until(Phase.SUCCEEDED)
    assert any("analysis was skipped" in text for text in world.told) is skipped


@pytest.mark.parametrize("at", [Phase.PROMOTING, Phase.FINALISING])
def test_a_gateway_that_falls_silent_while_the_primary_takes_over_is_told_after_the_deadline(at: Phase) -> None:
    world = promoting(stepWeightPromotion=10) if at is Phase.PROMOTING else promoting()
    world.not_ready = set()
    world.verdict = None
    world.tick(3)
    assert world.phase is at
    assert world.condition().reason == "GatewayBehind"
    before = len(world.alerts)
    world.wait(DEADLINE)
    world.tick(3)
    assert world.phase is at
    text = f"RouteTable podinfo.test: for more than {DEADLINE} s the gateway has not reported on the routes yet"
    assert [(severity, alert.startswith(text)) for severity, alert in world.alerts[before:]] == [("error", True)]
    world.says("Accepted")
    world.until(Phase.SUCCEEDED)
