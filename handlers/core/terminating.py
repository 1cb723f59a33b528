"""Deletion with ``revertOnDeletion``: one more rollout, back to the target (spec lifecycle 2.9).

The target gets the primary's size, then, when it is ready, all traffic; when the routes are in force and drained, the
Canary lets go. It always ends: past one ``progressDeadlineSeconds`` it goes, and takes nothing away that may serve.
"""

from __future__ import annotations

from collections.abc import Iterable

from handlers.core import pauses
from handlers.core.belongings import keeper_name, leads_here, left_behind
from handlers.core.draft import Draft
from handlers.core.gate import canary_readiness, gateway
from handlers.core.texts import left_at_zero
from schemas.gloo import Verdict
from schemas.names import Names
from schemas.resources import CONTROLLER_REVISION
from schemas.status import Phase, Reason, Returning, WaitingFor
from schemas.workload import TARGET_STEP


def terminating(draft: Draft) -> Draft:
    """Any wake of a Canary that is being deleted decides nothing else; one that does not wait for us is left alone."""
    if not draft.canary.finalising:
        return draft
    match draft.status.phase:
        case Phase.TERMINATED:
            return draft
        case Phase.TERMINATING if draft.status.target_step:
            return _go_on(draft)
        case _:
            # the peer's Terminating included: what it has done is not known
            return _begin(draft)


def _left_at_zero(draft: Draft) -> str:
    target, primary = draft.seen.target_workload, draft.seen.primary_workload
    if target is None or target.replicas or not target.fence(TARGET_STEP):
        return ""
    ref, source = draft.canary.spec.autoscaler_ref, draft.seen.scaler
    paused = ref.name if ref and source and pauses.paused_by_us(source) else ""
    return left_at_zero(draft.canary.ref, target, primary.replicas if primary else 1, paused)


def _begin(draft: Draft) -> Draft:
    told = draft.tell(Reason.TERMINATING, f"Terminating canary {draft.place}")
    if nothing := _nothing_to_do(draft):
        return _over(told, *nothing)
    begun = told.enter(
        Phase.TERMINATING,
        returning=None,
        skip_to="",
        approved=None,
        no_data_since=None,
        not_ready_since=None,
        gateway_silent=draft.status.gateway_silent or _never_heard(draft),
    )
    begun = (
        _as_users_come(begun)
        .set(last_transition_time=draft.seen.now.replace(microsecond=0))
        .rescale_target()
        .go_on("target")
    )
    if draft.status.promoted_revision not in ("", draft.seen.target_revision):
        kind = draft.canary.spec.target_ref.kind
        text = (
            f"{kind} {draft.target_place} runs a revision that was not promoted; users get it when its pods are ready"
        )
        begun = begun.tell(Reason.NOT_PROMOTED, text, warn=True)
    return begun.because(Reason.TERMINATING, f"Terminating canary {draft.place}")


def _as_users_come(draft: Draft) -> Draft:
    """In the middle of a rename they still come by the former names; those of the same target lead to it as well."""
    status = draft.status
    if draft.canary.status.phase is not Phase.INITIALIZING or not status.former or status.names is None:
        return draft
    former = status.former[-1]
    if former.service == status.names.service:
        former = _way_in(draft, (status.names, *reversed(status.former))) or former
    if former == status.names or not former.same_target(status.names):
        return draft
    return draft.set(names=former, former=(status.names,))


def _way_in(draft: Draft, known: Iterable[Names]) -> Names | None:
    """Of names of one RouteTable those that its routes were written for: between two edits none may have been."""
    canary, route = draft.canary, draft.seen.route
    if route is None:
        return None
    same = (names for names in known if names.service == canary.service)
    return next((names for names in same if leads_here(canary.under(names), route)), None)


def _nothing_to_do(draft: Draft) -> tuple[Reason, str] | None:
    """Why the target is not returned to; with nothing to say when nothing was ever made."""
    seen, kind = draft.seen, draft.canary.spec.target_ref.kind
    if draft.status.phase is Phase.NEW:
        return Reason.DELETED, ""
    if elder := seen.older_twin or seen.older_namesake:
        return Reason.INVALID, f"nothing is reverted: its target or Services belong to the older Canary {elder}"
    if not draft.canary.spec.revert_on_deletion:
        return Reason.DELETED, _left_at_zero(draft)
    if seen.target is None or seen.target["metadata"].get("deletionTimestamp"):
        text = f"{kind} {draft.target_place} is gone: nothing to revert to, {draft.primary_place} goes with the Canary"
        return Reason.TARGET_MISSING, text
    return None


def _never_heard(draft: Draft) -> bool:
    """The routes have no report that we have cleared, or never had one: this gateway writes none."""
    seen, status = draft.seen, draft.status
    if seen.report is None or seen.report.verdict is not Verdict.SILENT:
        return False
    first = status.phase is Phase.INITIALIZING and seen.since(status.weight_since) >= seen.rules.gateway_settle
    return first or not seen.route_fence


def _go_on(draft: Draft) -> Draft:
    if nothing := _nothing_to_do(draft):
        return _over(draft, *nothing)
    if not draft.status.returned:
        return _send_back(draft)
    return _let_go(draft)


def _send_back(draft: Draft) -> Draft:
    """Users move once the target can take them."""
    found = canary_readiness(draft.canary, draft.seen)
    if not found.ready:
        return _wait(draft, Reason.NOT_READY, f"canary not ready during finalizing: {found.message}", "target")
    moved = draft.set(
        canary_weight=100,
        route_step=draft.step,
        weight_since=draft.seen.now,
        verdict_since=None,
        behind_since=draft.seen.now,
    )
    text = f"Routing all traffic to {draft.canary.spec.target_ref.kind} {draft.target_place}"
    return moved.go_on("gateway").tell(Reason.ROUTED_TO_TARGET, text)


def _let_go(draft: Draft) -> Draft:
    """Routes in force and drained. Routes that never led here (a user's own, not taken over yet) need no change."""
    canary, seen, status = draft.canary, draft.seen, draft.status
    since = status.weight_since
    if seen.route is None or leads_here(canary, seen.route):
        found, since = gateway(canary, seen), status.verdict_since
        if not found.applied:
            text = f"RouteTable {canary.service}.{canary.metadata.namespace}: {found.words}"
            return _wait(draft, Reason.GATEWAY_BEHIND, text, "gateway", quiet=not found.refused)
    if seen.since(since) < seen.rules.drain:
        return draft.go_on()
    names = ", ".join(str(place) for place in left_behind(canary))
    text = f"{names} stay behind and lead to {canary.spec.target_ref.kind} {draft.target_place}; they are yours now"
    return _over(draft, Reason.LEFT_BEHIND, text)


def _wait(draft: Draft, reason: Reason, text: str, waiting_for: WaitingFor, *, quiet: bool = False) -> Draft:
    """Held for one deadline since the deletion was noticed; then whatever may serve users is kept, and it ends."""
    deadline = draft.canary.spec.deadline
    if draft.seen.since(draft.status.last_transition_time) <= deadline:
        return draft.hold(reason, text, waiting_for=waiting_for, quiet=quiet)
    keeper = f"{CONTROLLER_REVISION.kind} {keeper_name(draft.canary)}"
    kept = (
        f"Canary {draft.place} was not reverted within {deadline}s: {text}. {draft.primary_place} and its routes go on "
        f"serving; {keeper} owns them now, delete it when nobody needs them any more"
    )
    return _over(draft, Reason.DEADLINE_EXCEEDED, kept, alarm=True)


def _over(draft: Draft, reason: Reason, text: str, *, alarm: bool = False) -> Draft:
    ending = Returning(phase=Phase.TERMINATED, reason=reason, message=text)
    ended = draft.enter(Phase.TERMINATED, returning=ending).go_on()
    if text:
        warn = reason is not Reason.LEFT_BEHIND
        ended = ended.tell(reason, text, warn=warn, alert=text, severity="error" if alarm else None)
    closing = f"Terminated canary {draft.place}"
    return ended.tell(Reason.TERMINATED, closing).because(reason, text or closing)
