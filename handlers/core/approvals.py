"""Gates before the start, before more traffic and before promotion: closed, open, or approved by a person (once)."""

from __future__ import annotations

from handlers.core.draft import Draft
from handlers.core.observation import Answers
from handlers.core.texts import paused_by
from schemas.asked import ClosedGate
from schemas.canary import HookType
from schemas.measurement import HookAnswer
from schemas.status import CanaryStatus, Reason

_WAITING_FOR = {
    HookType.CONFIRM_ROLLOUT: ("approval", "Canary is waiting for approval."),
    HookType.CONFIRM_TRAFFIC_INCREASE: (
        "traffic increase approval",
        "Canary traffic increase is waiting for approval.",
    ),
    HookType.CONFIRM_PROMOTION: ("promotion approval", "Canary promotion is waiting for approval."),
}
"""The peer's words for event and alert (spec lifecycle 2.8, 2.11)."""


def is_approved(status: CanaryStatus, kind: HookType) -> bool:
    """Whether somebody opened this gate for the revision that is looked at; on any other it is void."""
    approved = status.approved
    return approved is not None and (approved.gate, approved.revision) == (kind.value, status.canary_revision)


def hold_closed(draft: Draft, kind: HookType, closed: HookAnswer) -> Draft:
    """People are told once; what the gate itself says is kept in the status: it may change with every answer."""
    before = draft.status.closed_gate
    same = before is not None and (before.gate, before.hook) == (kind.value, closed.name)
    # another gate may have opened in this very slot: what its closing alerted was about that one
    alarmed = before is not None and before.gate == kind.value
    since = before.since if before is not None and same else draft.seen.now
    what, alert = _WAITING_FOR[kind]
    muted = any(hook.name == closed.name and hook.mute_alert for hook in draft.canary.spec.analysis.hooks(kind))
    gate = ClosedGate(gate=kind.value, hook=closed.name, message=closed.text, since=since)
    return draft.set(closed_gate=gate).hold(
        Reason.GATE_CLOSED,
        f"Halt {draft.place} advancement waiting for {what} {closed.name}",
        waiting_for="gate",
        alert=alert,
        severity=None if muted else "warn",
        alarmed=alarmed,
    )


def hold_paused(draft: Draft, *, quiet: bool = False) -> Draft:
    """A person holds it; by whom and since when is told once. ``quiet``: the command itself tells."""
    text = f"Halt {draft.place} advancement {paused_by(draft.status)}"
    return draft.hold(Reason.PAUSED, text, waiting_for="gate", quiet=quiet)


def pass_open(draft: Draft, kind: HookType, answers: Answers) -> Draft:
    """Tell who opened it; an approval is used up."""
    check = f"{kind.value.capitalize()} check"
    if not is_approved(draft.status, kind):
        for answer in answers.of(kind):
            draft = draft.tell(Reason.HOOK_PASSED, f"{check} {answer.name} passed")
        return draft.set(closed_gate=None)
    who = draft.status.approved.by if draft.status.approved else ""
    for hook in draft.canary.spec.analysis.hooks(kind):
        draft = draft.tell(Reason.HOOK_PASSED, f"{check} {hook.name} approved by {who or 'hand'}")
    return draft.set(approved=None, closed_gate=None)
