"""What pause and resume do where they make sense: traffic is held, checks and rollbacks are not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from schemas.status import Phase
from tests.handlers.core.moments import failed, initialized, progressing, succeeded, waiting
from tests.handlers.core.orders import accepted
from tests.handlers.core.rollouts import at_the_traffic_gate, with_hooks
from tests.handlers.core.world import World


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
    assert world.condition().status == "False"
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
