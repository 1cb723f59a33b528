"""How a rollout ends: return to primary is one transition, whoever asks for it (design: transitions).

The commit names the end; the projection follows in its own time: routes to 100/0, seen in force, drained, then scaled.
"""

from __future__ import annotations

from handlers.core import handover
from handlers.core.draft import Draft
from schemas.status import IDLE, Phase, Reason, Returning, Severity


def return_to_primary(draft: Draft, phase: Phase) -> Draft:
    """All traffic to the primary and the target parked; ``phase`` says how it ended."""
    before = draft.status.canary_weight
    clocks = {"no_data_since": None, "not_ready_since": None, "primary_not_ready_since": None}
    ended = handover.raise_floor(draft).take_traffic().enter(phase, skip_to="", approved=None, **clocks)
    return ended.rescale_target().go_on("gateway" if before else "")


def roll_back(
    draft: Draft, reason: Reason, message: str, *, alert: str, severity: Severity = "error", facts: bool = False
) -> Draft:
    """Failed: this revision does not start again by itself."""
    told = draft.tell(reason, message, warn=True, alert=alert, severity=severity, facts=facts)
    ended = return_to_primary(told, Phase.FAILED)
    closing = ended.tell(Reason.ROLLED_BACK, f"Canary failed! Scaling down {draft.place}", warn=True)
    return closing.because(reason, message)


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


def succeed(draft: Draft, *, skipped: bool) -> Draft:
    """Promoted: the primary runs what was analysed and has all traffic."""
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
    """While promoting: the primary goes back to the promoted revision first; traffic follows when it is seen ready."""
    ending = Returning(phase=phase, reason=reason, message=message)
    if not draft.status.promoted_revision:
        return _stay(draft, ending)
    back = draft.enter(Phase.PROMOTING).run_on_primary(draft.status.promoted_revision).set(returning=ending)
    return back.go_on("primary")


def _stay(draft: Draft, ending: Returning) -> Draft:
    """Taken over while promoting, so that nobody knows what the primary ran before: users stay where they are."""
    if not draft.status.canary_weight:
        text = f"{ending.message}; the revision that {draft.primary_place} ran before is not known"
        return draft.hold(ending.reason, text, waiting_for="primary", alert=text, severity="error")
    failed = draft.set(returning=ending).enter(Phase.FAILED, primary_revision="", primary_step=0)
    return failed.go_on("primary")


def invalid(draft: Draft) -> Draft:
    """Traffic stays unless it goes to nobody; a rollout in the middle is held for one progress deadline, then ends."""
    status = draft.status
    text = "; ".join(draft.seen.problems)
    noted = draft if status.invalid_since else draft.set(invalid_since=draft.seen.now)
    if draft.seen.target is None and status.canary_weight and status.phase in IDLE:
        # left there by a promotion that failed; wherever else they are sent is better
        gone = f"{draft.canary.spec.target_ref.kind} {draft.target_place} is gone, routing all traffic to primary"
        return return_to_primary(noted, status.phase).tell(Reason.TARGET_MISSING, gone, warn=True)
    running = status.phase not in IDLE and status.phase not in (Phase.NEW, Phase.INITIALIZING, Phase.WAITING)
    overdue = draft.seen.since(status.invalid_since) > draft.canary.spec.progress_deadline_seconds
    if running and overdue and not status.returning:
        if status.phase in (Phase.PROMOTING, Phase.FINALISING):
            return go_back(noted, Phase.FAILED, Reason.INVALID, text).tell(Reason.INVALID, text, warn=True)
        message = f"Rolling back {draft.place} still invalid after the progress deadline: {text}"
        return roll_back(noted, Reason.INVALID, message, alert=message)
    return noted.hold(
        Reason.INVALID, text, waiting_for="target", alert=f"Canary {draft.place} is invalid: {text}", severity="error"
    )
