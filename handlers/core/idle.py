"""No rollout runs: settle what the last one left, repair, notice a new revision, wait for the gate before it."""

from __future__ import annotations

from handlers.core import endings, freezing, handover, lagging
from handlers.core.adoption import take_stock
from handlers.core.approvals import hold_closed, hold_paused, is_approved, pass_open
from handlers.core.beginnings import from_zero, initialise, name_changes, only_refused
from handlers.core.draft import Draft
from handlers.core.gate import gateway, primary_not_ready, primary_readiness, target_gone
from handlers.core.observation import Answers
from handlers.core.signals import ALERT, signalled, text_of
from handlers.core.texts import held_by, paused_by
from schemas.canary import HookType, Webhook
from schemas.gloo import fence_of
from schemas.status import Phase, Reason, Returning, Severity
from schemas.workload import PRIMARY_STEP, SCALER_STEP, TARGET_STEP, Workload


def idle(draft: Draft) -> Draft:
    """Level-triggered: the target's revision is compared whatever woke us."""
    draft = settle(draft)
    status, revision = draft.status, draft.seen.target_revision
    if not revision:
        return draft
    if status.canary_weight:
        return _left_on_canary(draft)
    if status.route_step and not status.promoted_revision:
        if draft.seen.primary is None:
            # all traffic is sent to it: there is nothing to take stock of, and nobody is served
            return only_refused(draft) or _primary_again(draft)
        return take_stock(draft).because(Reason.ADOPTED, f"{draft.primary_place} is taken over as it is")
    if revision == status.promoted_revision:
        # back to the promoted revision: the refused one is new again when it comes back
        return _at_rest(draft.set(last_applied_spec=status.last_promoted_spec, canary_revision=revision))
    if revision == status.applied_revision:
        return _at_rest(draft)
    if status.paused:
        if draft.holds_now:
            # what keeps users from being served says more than that somebody paused; in turns both would alert for ever
            return draft
        text = f"New revision of {draft.target_place} waits: {paused_by(status)}"
        return draft.hold(Reason.PAUSED, text, waiting_for="gate")
    return accept(draft)


def is_new(draft: Draft) -> bool:
    """Whether the target has a revision that was neither promoted nor refused."""
    status, revision = draft.status, draft.seen.target_revision
    return revision not in ("", status.promoted_revision, status.applied_revision)


def accept(draft: Draft, *, again: bool = False) -> Draft:
    """Take on the target's revision: ask the gate before it if there is one. ``again``: it was refused before."""
    if not _gate(draft):
        return start(draft, again=again)
    before = Returning(phase=draft.status.phase, reason=Reason.REVERTED)
    revision = draft.seen.target_revision
    asking = name_changes(draft).enter(
        Phase.WAITING,
        canary_revision=revision,
        revision_since=draft.seen.now,
        returning=before,
        waiting_for="gate",
        approved=None,
    )
    return asking.because(Reason.GATE_CLOSED, "New revision detected, asking for approval.")


def _at_rest(draft: Draft) -> Draft:
    """Nothing new: whatever a pause or a suspension held is held no more. What users are served by is looked after."""
    if not draft.status.settled:
        return draft
    found = gateway(draft.canary, draft.seen)
    if found.refused:
        return _refused(draft, found.words)
    if draft.seen.lost:
        text = "; ".join(f"{lost} is gone, what was copied from it stays; create it again" for lost in draft.seen.lost)
        return draft.hold(Reason.SOURCE_MISSING, text, waiting_for="source", alert=text, severity="warn")
    if given_back := handover.hand_back(draft):
        return given_back
    if found.applied and draft.held_for == Reason.GATEWAY_BEHIND.value:
        draft = draft.tell(Reason.MENDED, f"{_route(draft)} is accepted by the gateway again")
    return draft.go_on()


def _refused(draft: Draft, words: str, *, severity: Severity | None = "error") -> Draft:
    text = f"{_route(draft)}: {words}"
    return draft.hold(Reason.GATEWAY_BEHIND, text, waiting_for="gateway", alert=text, severity=severity)


def _route(draft: Draft) -> str:
    return f"RouteTable {draft.canary.service}.{draft.canary.metadata.namespace}"


def _left_on_canary(draft: Draft) -> Draft:
    """The peer's end of a failed promotion: users stay on the canary until the primary can take them."""
    if gone := target_gone(draft.canary, draft.seen):
        return endings.target_gone(draft, gone)
    if draft.seen.primary is None and not draft.status.promoted_revision:
        return only_refused(draft) or _primary_again(draft)
    found = primary_readiness(draft.canary, draft.seen)
    if found.ready or handover.goes_on(draft):
        draft, grows = handover.make_room(draft, served=handover.carries(draft))
        if grows:
            return draft
        text = f"{draft.primary_place} is ready, routing all traffic to primary"
        known = draft if draft.status.promoted_revision else take_stock(draft)
        return endings.return_to_primary(known, draft.status.phase).tell(Reason.ROUTED_TO_PRIMARY, text)
    text = f"{primary_not_ready(draft.canary, found)}; users stay on the canary{freezing.meanwhile(draft)}"
    if not draft.status.promoted_revision:
        kind = draft.canary.spec.target_ref.kind.lower()
        text += f"; to give it the revision before: kubectl rollout undo {kind}/{draft.canary.primary}"
    return draft.hold(Reason.NOT_READY, text, waiting_for="primary", alert=text, severity="error")


def _primary_again(draft: Draft) -> Draft:
    """Nobody knows what it ran. Users stay where they are until the new one can serve them."""
    text = f"{draft.primary_place} is missing and is made again from {draft.target_place}"
    return initialise(draft).tell(Reason.INITIALIZING, text, warn=True, alert=text, severity="error")


def settle(draft: Draft) -> Draft:
    """Over only when the projection of the committed status has been seen once; afterwards a difference is drift."""
    status, seen = draft.status, draft.seen
    if not status.route_step:
        return draft
    if status.primary_not_ready_since is not None and (late := _primary_not_back(draft)):
        return late
    intact = _intact(draft)
    if status.settled:
        return draft if intact else _repair(draft)
    if not intact and (lost := endings.primary_lost(draft)):
        return lost
    found = gateway(draft.canary, seen)
    if found.refused:
        return _refused(draft, found.words, severity=None)
    if not found.applied:
        return lagging.behind(draft, found, patience=seen.rules.gateway_settle)
    if seen.apex_behind:
        # whoever comes by the Service drains from when that was seen to lead to the primary
        return draft.set(verdict_since=seen.now)
    if is_projected(draft) and not status.former and not status.former_scalers:
        rest = draft.set(settled=True, returning=None, primary_not_ready_since=None).go_on()
        # ports that its pods have no more were left to users who might come back to them
        return rest.set(surroundings_owed=draft.step) if draft.canary.spec.service.port_discovery else rest
    return _never_as_written(draft)


def _never_as_written(draft: Draft) -> Draft:
    """Our last write was seen, and what it wrote was not: whoever changes it does so again with each write."""
    own, status = draft.seen.primary_workload, draft.status
    if own is None or draft.seen.primary_current or not own.fence(PRIMARY_STEP) == status.primary_step > 0:
        return draft
    text = (
        f"{draft.primary_place} is changed by somebody else as often as it is written: look into its "
        "metadata.managedFields and for admission webhooks, and leave it out there"
    )
    return draft.hold(Reason.DRIFT, text, waiting_for="primary", quiet=True)


def _repair(draft: Draft) -> Draft:
    undone = draft.set(settled=False, verdict_since=None, behind_since=draft.seen.now)
    if draft.status.observed_generation != draft.canary.metadata.generation:
        # other objects are asked for now: nobody has touched them
        return undone.because(Reason.SPEC_EDITED, f"The spec of {draft.place} was edited, its objects follow")
    text = f"Objects of {draft.place} were changed by somebody else, repairing"
    return undone.tell(Reason.DRIFT, text, warn=True)


def is_projected(draft: Draft) -> bool:
    """Everything that the status asks for has been seen, and the gateway follows."""
    return _intact(draft) and gateway(draft.canary, draft.seen).applied and _target_seen(draft)


def _primary_not_back(draft: Draft) -> Draft | None:
    """The primary was sent back to another revision while nothing else ran: it is over when it serves that."""
    found = primary_readiness(draft.canary, draft.seen)
    if found.ready:
        return None
    text = primary_not_ready(draft.canary, found)
    late = draft.seen.since(draft.status.primary_not_ready_since) > draft.canary.spec.deadline
    if found.stuck or late:
        return draft.hold(Reason.DEADLINE_EXCEEDED, text, waiting_for="primary", alert=text, severity="error")
    return draft.hold(Reason.NOT_READY, text, waiting_for="primary")


def _intact(draft: Draft) -> bool:
    primary, seen = draft.seen.primary_workload, draft.seen
    return (
        seen.route_current
        and seen.route_fence == draft.status.route_step
        and primary is not None
        # a primary that is not known to be any good is nobody's rendering
        and (not draft.status.primary_step or _is_rendered(draft, primary))
        and _scaler_follows(draft)
    )


def _scaler_follows(draft: Draft) -> bool:
    """While the target's own is gone the primary's stays as it is."""
    own = draft.seen.primary_scaler
    return own is None or draft.seen.scaler is None or fence_of(own, SCALER_STEP) == draft.status.scaler_step


def _is_rendered(draft: Draft, primary: Workload) -> bool:
    return draft.seen.primary_current and primary.fence(PRIMARY_STEP) == draft.status.primary_step


def _target_seen(draft: Draft) -> bool:
    target = draft.seen.target_workload
    return target is None or target.fence(TARGET_STEP) == draft.status.target_step


def start(draft: Draft, *, skip: bool = False, again: bool = False) -> Draft:
    """Scale the target up and analyse its revision. ``skip`` goes to production without analysis."""
    what = "Restarting analysis" if again else "New revision detected"
    return from_zero(draft, skip=skip).tell(
        Reason.RESTARTED if again else Reason.NEW_REVISION,
        f"{what}! Scaling up {draft.target_place}",
        alert=f"{what}, progressing canary analysis.",
        severity="info",
        facts=True,
    )


def waiting(draft: Draft) -> Draft:
    """The confirm-rollout gate is closed, or has not been asked yet. Traffic and replicas are untouched."""
    status, seen = draft.status, draft.seen
    if (told := signalled(draft)) is not None:
        return endings.refuse(told, Reason.ROLLBACK_REQUESTED, text_of(draft), alert=ALERT)
    if seen.target_revision in ("", status.promoted_revision):
        before = status.returning.phase if status.returning else Phase.SUCCEEDED
        back = draft.enter(before, canary_revision=status.promoted_revision, returning=None)
        text = f"{draft.target_place} is back on the promoted revision, nothing waits any more"
        return back.set(last_applied_spec=status.last_promoted_spec).go_on().tell(Reason.REVERTED, text)
    if seen.target_revision != status.canary_revision:
        return _newer(draft)
    if draft.seen.primary is None and (lost := endings.primary_lost(draft)):
        return lost
    kind = HookType.CONFIRM_ROLLOUT
    if status.paused:
        return hold_paused(draft)
    if is_approved(status, kind) or not _gate(draft):
        # by a person, or the gate was taken away while it was closed
        return start(pass_open(draft, kind, Answers()))
    if seen.answers is None or not seen.answers.of(kind):
        return draft.set(waiting_for="gate")
    if closed := seen.answers.failed(kind):
        return hold_closed(draft, kind, closed)
    return start(pass_open(draft, kind, seen.answers))


def _newer(draft: Draft) -> Draft:
    """Approvals were for another revision: people are asked again, and the gate at the next slot."""
    revision, now = draft.seen.target_revision, draft.seen.now
    moved = name_changes(draft).set(canary_revision=revision, revision_since=now, approved=None, waiting_for="gate")
    alert = any(not hook.mute_alert for hook in _gate(draft))
    return moved.tell(
        Reason.NEW_REVISION,
        f"New revision of {draft.target_place} is waiting for approval{held_by(draft.status)}",
        alert="Canary is waiting for approval.",
        severity="warn" if alert else None,
    )


def _gate(draft: Draft) -> tuple[Webhook, ...]:
    return draft.canary.spec.analysis.hooks(HookType.CONFIRM_ROLLOUT)
