"""The one decision: what a Canary does next, given what was seen. Pure; the map of the core.

::

    "" -> Initializing -> Initialized -> [Waiting] -> Progressing -> [WaitingPromotion] -> Promoting
                                                          |                                    |
                                                          +----> Failed     Succeeded <-- Finalising

Each phase is one small module: :mod:`initialising`, :mod:`idle` (with Waiting), :mod:`progressing`, :mod:`promoting`;
:mod:`endings` holds what several of them share, :mod:`commands` what people ask for. A deletion leads from any of them
to Terminating and Terminated (:mod:`terminating`), an edit of names back to Initializing (:mod:`renaming`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, assert_never

from handlers.core import commands, endings, handover, idle, initialising, progressing, promoting, renaming, terminating
from handlers.core.adoption import adopt, is_foreign
from handlers.core.aftermath import made_before_routes
from handlers.core.approvals import forget_gone
from handlers.core.draft import Decision, Draft
from handlers.core.gate import gateway
from handlers.core.observation import Observation
from handlers.core.plan import is_fresh, opens
from handlers.core.texts import suspended
from schemas.canary import Canary
from schemas.events import Command
from schemas.gloo import Verdict
from schemas.status import IDLE, JUDGED, Phase, Reason

_DEADLINES = ("not_ready_since", "primary_not_ready_since", "behind_since", "no_data_since", "invalid_since")


def step(canary: Canary, seen: Observation) -> Decision:
    """Never raises; whatever is wrong becomes a status with a reason. Nothing changed: an unchanged status."""
    draft = Draft.begin(canary, seen)
    if draft.held_for == Reason.SUSPENDED and not (canary.spec.suspend or canary.deleting):
        draft = _resumed(draft)
    if is_foreign(canary.status):
        draft = adopt(draft)
        if draft.status != canary.status and seen.target is not None and not isinstance(seen.stimulus, Command):
            # nothing moves in the step that takes over; the next wake decides
            return draft.done()
    draft = made_before_routes(_arrive(draft))
    if isinstance(seen.stimulus, Command):
        return commands.obey(draft, seen.stimulus, decide)
    return decide(draft).done()


def decide(draft: Draft) -> Draft:
    canary, status = draft.canary, draft.status
    if canary.deleting:
        return terminating.terminating(renaming.exchange_scaler(draft) if canary.finalising else draft)
    if canary.spec.suspend:
        return _suspended(draft)
    if draft.seen.problems:
        if status.returning and status.phase is Phase.PROMOTING:
            return promoting.promoting(draft)
        return endings.invalid(draft)
    if status.invalid:
        mended = draft.set(invalid_since=None).tell(Reason.MENDED, f"Canary {draft.place} is valid again")
        draft = mended.go_on("" if status.waiting_for == "target" else status.waiting_for)
    draft = renaming.exchange_scaler(draft)
    renamed = renaming.rename(draft)
    return renamed if renamed is not None else renaming.tidy(handover.awaken(_by_phase(draft)))


def _by_phase(draft: Draft) -> Draft:
    match draft.status.phase:
        case Phase.NEW:
            return initialising.begin(draft)
        case Phase.INITIALIZING:
            return initialising.go_on(draft)
        case Phase.INITIALIZED | Phase.SUCCEEDED | Phase.FAILED | Phase.TERMINATED:
            return idle.idle(draft)
        case Phase.WAITING:
            return idle.waiting(draft)
        case Phase.PROGRESSING | Phase.WAITING_PROMOTION:
            return progressing.progressing(draft)
        case Phase.PROMOTING:
            return promoting.promoting(draft)
        case Phase.FINALISING:
            return promoting.finalising(draft)
        case Phase.TERMINATING:
            return draft
        case _:
            assert_never(draft.status.phase)


def _arrive(draft: Draft) -> Draft:
    """What every wake notes: the slot that it used up, and since when the gateway follows or is behind."""
    seen, status = draft.seen, draft.status
    idle_hands = draft.canary.spec.suspend or draft.canary.deleting or seen.problems
    judged = status.phase in JUDGED and not idle_hands
    if judged and is_fresh(draft.canary, seen):
        first = {"last_tick": seen.began, "slots_from": seen.began} if opens(draft.canary, seen) else {}
        draft = draft.set(**{"last_tick": seen.slot, **first})
    elif judged and opens(draft.canary, seen):
        draft = draft.set(slots_from=seen.now)
    if judged:
        draft = forget_gone(draft)
    return _follow_gateway(draft, judged=judged)


def _follow_gateway(draft: Draft, *, judged: bool) -> Draft:
    """Since when the routes are in force, or are not."""
    seen, status = draft.seen, draft.status
    if status.gateway_silent and seen.report is not None and seen.report.verdict is not Verdict.SILENT:
        text = f"RouteTable {draft.canary.service}.{draft.canary.metadata.namespace} gets a status from the gateway now"
        draft = draft.set(gateway_silent=False).tell(Reason.MENDED, text)
    if not draft.canary.status.route_step:
        return draft
    if gateway(draft.canary, seen).applied:
        if status.verdict_since is None and status.traffic_until is not None and not status.canary_weight:
            # the commit asked for it, but the canary's users were its own until now
            draft = draft.set(traffic_until=seen.now)
        since = status.verdict_since or seen.now
        draft = draft.set(verdict_since=since, behind_since=None, served_step=status.route_step)
    elif judged:
        # routes that somebody else wrote have sent users elsewhere: what they had in force counts no more
        if not seen.route_current:
            # nor has the weight been on for as long as it has been committed: it serves a whole interval anew
            draft = draft.set(served_step=0, weight_since=seen.began, verdict_since=None)
        if status.behind_since is None:
            draft = draft.set(verdict_since=None, behind_since=seen.now)
    elif not (seen.route_current or status.verdict_since is None or (status.settled and status.phase in IDLE)):
        # nor is the target parked before its users have left it again
        draft = draft.set(verdict_since=None, behind_since=status.behind_since or seen.now)
    return draft


def _resumed(draft: Draft) -> Draft:
    """Nothing was decided while it was suspended, so no deadline ran: those that had begun begin anew."""
    status, now = draft.canary.status, draft.seen.now
    begun: dict[str, Any] = {clock: now for clock in _DEADLINES if getattr(status, clock) is not None}
    if status.hand_over is not None:
        begun["hand_over"] = status.hand_over.model_copy(update={"since": now})
    # also what this wake takes for known: whether pods are late is read off the committed status
    canary = draft.canary.model_copy(update={"status": status.model_copy(update=begun)})
    return replace(draft, canary=canary).set(**begun).go_on(status.waiting_for)


def _suspended(draft: Draft) -> Draft:
    """No new decision and no question; what is committed is projected until it has been seen once, then hands off."""
    status = draft.status
    if status.phase is Phase.NEW:
        # nothing is committed, so there is nothing to make
        draft = draft.set(settled=True)
    text = suspended(status.canary_weight)
    if draft.status.settled:
        return draft.hold(Reason.SUSPENDED, text, waiting_for=status.waiting_for, warn=False)
    settled = idle.settle(draft).status
    # only what it found counts: why it is not settled yet would take turns with this sentence, slot after slot
    found: dict[str, Any] = {"settled": settled.settled}
    if status.phase in IDLE:
        # of a rollout in the middle they say how that ends, whatever is in force by now
        found |= {"returning": settled.returning, "primary_not_ready_since": settled.primary_not_ready_since}
    return draft.set(**found).hold(Reason.SUSPENDED, text, waiting_for=settled.waiting_for, warn=False)
