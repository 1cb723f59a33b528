"""No rollout runs: settle what the last one left, repair, notice a new revision, wait for the gate before it."""

from __future__ import annotations

from handlers.core.draft import Draft
from handlers.core.gate import gateway
from schemas.canary import HookType
from schemas.status import Approved, Phase, Reason, Returning
from schemas.workload import PRIMARY_STEP, TARGET_STEP


def idle(draft: Draft) -> Draft:
    """Level-triggered: the target's revision is compared whatever woke us."""
    draft = settle(draft)
    status, revision = draft.status, draft.seen.target_revision
    if not revision:
        return draft
    if revision == status.promoted_revision:
        # back to the promoted revision: the refused one is new again when it comes back
        return (
            draft
            if status.last_applied_spec == revision
            else draft.set(last_applied_spec=revision, canary_revision=revision)
        )
    if revision == status.last_applied_spec:
        return draft
    if status.paused:
        by = status.paused.by or "somebody"
        return draft.hold(Reason.NEW_REVISION, f"New revision of {draft.target_place} waits: paused by {by}")
    if draft.canary.spec.analysis.hooks(HookType.CONFIRM_ROLLOUT):
        before = Returning(phase=status.phase, reason=Reason.REVERTED)
        waiting_ = draft.enter(
            Phase.WAITING, canary_revision=revision, returning=before, waiting_for="gate", approved=None
        )
        return waiting_.because(Reason.GATE_CLOSED, "New revision detected, asking for approval.")
    return start(draft)


def settle(draft: Draft) -> Draft:
    """Over only when the projection of the committed status has been seen once; afterwards a difference is drift."""
    status, seen = draft.status, draft.seen
    if not status.route_step:
        return draft
    intact = _intact(draft)
    if status.settled and not intact:
        return draft.set(settled=False, verdict_since=None).tell(
            Reason.DRIFT, f"Objects of {draft.place} were changed by somebody else, repairing", warn=True
        )
    if not status.settled:
        found = gateway(draft.canary, seen)
        if found.refused:
            route = f"RouteTable {draft.canary.service}.{draft.canary.metadata.namespace}"
            return draft.hold(Reason.GATEWAY_BEHIND, f"{route}: {found.words}", waiting_for="gateway")
        if intact and found.applied and _target_seen(draft):
            return draft.set(settled=True, waiting_for="", returning=None).go_on()
        if not found.applied:
            return draft.set(waiting_for="gateway")
    return draft


def _intact(draft: Draft) -> bool:
    primary, seen = draft.seen.primary_workload, draft.seen
    return (
        seen.route_current
        and seen.route_fence == draft.status.route_step
        and primary is not None
        and primary.fence(PRIMARY_STEP) == draft.status.primary_step
        and seen.primary_current
    )


def _target_seen(draft: Draft) -> bool:
    target = draft.seen.target_workload
    return target is None or target.fence(TARGET_STEP) == draft.status.target_step


def start(draft: Draft, *, skip: bool = False) -> Draft:
    """Accept the target's revision: scale it up and analyse it. ``skip`` goes to production without analysis."""
    seen = draft.seen
    begun = draft.enter(
        Phase.PROGRESSING,
        canary_revision=seen.target_revision,
        last_applied_spec=seen.target_revision,
        failed_checks=0,
        iterations=0,
        in_a_row={},
        pre_rollout_passed=False,
        revision_since=seen.now,
        not_ready_since=seen.now,
        no_data_since=None,
        strategy=draft.canary.spec.analysis.strategy.value,
        skip_to="promotion" if skip else "",
        returning=None,
        approved=None,
    )
    return (
        begun.weigh(0)
        .rescale_target()
        .go_on()
        .tell(
            Reason.NEW_REVISION,
            f"New revision detected! Scaling up {draft.target_place}",
            alert="New revision detected, progressing canary analysis.",
            severity="info",
            facts=True,
        )
    )


def waiting(draft: Draft) -> Draft:
    """The confirm-rollout gate is closed, or has not been asked yet. Traffic and replicas are untouched."""
    status, seen = draft.status, draft.seen
    if seen.target_revision in ("", status.promoted_revision):
        before = status.returning.phase if status.returning else Phase.SUCCEEDED
        back = draft.enter(before, canary_revision=status.promoted_revision, returning=None)
        text = f"{draft.target_place} is back on the promoted revision, nothing waits any more"
        return back.set(last_applied_spec=status.promoted_revision).go_on().tell(Reason.REVERTED, text)
    if seen.target_revision != status.canary_revision:
        draft = draft.set(canary_revision=seen.target_revision, approved=None)
        if not (seen.answers and seen.answers.of(HookType.CONFIRM_ROLLOUT)):
            return draft.tell(Reason.NEW_REVISION, f"New revision of {draft.target_place} is waiting for approval")
    if status.approved == Approved(gate=HookType.CONFIRM_ROLLOUT.value, revision=seen.target_revision):
        return start(draft)
    if seen.answers is None or not seen.answers.asked:
        return draft
    closed = seen.answers.failed(HookType.CONFIRM_ROLLOUT)
    if closed is None:
        opened = draft
        for answer in seen.answers.of(HookType.CONFIRM_ROLLOUT):
            opened = opened.tell(Reason.HOOK_PASSED, f"Confirm-rollout check {answer.name} passed")
        return start(opened)
    muted = any(hook.name == closed.name and hook.mute_alert for hook in draft.canary.spec.analysis.webhooks)
    return draft.hold(
        Reason.GATE_CLOSED,
        f"Halt {draft.place} advancement waiting for approval {closed.name}",
        waiting_for="gate",
        alert="Canary is waiting for approval.",
        severity=None if muted else "warn",
    )
