"""A slot whose checks neither pass nor fail: the weight is held, and whose turn it is to end that is said."""

from __future__ import annotations

from handlers.core import endings
from handlers.core.draft import Draft
from schemas.status import CheckResult, Phase, Reason


def undecided(draft: Draft, halting: CheckResult) -> Draft:
    """Neither passed nor failed: held. Who cannot be reached holds without limit; what has no data, see below."""
    if lost := next((check for check in draft.checks if check.unreachable), None):
        # who was only without data so far has alerted nobody
        alarmed = draft.status.waiting_for == "data" and draft.status.no_data_since is None
        held, text = draft.set(no_data_since=None), lost.message
        return held.hold(Reason.NO_DATA, text, waiting_for="data", alert=text, severity="warn", alarmed=alarmed)
    if any(check.verdict == "insufficient" and not check.clears_in for check in draft.checks):
        return _without_data(draft, halting)
    if halting.verdict == "fail":
        # not often enough in a row to count
        return draft.set(no_data_since=None).hold(Reason.CHECK_FAILED, halting.message)
    return draft.set(no_data_since=None).hold(Reason.SOAKING, halting.message, waiting_for="data", quiet=True)


def _without_data(draft: Draft, halting: CheckResult) -> Draft:
    """Empty answers roll back after one progress deadline, unless people keep the canary where it is."""
    status = draft.status
    if status.paused or status.closed_gate or status.phase is Phase.WAITING_PROMOTION:
        return draft.set(no_data_since=None).hold(Reason.NO_DATA, halting.message, waiting_for="gate")
    since = status.no_data_since or draft.seen.now
    deadline = draft.canary.spec.deadline
    if draft.seen.since(since) > deadline:
        text = f"Rolling back {draft.place} no data for {deadline}s: {halting.message}"
        return endings.roll_back(draft, Reason.NO_DATA, text, alert=text)
    return draft.set(no_data_since=since).hold(Reason.NO_DATA, halting.message, waiting_for="data")
