"""Every verb in every phase where it makes no sense: why not, and what would work."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from schemas.events import Verb
from schemas.status import Phase
from tests.handlers.core.moments import (
    failed,
    finalising,
    fresh,
    initialized,
    initializing,
    progressing,
    promoting,
    succeeded,
    waiting,
    waiting_promotion,
)
from tests.handlers.core.world import World

NO_ROLLOUT = {
    fresh: "New",
    initializing: "Initializing",
    initialized: "Initialized",
    succeeded: "Succeeded",
    failed: "Failed",
}
NO_HISTORY = "no revision was promoted before the one that the primary runs; push the revision that you want"
TOO_LATE = "already promoting; abort takes the primary back"

REFUSED = [
    *(
        (Verb.APPROVE, given, f"no gate is closed in phase {name}: no rollout runs")
        for given, name in NO_ROLLOUT.items()
    ),
    (Verb.APPROVE, progressing, "no gate is closed in phase Progressing; promote skips the rest of the analysis"),
    (Verb.APPROVE, promoting, "already promoting, no gate is ahead"),
    (Verb.APPROVE, finalising, "already promoting, no gate is ahead"),
    (Verb.PROMOTE, fresh, "nothing to promote in phase New; push a new revision"),
    (Verb.PROMOTE, initializing, "nothing to promote in phase Initializing; push a new revision"),
    (Verb.PROMOTE, initialized, "nothing to promote in phase Initialized; push a new revision"),
    (Verb.PROMOTE, succeeded, "nothing to promote in phase Succeeded; push a new revision"),
    (Verb.PROMOTE, failed, "nothing to promote in phase Failed; restart analyses the refused revision again"),
    (Verb.PROMOTE, promoting, "already promoting"),
    (Verb.PROMOTE, finalising, "already promoting"),
    (Verb.ABORT, fresh, "nothing to abort in phase New"),
    (Verb.ABORT, initializing, "nothing to abort in phase Initializing"),
    (Verb.ABORT, initialized, "nothing to abort in phase Initialized"),
    (Verb.ABORT, succeeded, "nothing to abort in phase Succeeded; rollback returns to the revision promoted before"),
    (Verb.ABORT, failed, "nothing to abort in phase Failed"),
    (Verb.ROLLBACK, fresh, "no promotion to take back in phase New; push the revision that you want"),
    (Verb.ROLLBACK, initializing, "no promotion to take back in phase Initializing; push the revision that you want"),
    (Verb.ROLLBACK, initialized, NO_HISTORY),
    (Verb.ROLLBACK, waiting, "a rollout is in phase Waiting; use abort"),
    (Verb.ROLLBACK, progressing, "a rollout is in phase Progressing; use abort"),
    (Verb.ROLLBACK, waiting_promotion, "a rollout is in phase WaitingPromotion; use abort"),
    (Verb.ROLLBACK, promoting, "a rollout is in phase Promoting; use abort"),
    (Verb.ROLLBACK, finalising, "a rollout is in phase Finalising; use abort"),
    (Verb.ROLLBACK, failed, "no promotion to take back in phase Failed; push the revision that you want"),
    (Verb.PAUSE, promoting, TOO_LATE),
    (Verb.PAUSE, finalising, TOO_LATE),
    *(
        (Verb.RESUME, given, "not paused")
        for given in (*NO_ROLLOUT, waiting, progressing, waiting_promotion, promoting)
    ),
    (Verb.RESTART, fresh, "nothing new to analyse in phase New; push a new revision"),
    (Verb.RESTART, initializing, "nothing new to analyse in phase Initializing; push a new revision"),
    (Verb.RESTART, initialized, "nothing new to analyse in phase Initialized; push a new revision"),
    (Verb.RESTART, succeeded, "nothing new to analyse in phase Succeeded; push a new revision"),
    (
        Verb.RESTART,
        waiting,
        "the analysis has not begun; approve starts it, promote goes to production without it",
    ),
    (Verb.RESTART, promoting, TOO_LATE),
    (Verb.RESTART, finalising, TOO_LATE),
]


@pytest.mark.parametrize(("verb", "given", "why"), REFUSED, ids=lambda item: getattr(item, "__name__", None))
def test_a_command_that_makes_no_sense_is_refused_with_words_and_changes_nothing(
    verb: Verb, given: Callable[[], World], why: str
) -> None:
    world = given()
    phase, weight, primary, paused = world.phase, world.status.canary_weight, world.primary, world.status.paused
    reply = world.command(verb, by="ci", reason="nightly").reply
    assert reply is not None
    assert (reply.accepted, reply.code, reply.message) == (False, 422, f"{verb} refused: {why}")
    assert world.told[-1] == f"{reply.message} (asked by ci: nightly)"
    assert world.reasons[-1] == "CommandRefused"
    assert (world.phase, world.status.canary_weight, world.status.paused) == (phase, weight, paused)
    assert (world.primary is None) == (primary is None)
    assert reply.step == world.status.step


def test_every_verb_is_said_something_about_in_every_phase() -> None:
    """What is not refused above is accepted: see test_commands, test_approve, test_pause, test_restart_rollback."""
    accepted = {
        (Verb.APPROVE, waiting),
        (Verb.APPROVE, waiting_promotion),
        *((Verb.PROMOTE, given) for given in (waiting, progressing, waiting_promotion)),
        *((Verb.ABORT, given) for given in (waiting, progressing, waiting_promotion, promoting, finalising)),
        (Verb.ROLLBACK, succeeded),
        *((Verb.PAUSE, given) for given in (*NO_ROLLOUT, waiting, progressing, waiting_promotion)),
        *((Verb.RESTART, given) for given in (progressing, waiting_promotion, failed)),
    }
    for verb, given in accepted:
        reply = given().command(verb).reply
        assert reply is not None
        assert reply.accepted, f"{verb} in {given.__name__}: {reply.message}"
    refused = {(verb, given) for verb, given, _ in REFUSED}
    unsaid = {(verb, given) for verb in Verb for given in MOMENTS} - refused - accepted
    assert unsaid == {(Verb.RESUME, finalising)}


MOMENTS = (*NO_ROLLOUT, waiting, progressing, waiting_promotion, promoting, finalising)


@pytest.mark.parametrize("verb", [Verb.APPROVE, Verb.PROMOTE, Verb.RESTART, Verb.ROLLBACK])
def test_a_suspended_canary_decides_nothing_new(verb: Verb) -> None:
    world = progressing()
    world.edit(suspend=True)
    reply = world.command(verb).reply
    assert reply is not None
    assert reply.message == f"{verb} refused: the Canary is suspended; set spec.suspend to false first"


def test_a_suspended_canary_can_be_aborted_paused_and_resumed() -> None:
    world = progressing()
    world.edit(suspend=True)
    for verb in (Verb.PAUSE, Verb.RESUME, Verb.ABORT):
        reply = world.command(verb).reply
        assert reply is not None
        assert reply.accepted, reply.message
    assert (world.phase, world.weight) == (Phase.FAILED, 0)


@pytest.mark.parametrize("verb", [Verb.APPROVE, Verb.PROMOTE, Verb.RESTART])
def test_a_revision_that_nobody_has_looked_at_is_not_decided_about(verb: Verb) -> None:
    world = waiting_promotion()
    world.set_image("podinfo:unseen")
    reply = world.command(verb).reply
    assert reply is not None
    assert (reply.accepted, reply.code) == (False, 422)
    assert "the target has moved on to another revision" in reply.message
    assert (world.phase, world.primary_image) == (Phase.WAITING_PROMOTION, "podinfo:1")
