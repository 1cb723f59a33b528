"""A weighted rollout from bootstrap to promotion, on the pure core."""

from __future__ import annotations

from schemas.measurement import Measurement
from schemas.status import Phase
from tests.handlers.core.manifests import weighted
from tests.handlers.core.world import World


def initialized() -> World:
    world = World()
    return world.until(Phase.INITIALIZED)


def test_bootstrap_ends_with_the_target_parked_and_all_traffic_on_the_primary() -> None:
    world = initialized()
    assert world.canary_replicas == 0
    assert world.weight == 0
    assert world.primary_image == "podinfo:1"
    assert world.told[-1] == "Initialization done! podinfo.test"
    assert world.status.settled


def test_a_promotion_takes_each_step_and_ends_on_the_new_image() -> None:
    world = initialized()
    world.push("podinfo:2")
    assert world.phase is Phase.PROGRESSING
    world.until(Phase.SUCCEEDED)
    assert world.weights == [0, 25, 50, 0]
    assert world.primary_image == "podinfo:2"
    assert world.canary_replicas == 0
    assert [text for text in world.told if not text.startswith("Initialization")] == [
        "New revision detected! Scaling up podinfo.test",
        "Starting canary analysis for podinfo.test",
        "Advance podinfo.test canary weight 25",
        "Advance podinfo.test canary weight 50",
        "Copying podinfo.test template spec to podinfo-primary.test",
        "Routing all traffic to primary",
        "Promotion completed! Scaling down podinfo.test",
    ]


def test_a_push_in_mid_analysis_starts_again_from_zero() -> None:
    world = initialized()
    world.push("podinfo:2")
    world.tick(2)
    assert world.weight == 50
    world.push("podinfo:3")
    assert world.weight == 0
    assert world.told[-1] == "New revision detected! Restarting analysis for podinfo.test"
    world.until(Phase.SUCCEEDED)
    assert world.primary_image == "podinfo:3"


def test_the_threshold_rolls_back_in_the_tick_that_reaches_it() -> None:
    metrics = [{"name": "request-success-rate", "thresholdRange": {"min": 99}, "interval": "10s"}]
    world = World(weighted(metrics=metrics)).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick()
    world.measured["request-success-rate"] = Measurement(name="request-success-rate", outcome="value", value=69.17)
    world.tick(3)
    assert world.phase is Phase.FAILED
    assert world.weight == 0
    assert world.status.failed_checks == 3
    assert world.told[-3:] == [
        "Halt podinfo.test advancement success rate 69.17% < 99%",
        "Rolling back podinfo.test failed checks threshold reached 3",
        "Canary failed! Scaling down podinfo.test",
    ]
    world.tick(2)
    assert world.canary_replicas == 0
    assert world.primary_image == "podinfo:1"
    assert world.status.settled


def test_going_back_to_the_promoted_template_ends_the_rollout_at_once() -> None:
    world = initialized()
    world.push("podinfo:2")
    world.tick(2)
    world.push("podinfo:1")
    assert world.phase is Phase.SUCCEEDED
    assert world.weight == 0
    assert world.reasons[-1] == "Reverted"


def test_abort_rolls_back_and_the_refused_revision_does_not_start_again() -> None:
    world = initialized()
    world.push("podinfo:2")
    world.tick(2)
    decision = world.command("abort", by="ci", reason="error budget")
    assert decision.reply is not None
    assert decision.reply.accepted
    assert world.phase is Phase.FAILED
    assert world.weight == 0
    world.tick(3)
    assert world.phase is Phase.FAILED
    assert world.canary_replicas == 0


def test_a_redelivered_command_answers_what_the_first_one_did() -> None:
    world = initialized()
    world.push("podinfo:2")
    world.tick()
    first = world.command("abort", id="once").reply
    again = world.command("abort", id="once")
    assert not again.changed
    assert again.reply is not None
    assert first is not None
    assert again.reply.message == first.message


def test_promote_skips_the_rest_of_the_analysis() -> None:
    world = initialized()
    world.push("podinfo:2")
    world.tick()
    world.command("promote", by="me")
    assert world.phase is Phase.PROMOTING
    world.until(Phase.SUCCEEDED)
    assert world.primary_image == "podinfo:2"
