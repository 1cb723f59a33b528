"""The primary takes over: Promoting (it gets the analysed revision) and Finalising (traffic is back on it)."""

from __future__ import annotations

from handlers.core import endings, freezing, handover, lagging
from handlers.core.beginnings import from_zero
from handlers.core.draft import Draft
from handlers.core.gate import canary_readiness, gateway, primary_not_ready, primary_readiness, target_gone
from handlers.core.plan import is_fresh
from handlers.core.signals import ALERT, signalled, text_of
from schemas.status import Phase, Reason, Severity
from schemas.workload import PRIMARY_STEP, Readiness


def promoting(draft: Draft) -> Draft:
    """Any wake may finish what a slot began: nobody waits for the next tick once the primary is ready."""
    if not draft.status.returning and (asked := _asked_to_roll_back(draft)) is not None:
        # a signal that is given once is not lost with the target
        return _left_on_nothing(asked) or asked
    if (left := _left_on_nothing(draft)) is not None:
        return left
    if draft.status.returning:
        return _going_back(draft)
    if (ended := _reverted(draft)) is not None:
        return ended
    if draft.seen.snapshot_missing:
        return _analyse_again(draft)
    found = primary_readiness(draft.canary, draft.seen)
    if found.ready or handover.goes_on(draft):
        return _shift(draft.set(primary_not_ready_since=None))
    return _primary_late(draft, found)


def _primary_late(draft: Draft, found: Readiness) -> Draft:
    """Users stay where they are; past its deadline the primary goes back to what it ran before."""
    draft = draft.set(primary_not_ready_since=draft.status.primary_not_ready_since or draft.seen.now)
    missing = _nothing_to_copy(draft)
    text = missing or primary_not_ready(draft.canary, found)
    late = draft.seen.since(draft.status.primary_not_ready_since) > draft.canary.spec.deadline
    if not (found.stuck or late):
        if missing:
            return _hold_for_target(draft, missing)
        return draft.hold(Reason.NOT_READY, text + _what_waits(draft), waiting_for="primary")
    if draft.status.canary_weight and not _served(draft):
        return draft.hold(
            Reason.DEADLINE_EXCEEDED,
            f"neither side is ready: {text}",
            waiting_for="primary",
            alert=text,
            severity="error",
        )
    message = f"Promotion of {draft.target_place} failed, primary not ready: {text}"
    failed = endings.go_back(draft, Phase.FAILED, Reason.PROMOTION_FAILED, message)
    if failed.holds_now:
        return failed
    alert = f"Promotion failed, primary not ready: {text}"
    return failed.tell(Reason.PROMOTION_FAILED, message, warn=True, alert=alert, severity="error")


def _nothing_to_copy(draft: Draft) -> str:
    """The primary is written after its target: until that is there again it stays as it is."""
    own, status = draft.seen.primary_workload, draft.status
    if draft.seen.target is not None or (own is not None and own.fence(PRIMARY_STEP) == status.primary_step):
        return ""
    gone = target_gone(draft.canary, draft.seen)
    return f"{gone}: nothing can be copied to {draft.primary_place} until it is there again"


def _hold_for_target(draft: Draft, missing: str) -> Draft:
    """Whoever was alerted when its users were sent to the primary knows that it is gone."""
    left, begun = draft.status.traffic_until, draft.status.last_transition_time
    known = left is not None and begun is not None and left >= begun
    severity: Severity | None = None if known else "error"
    return draft.hold(Reason.TARGET_MISSING, missing, waiting_for="target", alert=missing, severity=severity)


def _served(draft: Draft) -> bool:
    """Of a target whose pods were kept its controller may count none any more: another template waits there."""
    target = draft.seen.target_workload
    kept = target is not None and target.frozen is not None and handover.carries(draft)
    return kept or canary_readiness(draft.canary, draft.seen).ready


def _what_waits(draft: Draft) -> str:
    """Whoever has pushed a fix is told why its pods do not come."""
    pushed = draft.seen.target_revision not in ("", draft.status.canary_revision)
    return freezing.meanwhile(draft) if pushed else ""


def _left_on_nothing(draft: Draft) -> Draft | None:
    if not draft.status.canary_weight or primary_readiness(draft.canary, draft.seen).ready:
        return None
    found = target_gone(draft.canary, draft.seen)
    return endings.target_gone(draft, found) if found else None


def _reverted(draft: Draft) -> Draft | None:
    seen, status = draft.seen, draft.status
    if not seen.target or not seen.target_revision == status.promoted_revision != status.canary_revision:
        return None
    text = f"{draft.target_place} is back on the promoted revision, returning {draft.primary_place} to it"
    back = endings.go_back(draft, Phase.SUCCEEDED, Reason.REVERTED, text)
    return back if back.holds_now else back.tell(Reason.REVERTED, text)


def _asked_to_roll_back(draft: Draft) -> Draft | None:
    """By a rollback hook: as ``abort``, the primary returns first."""
    told = signalled(draft)
    if told is None:
        return None
    back = endings.go_back(told, Phase.FAILED, Reason.ROLLBACK_REQUESTED, text_of(draft))
    if back.holds_now:
        # the hook goes on asking: only the hold is told
        return endings.go_back(draft, Phase.FAILED, Reason.ROLLBACK_REQUESTED, text_of(draft))
    return back.tell(Reason.ROLLBACK_REQUESTED, text_of(draft), warn=True, alert=ALERT, severity="warn")


def _analyse_again(draft: Draft) -> Draft:
    """What was analysed is lost and must not be guessed: the target as it is now is analysed instead."""
    text = (
        f"the snapshot of revision {draft.status.primary_revision} is missing and {draft.target_place} has moved on! "
        f"Restarting analysis for {draft.target_place}"
    )
    known = draft.status.promoted_revision
    # of a promotion that somebody else began nobody knows what ran before: the primary stays as it is
    kept = draft.run_on_primary(known) if known else draft.set(primary_revision="", primary_step=0)
    return from_zero(kept).tell(Reason.SNAPSHOT_MISSING, text, warn=True, alert=text, severity="warn")


def _shift(draft: Draft) -> Draft:
    """Traffic to the primary: all at once, or by ``stepWeightPromotion`` a slot while the canary can carry the rest."""
    status, size = draft.status, draft.canary.spec.analysis.step_weight_promotion
    carried = draft.seen.target_revision == status.canary_revision and canary_readiness(draft.canary, draft.seen).ready
    draft, grows = handover.make_room(draft, served=carried)
    if grows:
        return draft
    if not carried or size <= 0 or status.canary_weight == 0:
        text = "Routing all traffic to primary"
        return _finalise(draft.weigh(0)).tell(Reason.ROUTED_TO_PRIMARY, text)
    behind = gateway(draft.canary, draft.seen)
    if not behind.applied:
        return lagging.behind(draft, behind)
    if not is_fresh(draft.canary, draft.seen):
        return draft.go_on()
    weight = max(0, status.canary_weight - size)
    moved = draft.weigh(weight)
    told = _finalise(moved) if weight == 0 else moved.go_on("gateway")
    return told.tell(Reason.STEP_TAKEN, f"Advance {draft.place} primary weight {100 - weight}")


def _finalise(draft: Draft) -> Draft:
    return draft.enter(Phase.FINALISING, not_ready_since=None, primary_not_ready_since=None, hand_over=None).go_on(
        "gateway"
    )


def _going_back(draft: Draft) -> Draft:
    """Traffic leaves the canary only for a primary seen ready on the promoted revision."""
    ending = draft.status.returning
    assert ending is not None  # noqa: S101 - asked for by the caller
    if draft.seen.snapshot_missing:
        text = (
            f"the snapshot of revision {draft.status.primary_revision} is missing, {draft.primary_place} cannot return"
        )
        return draft.hold(Reason.SNAPSHOT_MISSING, text, waiting_for="primary", alert=text, severity="error")
    found = primary_readiness(draft.canary, draft.seen)
    if not (found.ready or handover.goes_on(draft)):
        why = _nothing_to_copy(draft) or primary_not_ready(draft.canary, found) + freezing.meanwhile(draft)
        text = f"{ending.message}; returning: {why}"
        # its pods were missing before it was sent back: only the time since then counts
        if draft.seen.since(draft.status.primary_not_ready_since) > draft.canary.spec.deadline:
            # users stay where they are; somebody has to look
            return draft.hold(Reason.DEADLINE_EXCEEDED, text, waiting_for="primary", alert=text, severity="error")
        return draft.hold(Reason.NOT_READY, text, waiting_for="primary", quiet=True)
    draft, grows = handover.make_room(draft, served=handover.carries(draft))
    if grows:
        return draft
    if ending.phase is Phase.SUCCEEDED:
        return endings.revert(draft)
    ended = endings.return_to_primary(draft, ending.phase)
    closing = ended.tell(Reason.ROLLED_BACK, f"Canary failed! Scaling down {draft.place}", warn=True)
    return closing.because(ending.reason, ending.message)


def finalising(draft: Draft) -> Draft:
    """All traffic is sent to the primary; over as soon as the gateway says so.

    No hook is asked any more, but a signal that was heard while the last step was made still counts.
    """
    if not draft.status.returning and (asked := _asked_to_roll_back(draft)) is not None:
        return asked
    found = gateway(draft.canary, draft.seen)
    return endings.succeed(draft) if found.applied else lagging.behind(draft, found)
