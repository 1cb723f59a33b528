"""Gates before the start, before more traffic and before promotion: closed, open, or approved by a person (once)."""

from __future__ import annotations

from collections.abc import Iterable

from handlers.core.draft import Draft
from handlers.core.observation import Answers
from handlers.core.texts import paused_by
from schemas.asked import ClosedGate
from schemas.canary import HookType, Webhook
from schemas.measurement import HookAnswer
from schemas.status import CanaryStatus, Phase, Reason, Severity

_WAITING_FOR = {
    HookType.CONFIRM_ROLLOUT: ("approval", "Canary is waiting for approval."),
    HookType.CONFIRM_TRAFFIC_INCREASE: (
        "traffic increase approval",
        "Canary traffic increase is waiting for approval.",
    ),
    HookType.CONFIRM_PROMOTION: ("promotion approval", "Canary promotion is waiting for approval."),
}
"""The peer's words for event and alert (spec lifecycle 2.8, 2.11)."""
HELD_IN = {
    HookType.CONFIRM_TRAFFIC_INCREASE: Phase.PROGRESSING,
    HookType.CONFIRM_PROMOTION: Phase.WAITING_PROMOTION,
}
"""The gates of an analysis in their order, with the phase in which a closed one is waited for."""


def is_approved(status: CanaryStatus, kind: HookType) -> bool:
    """Whether somebody opened this gate for the revision that is looked at; on any other it is void."""
    approved = status.approved
    return approved is not None and (approved.gate, approved.revision) == (kind.value, status.canary_revision)


def hold_closed(draft: Draft, kind: HookType, closed: HookAnswer) -> Draft:
    noted = note_closed(draft, kind, closed)
    return noted.hold(Reason.GATE_CLOSED, _halt(draft, kind, closed), waiting_for="gate", quiet=True)


def note_closed(draft: Draft, kind: HookType, closed: HookAnswer) -> Draft:
    """People are told once, whatever else has held it in between; what the gate itself says may change each time."""
    before = draft.status.closed_gate
    gate = ClosedGate(gate=kind.value, hook=closed.name, message=closed.text, since=draft.seen.now)
    if before is not None and (before.gate, before.hook) == (gate.gate, gate.hook):
        return draft.set(closed_gate=gate.model_copy(update={"since": before.since}))
    # a second gate of the type behind one that people were alerted of is an event, no second alert
    alerted = before is not None and before.gate == kind.value and _alerts(draft, kind, before.hook)
    severity: Severity | None = "warn" if _alerts(draft, kind, closed.name) and not alerted else None
    _, alert = _WAITING_FOR[kind]
    text = _halt(draft, kind, closed)
    return draft.set(closed_gate=gate).tell(Reason.GATE_CLOSED, text, warn=True, alert=alert, severity=severity)


def forget_gone(draft: Draft) -> Draft:
    """A gate that was taken out of the spec while it was closed holds nothing any more, and cannot be approved."""
    closed = draft.status.closed_gate
    hooks = draft.canary.spec.analysis.webhooks
    if closed is None or any((hook.hook_type.value, hook.name) == (closed.gate, closed.hook) for hook in hooks):
        return draft
    free = draft.set(closed_gate=None)
    if draft.held_for != Reason.GATE_CLOSED:
        return free
    return free.go_on("gate" if draft.status.phase in (Phase.WAITING, Phase.WAITING_PROMOTION) else "")


def _halt(draft: Draft, kind: HookType, closed: HookAnswer) -> str:
    what, _ = _WAITING_FOR[kind]
    return f"Halt {draft.place} advancement waiting for {what} {closed.name}"


def _alerts(draft: Draft, kind: HookType, name: str) -> bool:
    return any(hook.name == name and not hook.mute_alert for hook in draft.canary.spec.analysis.hooks(kind))


def hear_gates(draft: Draft, due: Iterable[Webhook], answers: Answers) -> Draft:
    """While data are missing a gate that was closed is asked all the same: open or approved, it keeps nothing any more.

    One of those that are ``due`` that could not be asked is as it was. No approval is used up by this.
    """
    for kind, phase in HELD_IN.items():
        if closed := answers.failed(kind):
            return note_closed(draft.enter(phase), kind, closed)
    unasked = (hook for hook in due if hook.name not in {answer.name for answer in answers.of(hook.hook_type)})
    if any(not is_approved(draft.status, hook.hook_type) for hook in unasked):
        return draft
    return draft.enter(Phase.PROGRESSING).set(closed_gate=None)


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
