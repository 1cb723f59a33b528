"""What people and systems ask for, in every phase."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from schemas.status import Phase
from tests.handlers.core.moments import finalising, initialized, progressing, promoting, waiting, waiting_promotion
from tests.handlers.core.world import World


@pytest.mark.parametrize("body", [{"revision": "0123456789abcdef"}, {"phase": "Promoting"}])
def test_a_command_about_something_that_has_moved_on_is_refused_with_409(body: dict[str, str]) -> None:
    world = progressing()
    reply = world.command("abort", **body).reply
    assert reply is not None
    assert (reply.accepted, reply.code) == (False, 409)
    assert world.phase is Phase.PROGRESSING


def test_a_command_that_names_what_is_true_is_accepted() -> None:
    world = progressing()
    reply = world.command("abort", revision=world.status.canary_revision, phase="Progressing").reply
    assert reply is not None
    assert reply.accepted
    assert (reply.phase, reply.weight, reply.step) == ("Failed", 0, world.status.step)


@pytest.mark.parametrize("given", [progressing, waiting_promotion], ids=["Progressing", "WaitingPromotion"])
def test_abort_routes_everybody_to_the_primary_in_that_wake(given: Callable[[], World]) -> None:
    world = given()
    world.command("abort", by="ci", reason="error budget")
    assert (world.phase, world.weight) == (Phase.FAILED, 0)
    assert world.told[-2:] == [
        "Rolling back podinfo.test aborted by ci: error budget",
        "Canary failed! Scaling down podinfo.test",
    ]
    assert world.alerts[-1] == ("warn", "Rolling back podinfo.test aborted by ci: error budget")
    world.tick(3)
    assert (world.phase, world.canary_replicas) == (Phase.FAILED, 0)


def test_abort_while_waiting_refuses_the_revision_without_moving_anything() -> None:
    world = waiting()
    world.command("abort", by="ci")
    assert (world.phase, world.weight, world.canary_replicas) == (Phase.FAILED, 0, 0)
    world.hooks["confirm-rollout"] = True
    world.tick(3)
    assert world.phase is Phase.FAILED, "the refused revision does not start again by itself"
    world.push("podinfo:3")
    world.tick(2)
    assert world.status.phase is Phase.PROGRESSING


@pytest.mark.parametrize("given", [promoting, finalising], ids=["Promoting", "Finalising"])
def test_abort_while_promoting_takes_the_primary_back_before_any_traffic(given: Callable[[], World]) -> None:
    world = given()
    weight = world.weight
    world.command("abort", by="ann")
    assert (world.phase, world.weight, world.primary_image) == (Phase.PROMOTING, weight, "podinfo:1")
    again = world.command("abort").reply
    assert again is not None
    assert again.message == "abort refused: the primary is already going back to the last promoted revision"
    world.says("Accepted")
    world.not_ready = set()
    world.tick()
    assert (world.phase, world.weight) == (Phase.FAILED, 0)
    world.tick(3)
    assert (world.phase, world.canary_replicas) == (Phase.FAILED, 0)


@pytest.mark.parametrize(
    "given", [waiting, progressing, waiting_promotion], ids=["Waiting", "Progressing", "WaitingPromotion"]
)
def test_promote_goes_to_production_without_further_analysis(given: Callable[[], World]) -> None:
    world = given()
    world.asked.clear()
    reply = world.command("promote", by="ann", reason="urgent").reply
    assert reply is not None
    assert reply.accepted
    assert "promote accepted from ann: urgent" in world.told
    world.until(Phase.SUCCEEDED)
    assert world.asked == []
    assert world.primary_image == "podinfo:2"
    assert world.alerts[-1] == ("info", "Canary analysis was skipped, promotion finished.")


def test_promote_waits_for_a_canary_that_is_not_ready() -> None:
    world = progressing()
    world.not_ready = {"target"}
    world.command("promote")
    assert world.phase is Phase.PROGRESSING
    assert world.status.skip_to == "promotion"
    world.not_ready = set()
    world.change()
    assert world.status.phase is Phase.PROMOTING


@pytest.mark.parametrize("given", [waiting, progressing], ids=["Waiting", "Progressing"])
def test_promote_is_refused_for_a_revision_that_nobody_has_looked_at(given: Callable[[], World]) -> None:
    world = given()
    world.set_image("podinfo:unseen")
    reply = world.command("promote").reply
    assert reply is not None
    assert (reply.accepted, reply.code) == (False, 422)
    assert world.primary_image == "podinfo:1"


def test_a_new_revision_after_promote_is_analysed() -> None:
    world = progressing()
    world.not_ready = {"target"}
    world.command("promote")
    world.not_ready = set()
    world.push("podinfo:3")
    assert world.status.skip_to == ""
    world.until(Phase.SUCCEEDED)
    assert world.weights == [0, 25, 0, 25, 50, 0]


def test_a_redelivered_command_acts_once_and_answers_the_same() -> None:
    world = progressing()
    first = world.command("abort", id="once").reply
    world.push("podinfo:3")
    world.tick()
    again = world.command("abort", id="once")
    assert not again.changed
    assert world.phase is Phase.PROGRESSING, "the new rollout is not aborted by an old command"
    assert first is not None
    assert again.reply is not None
    assert (again.reply.accepted, again.reply.message) == (True, first.message)


def test_a_redelivered_refusal_is_refused_again_in_the_same_words() -> None:
    world = initialized()
    first = world.command("promote", id="once").reply
    world.push("podinfo:2")
    again = world.command("promote", id="once")
    assert not again.changed
    assert first is not None
    assert again.reply is not None
    assert (again.reply.accepted, again.reply.code) == (False, 422)
    assert again.reply.message == first.message


def test_a_command_leaves_the_slots_alone() -> None:
    world = progressing()
    slot = world.status.last_tick
    world.command("promote")
    assert world.status.last_tick == slot


def test_promote_of_an_invalid_canary_is_refused_with_what_is_wrong() -> None:
    world = progressing()
    world.edit_analysis(stepWeight=0)
    reply = world.command("promote").reply
    assert reply is not None
    assert reply.message.startswith("promote refused: the Canary is invalid: spec.analysis")


def test_a_canary_that_is_being_deleted_obeys_nobody() -> None:
    world = progressing()
    world.item["metadata"]["deletionTimestamp"] = "2026-01-01T00:10:00Z"
    reply = world.command("promote").reply
    assert reply is not None
    assert reply.message == "promote refused: the Canary is being deleted"
    world.tick(3)
    assert (world.phase, world.weight) == (Phase.PROGRESSING, 25)
