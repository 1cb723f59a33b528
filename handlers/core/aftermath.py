"""What is noted after the projection of a committed status: that it was refused, or that nothing is owed any more."""

from __future__ import annotations

from handlers.core import conditions
from handlers.core.draft import Decision, Draft
from handlers.core.observation import Observation
from schemas.canary import Canary
from schemas.status import CanaryStatus, Phase, Reason, Refused


def obstructed(canary: Canary, seen: Observation, words: str) -> Decision:
    """What was decided, or is to be, cannot be done: the API server's own words, told once.

    ``Held`` says so until it can. An edit that nobody has decided about yet stays one.
    """
    observed = {"generation": canary.status.observed_generation}
    canary = canary.model_copy(update={"metadata": canary.metadata.model_copy(update=observed)})
    draft = Draft.begin(canary, seen)
    text, before = f"Canary {draft.place} cannot be carried out: {words}", canary.status.refused
    if before is not None and before.message == text:
        return draft.done()
    if conditions.of_type(draft.status, conditions.HELD) is None:
        draft = draft.go_on(draft.status.waiting_for)
    # what was refused is tried by every wake: only one that has compared everything knows that it is over
    owed = draft.set(refused=Refused(message=text), surroundings_owed=draft.status.surroundings_owed or draft.step)
    return owed.tell(Reason.REFUSED, text, warn=True, alert=text, severity=None if before else "error").done()


def carried_out(canary: Canary, seen: Observation) -> Decision:
    """Everything around the Canary is as its status wants it. No step of its own, unless there is something to tell."""
    status = canary.status
    owed = status.surroundings_owed or status.former_scalers
    if not owed or status.observed_generation != canary.metadata.generation:
        return Decision(status)
    if _found_by_routes(status):
        return Decision(status)
    if status.refused is None:
        return Decision(status.model_copy(update={"surroundings_owed": 0, "former_scalers": ()}))
    draft = Draft.begin(canary, seen).set(surroundings_owed=0, former_scalers=(), refused=None)
    return draft.tell(Reason.MENDED, f"Canary {draft.place} is carried out again").done()


def made_before_routes(draft: Draft) -> Draft:
    """Initialising, routes are written last: whoever sees those of the same step knows that the rest was made."""
    if _found_by_routes(draft.status) and draft.seen.route_fence == draft.status.route_step:
        return draft.set(surroundings_owed=0)
    return draft


def _found_by_routes(status: CanaryStatus) -> bool:
    known = status.phase is Phase.INITIALIZING and status.refused is None
    return known and 0 < status.surroundings_owed == status.route_step
