"""The two conditions: ``Promoted`` in the peer's words (spec 1.1.6), ``Held`` in ours.

``Promoted`` is what ``kubectl wait --for=condition=promoted`` looks at. It is True while the primary runs what the
target is: after the first initialisation, too, but not any more when there is another revision, whoever keeps that
waiting.

``Held`` is True while something keeps the Canary from going on, with the reason, and what is waited for in words. It is
not called ``Ready``: tools that wait for a condition of that name would take a Canary whose gate waits for a person, or
that is suspended, for one that has failed to start, and undo what was deployed with it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from schemas.status import CanaryStatus, Condition, Phase, Reason

PROMOTED, HELD = "Promoted", "Held"
FREE = "Nothing holds this Canary."
"""Every condition has a message: health checks that are written for the peer's read it without asking."""
_UNKNOWN: dict[Phase, str] = {
    Phase.NEW: "New {kind} detected, starting initialization.",
    Phase.INITIALIZING: "New {kind} detected, starting initialization.",
    Phase.WAITING: "Waiting for approval.",
    Phase.WAITING_PROMOTION: "Waiting for approval.",
    Phase.PROGRESSING: "New revision detected, progressing canary analysis.",
    Phase.PROMOTING: "Canary analysis completed, starting primary rolling update.",
    Phase.FINALISING: "Canary analysis completed, routing all traffic to primary.",
    Phase.TERMINATING: "Canary deleted, restoring the {kind}.",
    Phase.TERMINATED: "Canary deleted, {kind} restored.",
}
_TRUE: dict[Phase, str] = {
    Phase.INITIALIZED: "{kind} initialization completed.",
    Phase.SUCCEEDED: "Canary analysis completed successfully, promotion finished.",
}
_AT_REST = (Phase.INITIALIZED, Phase.SUCCEEDED)


def promoted(before: CanaryStatus, after: CanaryStatus, kind: str, revision: str, *, reverted: bool) -> Condition:
    """After the step from ``before`` to ``after``; ``revision`` is the target's, ``reverted``: by its own will."""
    phase = after.phase
    old = of_type(after, PROMOTED)
    if phase in _AT_REST and after.promoted_revision and revision not in ("", after.promoted_revision):
        text = "New revision detected, its analysis has not begun."
        return Condition(type=PROMOTED, status="Unknown", reason=Reason.NEW_REVISION.value, message=text)
    if old is not None and phase not in (Phase.TERMINATING, Phase.TERMINATED):
        went_on = phase is not before.phase or after.returning != before.returning
        resumed = phase in _AT_REST and old.reason == Reason.NEW_REVISION.value
        failed_before = phase is Phase.FAILED is before.phase
        if not (_users_moved(before, after) if failed_before else went_on or resumed):
            return old
    value, text = _words(before, after, reverted=reverted)
    return Condition(
        type=PROMOTED, status=value, reason=phase.value or Phase.INITIALIZING.value, message=text.format(kind=kind)
    )


def _users_moved(before: CanaryStatus, after: CanaryStatus) -> bool:
    """Whether there is something to say of users within Failed; another controller says nothing of those it leaves."""
    taken_over = not before.route_step
    return after.canary_weight != before.canary_weight or (taken_over and after.canary_weight > 0)


def _words(
    before: CanaryStatus, after: CanaryStatus, *, reverted: bool
) -> tuple[Literal["True", "False", "Unknown"], str]:
    phase = after.phase
    if phase is Phase.FAILED:
        return "False", _failure(before, after)
    if phase is Phase.SUCCEEDED and reverted:
        return "True", "{kind} is back on the promoted revision."
    if phase in _TRUE:
        return "True", _TRUE[phase]
    if phase is Phase.PROMOTING and after.returning:
        failed = after.returning.reason is Reason.PROMOTION_FAILED
        return "Unknown", f"Promotion {'failed' if failed else 'ended'}, returning primary to the promoted revision."
    if phase is Phase.TERMINATED and after.returning and not after.restored:
        return "Unknown", "Canary deleted, {kind} left as it is."
    return "Unknown", _UNKNOWN[phase]


def _failure(before: CanaryStatus, after: CanaryStatus) -> str:
    """The peer says that the analysis failed, whatever did, and that nothing runs, whatever does."""
    ending = after.returning
    if ending is not None and ending.reason is Reason.ROLLED_BACK:
        return "Rolled back on command, primary returned to the revision promoted before."
    failed = "Promotion ended" if ending and ending.reason is not Reason.PROMOTION_FAILED else "Promotion failed"
    if after.canary_weight:
        return failed + ", traffic stays on the {kind}."
    if before.phase is Phase.FAILED:
        return failed + ", {kind} scaled to zero and all traffic back on the primary."
    if before.phase is Phase.WAITING:
        return "New revision refused, {kind} not scaled up."
    if ending is not None:
        return failed + ", {kind} scaled to zero and primary returned to the last promoted revision."
    return "Canary analysis failed, {kind} scaled to zero."


def unveiled(status: CanaryStatus) -> CanaryStatus:
    """``Held`` as it would be if the API server refused nothing: what is decided depends on that."""
    if status.refused is None or status.refused.held is None:
        return status
    return status.model_copy(update={"conditions": _exchanged(status.conditions, status.refused.held)})


def veiled(before: CanaryStatus, status: CanaryStatus, now: datetime) -> CanaryStatus:
    """While something is refused that is what ``Held`` says, whatever else is held or goes on."""
    if status.refused is None:
        return status
    wanted = Condition(type=HELD, status="True", reason=Reason.REFUSED.value, message=status.refused.message)
    shown = next(item for item in with_condition(before.conditions, wanted, now) if item.type == HELD)
    held = status.refused.model_copy(update={"held": of_type(status, HELD)})
    return status.model_copy(update={"conditions": _exchanged(status.conditions, shown), "refused": held})


def _exchanged(conditions: tuple[Condition, ...], wanted: Condition) -> tuple[Condition, ...]:
    return tuple(wanted if item.type == wanted.type else item for item in conditions)


def of_type(status: CanaryStatus, kind: str) -> Condition | None:
    return next((item for item in status.conditions if item.type == kind), None)


def with_condition(before: tuple[Condition, ...], wanted: Condition, now: datetime) -> tuple[Condition, ...]:
    """``lastTransitionTime`` moves with the status; of a ``Held`` that is True with the reason, too."""
    now = now.replace(microsecond=0)
    old = next((item for item in before if item.type == wanted.type), None)
    if old and (old.status, old.reason, old.message) == (wanted.status, wanted.reason, wanted.message):
        return before
    held = (wanted.type, wanted.status) == (HELD, "True")
    same = old is not None and old.status == wanted.status and (old.reason == wanted.reason or not held)
    since = old.last_transition_time if old is not None and same else now
    new = wanted.model_copy(update={"last_update_time": now, "last_transition_time": since})
    if old is None:
        return (*before, new)
    return tuple(new if item.type == wanted.type else item for item in before)
