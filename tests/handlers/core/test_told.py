"""What people are told: conditions, alert fields, and who hears of a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from handlers.core.aftermath import obstructed
from handlers.core.conditions import promoted
from handlers.core.receivers import KUBERNETES, Everywhere, receivers
from handlers.core.texts import describe_routing
from schemas.analysis import Analysis
from schemas.canary import Canary
from schemas.events import Change, ChangeReason
from schemas.status import CanaryStatus, LastStep, Notice, Phase, Reason
from tests.handlers.core.manifests import ab_testing, blue_green, hook, stepped, weighted
from tests.handlers.core.moments import progressing, promoting, succeeded, waiting
from tests.handlers.core.world import World

NEW = "New Deployment detected, starting initialization."


def canary(spec: dict[str, Any]) -> Canary:
    return Canary.from_object({"metadata": {"name": "podinfo", "namespace": "test"}, "spec": spec})


@pytest.mark.parametrize(
    ("phase", "value", "message"),
    [
        (Phase.NEW, "Unknown", NEW),
        (Phase.INITIALIZING, "Unknown", NEW),
        (Phase.INITIALIZED, "True", "Deployment initialization completed."),
        (Phase.WAITING, "Unknown", "Waiting for approval."),
        (Phase.WAITING_PROMOTION, "Unknown", "Waiting for approval."),
        (Phase.PROGRESSING, "Unknown", "New revision detected, progressing canary analysis."),
        (Phase.PROMOTING, "Unknown", "Canary analysis completed, starting primary rolling update."),
        (Phase.FINALISING, "Unknown", "Canary analysis completed, routing all traffic to primary."),
        (Phase.SUCCEEDED, "True", "Canary analysis completed successfully, promotion finished."),
        (Phase.FAILED, "False", "Canary analysis failed, Deployment scaled to zero."),
        (Phase.TERMINATING, "Unknown", "Canary deleted, restoring the Deployment."),
        (Phase.TERMINATED, "Unknown", "Canary deleted, Deployment restored."),
    ],
)
def test_the_condition_promoted_says_the_phase_with_the_peers_words(phase: Phase, value: str, message: str) -> None:
    made = promoted(CanaryStatus(), CanaryStatus(phase=phase), "Deployment", "", reverted=False)
    assert (made.type, made.status, made.message) == ("Promoted", value, message)
    assert made.reason == (phase.value or "Initializing")


@pytest.mark.parametrize(
    ("analysis", "text"),
    [
        (ab_testing(), "A/B Testing"),
        (blue_green(), "Blue/Green"),
        (weighted(), "Weight step: 25 max: 50"),
        (weighted(maxWeight=0), "Weight step: 25 max: 0"),
        (stepped(5, 20), "Weight steps: 5,20 max: 0"),
        ({"analysis": {}}, ""),
    ],
)
def test_the_alert_field_traffic_routing_has_the_peers_form(analysis: dict[str, Any], text: str) -> None:
    assert describe_routing(Analysis.model_validate(analysis["analysis"])) == text


def test_last_transition_time_moves_with_the_phase_only() -> None:
    world = World().until(Phase.INITIALIZED)
    world.push("podinfo:2")
    began = world.status.last_transition_time
    world.tick(2)
    assert world.weight == 50
    assert world.status.last_transition_time == began
    world.tick()
    assert world.status.last_transition_time == world.now.replace(microsecond=0) != began


def test_a_conditions_transition_time_moves_with_its_status_only() -> None:
    world = World().until(Phase.INITIALIZED)
    world.push("podinfo:2")
    began = world.condition("Promoted").last_transition_time
    world.until(Phase.PROMOTING)
    promoted = world.condition("Promoted")
    assert promoted.last_transition_time == began, "Unknown it was, Unknown it is"
    assert promoted.last_update_time == world.now.replace(microsecond=0)


# ---- who hears of it


def told(*, ended: bool = False) -> LastStep:
    return LastStep(ended=ended, notices=(Notice(reason=Reason.STEP_TAKEN, message="m"),))


def hearing(*kinds: str) -> Canary:
    return canary(weighted(webhooks=[hook(kind, name=f"the {kind}!") for kind in kinds]))


def test_whatever_is_told_goes_to_kubernetes_and_to_event_hooks() -> None:
    ours = hearing("event", "post-rollout", "rollout")
    assert receivers(ours, told()) == (KUBERNETES, "event-the-event-")
    assert receivers(ours, LastStep(ended=True)) == ()


def test_the_event_hook_of_the_installation_hears_of_canaries_that_have_none() -> None:
    everywhere = "http://events.test/"
    assert receivers(hearing("rollout"), told(), Everywhere(everywhere)) == (KUBERNETES, "event-events")
    assert receivers(hearing("event"), told(), Everywhere(everywhere)) == (KUBERNETES, "event-the-event-")


def test_post_rollout_hooks_hear_of_the_end() -> None:
    assert receivers(hearing("post-rollout"), told(ended=True)) == (KUBERNETES, "post-rollout-the-post-rollout-")
    assert receivers(hearing("post-rollout"), told()) == (KUBERNETES,)


def ends(world: World) -> list[str]:
    """The phases in which rollouts ended, and how."""
    steps = [decision.status.last_step for decision in world.decisions]
    return [f"{step.phase.value} {step.reason}" for step in steps if step is not None and step.ended]


@pytest.mark.parametrize(
    ("given", "meanwhile", "ending"),
    [
        (progressing, "", "Succeeded Promoted"),
        (progressing, "abort", "Failed CommandAccepted"),
        (progressing, "revert", "Succeeded Reverted"),
        (promoting, "abort", "Failed CommandAccepted"),
        (waiting, "abort", "Failed CommandAccepted"),
        (succeeded, "rollback", "Failed RolledBack"),
    ],
)
def test_a_rollout_ends_once(given: Callable[[], World], meanwhile: str, ending: str) -> None:
    world = given()
    before = ends(world)
    if meanwhile == "revert":
        world.push("podinfo:1")
    elif meanwhile:
        world.command(meanwhile)
    world.not_ready = set()
    world.tick(8)
    assert ends(world) == [*before, ending]


def test_a_revision_that_only_waited_and_is_taken_back_has_not_ended() -> None:
    world = waiting()
    world.push("podinfo:1")
    world.tick(3)
    assert ends(world) == []


def test_an_unknown_webhook_type_does_not_keep_the_others_from_hearing() -> None:
    assert receivers(hearing("later", "event"), told()) == (KUBERNETES, "event-the-event-")


def refuse(world: World, words: str) -> bool:
    """The projection of a wake that decides nothing; whether that was written down."""
    canary_, seen = world.look(Change(namespace="test", name="podinfo", uid="u", reason=ChangeReason.RESYNC))
    decision = obstructed(canary_, seen, words)
    world.item["status"] = decision.status.to_wire()
    world.notices += decision.notices
    return decision.changed


def test_what_the_api_server_refuses_is_told_once_in_its_words() -> None:
    world = World().until(Phase.INITIALIZED)
    world.tick()
    assert [refuse(world, "quota exceeded") for _ in range(2)] == [True, False]
    text = "Canary podinfo.test cannot be carried out: quota exceeded"
    assert world.condition().message == text
    steps = world.status.step
    world.tick(3, project=False)
    assert world.status.step == steps, "nothing is news while it is refused"
    assert refuse(world, "no rights")
    assert world.condition().message == "Canary podinfo.test cannot be carried out: no rights"
    assert world.alerts[-1] == ("error", text), "other words are an event, no second alert"
    world.tick()
    assert world.condition().status == "False", "what can be carried out again is said so"
    assert world.told[-1] == "Canary podinfo.test is carried out again"


def test_what_is_held_beside_a_refusal_is_told_once_and_shown_when_the_refusal_is_over() -> None:
    world = progressing()
    refuse(world, "quota exceeded")
    world.not_ready = {"target"}
    world.tick(3, project=False)
    assert world.condition().reason == "Refused"
    assert world.reasons.count("NotReady") == 1
    world.tick()
    assert world.condition().reason == "NotReady"
