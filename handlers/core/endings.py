"""How a rollout ends: return to primary is one transition, whoever asks for it (design: transitions).

The commit names the end; the projection follows in its own time: routes to 100/0, seen in force, drained, then scaled.
"""

from __future__ import annotations

from handlers.core import freezing, gate, handover
from handlers.core.draft import Draft
from schemas.events import Command
from schemas.status import IDLE, Phase, Reason, Returning, Severity

ANALYSED = (Phase.PROGRESSING, Phase.WAITING_PROMOTION)


def return_to_primary(draft: Draft, phase: Phase) -> Draft:
    """All traffic to the primary and the target parked; ``phase`` says how it ended."""
    before = draft.status.canary_weight
    clocks = {"no_data_since": None, "not_ready_since": None, "primary_not_ready_since": None, "hand_over": None}
    ended = handover.raise_floor(draft).take_traffic().enter(phase, skip_to="", approved=None, **clocks)
    return ended.rescale_target().go_on("gateway" if before else "")


def roll_back(draft: Draft, reason: Reason, message: str, *, alert: str, severity: Severity = "error") -> Draft:
    """Failed: this revision does not start again by itself."""
    told = draft.tell(reason, message, warn=True, alert=alert, severity=severity)
    ended = return_to_primary(told, Phase.FAILED)
    closing = ended.tell(Reason.ROLLED_BACK, f"Canary failed! Scaling down {draft.place}", warn=True)
    return closing.because(reason, message)


def target_gone(draft: Draft, gone: str) -> Draft:
    """Users are sent to the primary in this wake, ready or not: wherever else they are is worse (spec B8).

    ``gone`` says what happened. A promotion goes on: what is left of the primary serves more users than nothing does,
    and whether it is any good is decided as ever.
    """
    phase = draft.status.phase
    if phase in ANALYSED:
        text = f"Rolling back {draft.place}: {gone}"
        return roll_back(draft, Reason.TARGET_MISSING, text, alert=text)
    text = f"{gone}, routing all traffic to primary"
    moved = return_to_primary(draft, phase) if phase in IDLE else draft.weigh(0)
    return moved.tell(Reason.TARGET_MISSING, text, warn=True, alert=text, severity="error")


def primary_lost(draft: Draft) -> Draft | None:
    """Nobody knows what the primary ran: neither the snapshot nor the target has it. Nothing is guessed."""
    if not draft.seen.snapshot_missing or isinstance(draft.seen.stimulus, Command):
        return None
    text = (
        f"{draft.primary_place} was changed or deleted, and the snapshot of revision {draft.status.primary_revision} "
        f"is missing: give {draft.target_place} that revision back, and it is made from there"
    )
    return draft.hold(Reason.SNAPSHOT_MISSING, text, waiting_for="target", alert=text, severity="error")


def refuse(draft: Draft, reason: Reason, message: str, *, alert: str) -> Draft:
    """Before it has begun: this revision does not start by itself any more, and nothing has moved."""
    revision = draft.status.canary_revision
    refused = draft.enter(Phase.FAILED, last_applied_spec=revision, returning=None, approved=None).go_on()
    return refused.tell(reason, message, warn=True, alert=alert, severity="warn")


def revert(draft: Draft) -> Draft:
    """The target is back on the promoted template: nothing to analyse, no failure counted."""
    promoted = draft.status.promoted_revision
    ended = return_to_primary(draft, Phase.SUCCEEDED).set(
        last_applied_spec=draft.status.last_promoted_spec, canary_revision=promoted, iterations=0, failed_checks=0
    )
    text = f"{draft.target_place} is back on the promoted revision, routing all traffic to primary"
    return ended.tell(Reason.REVERTED, text, alert=text, severity="info")


def succeed(draft: Draft) -> Draft:
    """Promoted: the primary runs what was analysed, or was not to be, and has all traffic."""
    skipped = bool(draft.status.skip_to)
    revision, before = draft.status.canary_revision, draft.status.promoted_revision
    ended = return_to_primary(draft, Phase.SUCCEEDED).set(
        promoted_revision=revision, last_promoted_spec=draft.status.last_applied_spec, iterations=0
    )
    if before != revision:
        ended = ended.set(previous_revision=before)
    if skipped:
        return ended.tell(
            Reason.PROMOTED,
            f"Promotion completed! Canary analysis was skipped for {draft.target_place}",
            alert="Canary analysis was skipped, promotion finished.",
            severity="info",
        )
    return ended.tell(
        Reason.PROMOTED,
        f"Promotion completed! Scaling down {draft.target_place}",
        alert="Canary analysis completed successfully, promotion finished.",
        severity="info",
    )


def go_back(draft: Draft, phase: Phase, reason: Reason, message: str) -> Draft:
    """While promoting: the primary goes back to the promoted revision first; traffic follows when it is seen ready.

    Where nothing can begin it only holds (``holds_now``), and has told so itself.
    """
    ending = Returning(phase=phase, reason=reason, message=message)
    if not draft.status.promoted_revision:
        return _stay(draft, ending)
    back = draft.enter(Phase.PROMOTING).run_on_primary(draft.status.promoted_revision).set(returning=ending)
    return freezing.begun(back).go_on("primary")


def _stay(draft: Draft, ending: Returning) -> Draft:
    """Taken over while promoting, so that nobody knows what the primary ran before: users stay where they are."""
    if not draft.status.canary_weight:
        text = f"{ending.message}; the revision that {draft.primary_place} ran before is not known"
        return draft.hold(ending.reason, text, waiting_for="primary", alert=text, severity="error")
    # it was not sent back to anything: no deadline for that runs while users stay on the canary
    unknown = {"primary_revision": "", "primary_step": 0, "primary_not_ready_since": None}
    failed = draft.set(returning=ending).enter(Phase.FAILED, **unknown)
    return freezing.begun(failed).go_on("primary")


def invalid(draft: Draft) -> Draft:
    """Traffic stays unless it goes to nobody, or to what nobody analysed.

    A rollout in the middle is held for one progress deadline, then ends.
    """
    status = draft.status
    text = "; ".join(draft.seen.problems)
    noted = draft if status.invalid_since else draft.set(invalid_since=draft.seen.now)
    if status.canary_weight and (gone := gate.target_gone(draft.canary, draft.seen)):
        return target_gone(noted, gone)
    if (left := _leave_unanalysed(noted, text)) is not None:
        return left
    running = status.phase not in IDLE and status.phase not in (Phase.NEW, Phase.INITIALIZING, Phase.WAITING)
    overdue = draft.seen.since(status.invalid_since) > draft.canary.spec.deadline
    if running and overdue and not status.returning:
        message = f"Rolling back {draft.place} still invalid after the progress deadline: {text}"
        if status.phase in (Phase.PROMOTING, Phase.FINALISING):
            back = go_back(noted, Phase.FAILED, Reason.INVALID, message)
            if back.holds_now:
                return back
            return back.tell(Reason.INVALID, message, warn=True, alert=message, severity="error")
        return roll_back(noted, Reason.INVALID, message, alert=message)
    return noted.hold(
        Reason.INVALID, text, waiting_for="target", alert=f"Canary {draft.place} is invalid: {text}", severity="error"
    )


def _leave_unanalysed(draft: Draft, problems: str) -> Draft | None:
    """The analysis is held, but what users meet has moved on: they leave at once (of a valid one it starts again)."""
    status, revision = draft.status, draft.seen.target_revision
    met = status.phase in ANALYSED and status.canary_weight > 0 and status.route_step > 0
    if not met or revision in ("", status.canary_revision):
        return None
    if revision == status.promoted_revision:
        return revert(draft)
    message = f"Rolling back {draft.place}: {draft.target_place} runs a revision that cannot be analysed: {problems}"
    return roll_back(draft, Reason.INVALID, message, alert=message)
