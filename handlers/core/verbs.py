"""Each verb in each phase: what becomes of the Canary, or why not and what would work (design: interfaces).

A refusal is a sentence that ends "<verb> refused: …".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from handlers.core import endings, idle, progressing
from handlers.core.approvals import hold_paused
from handlers.core.beginnings import from_zero
from handlers.core.draft import Draft
from handlers.core.plan import gates_due
from handlers.core.texts import held_by, paused_by
from schemas.asked import Approved, Paused
from schemas.canary import HookType
from schemas.events import Command, Verb
from schemas.status import IDLE, Phase, Reason, Returning

Decide = Callable[[Draft], Draft]
Obey = Callable[[Draft, Command, Decide], Draft | str]

_ANALYSING = (Phase.PROGRESSING, Phase.WAITING_PROMOTION)
_TAKING_OVER = (Phase.PROMOTING, Phase.FINALISING)
_MOVED_ON = "the target has moved on to another revision that is not looked at yet; ask again for that one"
_TOO_LATE = "already promoting; abort takes the primary back"


def _approve(draft: Draft, command: Command, decide: Decide) -> Draft | str:
    """The closed gate counts as open once, for this revision; before the start it takes effect in this wake."""
    status = draft.status
    if status.phase in _TAKING_OVER:
        return "already promoting, no gate is ahead"
    if status.phase not in (Phase.WAITING, *_ANALYSING):
        return f"no gate is closed in phase {_named(draft)}: no rollout runs"
    if draft.seen.target_revision != status.canary_revision:
        return _MOVED_ON
    gate = _gate_ahead(draft)
    if not gate:
        return f"no gate is closed in phase {_named(draft)}; promote skips the rest of the analysis"
    approved = Approved(gate=gate, revision=status.canary_revision, by=command.by)
    noted = draft.set(approved=approved)
    when = "after resume" if status.paused else "when the checks of a slot have passed"
    if status.phase is Phase.WAITING and not status.paused:
        return decide(noted)
    return noted.because(Reason.COMMAND_ACCEPTED, f"{gate} of {draft.place} counts as open once, {when}")


def _gate_ahead(draft: Draft) -> str:
    """The gate that is closed; while paused nobody asks, so the next one that would be asked."""
    status = draft.status
    if status.phase is Phase.WAITING:
        return HookType.CONFIRM_ROLLOUT.value
    if status.closed_gate:
        return status.closed_gate.gate
    due = gates_due(draft.canary) if status.paused else ()
    return due[0].hook_type.value if due else ""


def _promote(draft: Draft, _command: Command, _decide: Decide) -> Draft | str:
    """Start without an analysis, or skip the rest of it; takes back a pause."""
    status = draft.status
    if status.phase in _TAKING_OVER:
        return "already promoting"
    held = status.paused and status.phase in IDLE and idle.is_new(draft) and not status.canary_weight
    if status.phase not in (Phase.WAITING, *_ANALYSING) and not held:
        refused = status.phase is Phase.FAILED and draft.seen.target_revision != status.promoted_revision
        way_on = "restart analyses the refused revision again" if refused else "push a new revision"
        return f"nothing to promote in phase {_named(draft)}; {way_on}"
    if not held and draft.seen.target_revision != status.canary_revision:
        return _MOVED_ON
    free = draft.set(paused=None)
    if status.phase in _ANALYSING:
        return progressing.progressing(free.set(skip_to="promotion"))
    return idle.start(free, skip=True)


def _abort(draft: Draft, command: Command, _decide: Decide) -> Draft | str:
    """This revision is refused; whatever traffic it has goes back to the primary."""
    status = draft.status
    text = f"Rolling back {draft.place} aborted{_asked_by(command)}"
    if status.phase is Phase.WAITING:
        return endings.refuse(draft, Reason.COMMAND_ACCEPTED, text, alert=text)
    if status.phase in _ANALYSING:
        return endings.roll_back(draft, Reason.COMMAND_ACCEPTED, text, alert=text, severity="warn")
    if status.phase in _TAKING_OVER:
        if status.returning:
            return "the primary is already going back to the last promoted revision"
        if not (status.promoted_revision or status.canary_weight):
            return "another controller began this promotion, and nobody knows what the primary ran before"
        back = endings.go_back(draft, Phase.FAILED, Reason.COMMAND_ACCEPTED, text)
        return back.tell(Reason.COMMAND_ACCEPTED, text, warn=True, alert=text, severity="warn")
    way_on = "; rollback returns to the revision promoted before" if status.previous_revision else ""
    return f"nothing to abort in phase {_named(draft)}{way_on}"


def _rollback(draft: Draft, command: Command, _decide: Decide) -> Draft | str:
    """The primary runs the revision promoted before again, without an analysis; the present one counts as refused."""
    status, previous = draft.status, draft.status.previous_revision
    if status.phase in (Phase.WAITING, *_ANALYSING, *_TAKING_OVER):
        return f"a rollout is in phase {_named(draft)}; use abort"
    if status.phase not in (Phase.INITIALIZED, Phase.SUCCEEDED):
        return f"no promotion to take back in phase {_named(draft)}; push the revision that you want"
    if not previous:
        return "no revision was promoted before the one that the primary runs; push the revision that you want"
    if draft.seen.snapshot_missing:
        return f"the snapshot of revision {previous} is missing; push that revision again"
    text = f"Rolling back {draft.primary_place} to revision {previous}, asked for{_asked_by(command)}"
    ending = Returning(phase=Phase.FAILED, reason=Reason.ROLLED_BACK, message=text)
    back = draft.set(returning=ending).enter(
        Phase.FAILED, promoted_revision=previous, last_promoted_spec=previous, previous_revision=""
    )
    told = back.run_on_primary(previous).go_on("primary")
    return told.tell(Reason.ROLLED_BACK, text, warn=True, alert=text, severity="warn")


def _pause(draft: Draft, command: Command, _decide: Decide) -> Draft | str:
    """The weight holds and gates are not asked; checks go on and the threshold still rolls back."""
    status = draft.status
    if status.phase in _TAKING_OVER:
        return _TOO_LATE
    if status.paused:
        return draft.because(Reason.PAUSED, f"{draft.place} is {paused_by(status)} already")
    since = draft.seen.now.replace(microsecond=0)
    paused = draft.set(paused=Paused(by=command.by, reason=command.reason, since=since))
    if status.phase not in (Phase.WAITING, *_ANALYSING):
        text = f"a new revision of {draft.target_place} will wait: {paused_by(paused.status)}"
        return paused.because(Reason.PAUSED, text)
    if draft.held_for in ("", Reason.GATE_CLOSED):
        return hold_paused(paused, quiet=True)
    # something worse holds it as well, and has been told
    return paused.because(Reason.PAUSED, f"{draft.place} is {paused_by(paused.status)}")


def _resume(draft: Draft, _command: Command, decide: Decide) -> Draft | str:
    """What the pause held goes on in this wake: a new revision that waited starts."""
    status = draft.status
    if not status.paused:
        return "not paused"
    free = draft.set(paused=None)
    if draft.held_for == Reason.PAUSED:
        free = free.go_on("gate" if status.phase is Phase.WAITING or status.closed_gate else "")
    return decide(free)


def _restart(draft: Draft, _command: Command, _decide: Decide) -> Draft | str:
    """The same revision is analysed from zero: in mid-analysis, or after it was refused."""
    status, revision = draft.status, draft.seen.target_revision
    if status.phase is Phase.WAITING:
        return "the analysis has not begun; approve starts it, promote goes to production without it"
    if status.phase in _TAKING_OVER:
        return _TOO_LATE
    if status.phase in _ANALYSING:
        if revision != status.canary_revision:
            return _MOVED_ON
        text = f"Restarting analysis for {draft.target_place}{held_by(status)}"
        return from_zero(draft).tell(Reason.RESTARTED, text)
    if status.phase is not Phase.FAILED or revision in ("", status.promoted_revision):
        return f"nothing new to analyse in phase {_named(draft)}; push a new revision"
    if status.canary_weight:
        return f"users stay on the canary until {draft.primary_place} is ready; ask again then"
    if status.paused:
        return f"{paused_by(status)}; resume first"
    return idle.accept(draft, again=True)


def _named(draft: Draft) -> str:
    return draft.status.phase.value or "New"


def _asked_by(command: Command) -> str:
    who = f" by {command.by}" if command.by else ""
    return f"{who}: {command.reason}" if command.reason else who


VERBS: Mapping[Verb, Obey] = {
    Verb.APPROVE: _approve,
    Verb.PROMOTE: _promote,
    Verb.ABORT: _abort,
    Verb.ROLLBACK: _rollback,
    Verb.PAUSE: _pause,
    Verb.RESUME: _resume,
    Verb.RESTART: _restart,
}
