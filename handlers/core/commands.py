"""What other systems and people ask for (design: interfaces, "Commands on the bus"). A command acts once."""

from __future__ import annotations

from handlers.core import endings, idle, progressing
from handlers.core.draft import Decision, Draft
from schemas.events import Command, Reply, Verb
from schemas.status import LastCommand, Phase, Reason

_ANALYSING = (Phase.PROGRESSING, Phase.WAITING_PROMOTION)


def obey(draft: Draft, command: Command) -> Decision:
    """A redelivery answers what the first one did; a refusal changes nothing but the record of it."""
    last = draft.canary.status.last_command
    if last is not None and last.id == command.id:
        reply = _reply(draft, accepted=last.accepted, message=last.message, code=last.code)
        return Decision(draft.canary.status, reply=reply)
    if refusal := _moved(draft, command):
        return _refuse(draft, command, refusal, code=409)
    if draft.canary.deleting:
        return _refuse(draft, command, "the Canary is being deleted")
    if draft.seen.problems and command.verb is not Verb.ABORT:
        return _refuse(draft, command, "the Canary is invalid: " + "; ".join(draft.seen.problems))
    match command.verb:
        case Verb.ABORT:
            outcome = _abort(draft, command)
        case Verb.PROMOTE:
            outcome = _promote(draft)
        case _:
            outcome = f"{command.verb.value} is not available in this version; promote and abort are"
    if isinstance(outcome, str):
        return _refuse(draft, command, outcome)
    return _accept(outcome, command)


def _moved(draft: Draft, command: Command) -> str:
    status = draft.canary.status
    if command.revision and command.revision != status.canary_revision:
        return f"the revision is {status.canary_revision or 'unknown'} now, not {command.revision}"
    if command.phase and command.phase != status.phase.value:
        return f"the phase is {status.phase.value or 'unknown'} now, not {command.phase}"
    return ""


def _abort(draft: Draft, command: Command) -> Draft | str:
    status = draft.status
    who = f" by {command.by}" if command.by else ""
    why = f": {command.reason}" if command.reason else ""
    text = f"Rolling back {draft.place} aborted{who}{why}"
    if status.phase is Phase.WAITING:
        refused = draft.enter(Phase.FAILED, last_applied_spec=status.canary_revision, returning=None, settled=True)
        return refused.go_on().tell(Reason.COMMAND_ACCEPTED, text, warn=True, alert=text, severity="warn")
    if status.phase in _ANALYSING:
        return endings.roll_back(draft, Reason.COMMAND_ACCEPTED, text, alert=text, severity="warn")
    if status.phase in (Phase.PROMOTING, Phase.FINALISING):
        if status.returning:
            return "the primary is already going back to the last promoted revision"
        if not (status.promoted_revision or status.canary_weight):
            return "another controller began this promotion, and nobody knows what the primary ran before"
        back = endings.go_back(draft, Phase.FAILED, Reason.COMMAND_ACCEPTED, text)
        return back.tell(Reason.COMMAND_ACCEPTED, text, warn=True, alert=text, severity="warn")
    return f"nothing to abort in phase {status.phase.value or 'New'}"


def _promote(draft: Draft) -> Draft | str:
    phase = draft.status.phase
    if draft.canary.spec.suspend:
        return "the Canary is suspended; set spec.suspend to false first"
    moved_on = draft.seen.target_revision != draft.status.canary_revision
    if moved_on and phase in (Phase.WAITING, *_ANALYSING):
        return "the target has moved on to another revision that is not looked at yet; ask again for that one"
    if phase is Phase.WAITING:
        return idle.start(draft.set(paused=None), skip=True)
    if phase in _ANALYSING:
        skipped = draft.set(skip_to="promotion", paused=None)
        return progressing.progressing(skipped)
    if phase in (Phase.PROMOTING, Phase.FINALISING):
        return "already promoting"
    return f"nothing to promote in phase {phase.value or 'New'}"


def _accept(draft: Draft, command: Command) -> Decision:
    message = draft.message or f"{command.verb.value} accepted"
    noted = draft.set(last_command=_record(command, accepted=True, message=message))
    if all(notice.reason is not Reason.COMMAND_ACCEPTED for notice in draft.notices):
        why = f": {command.reason}" if command.reason else ""
        who = command.by or "somebody"
        told = noted.tell(Reason.COMMAND_ACCEPTED, f"{command.verb.value} accepted from {who}{why}")
        noted = told.because(Reason.COMMAND_ACCEPTED, message)
    decision = noted.done()
    return noted.done(_reply(noted, accepted=True, message=message, step=decision.status.step))


def _refuse(draft: Draft, command: Command, why: str, code: int = 422) -> Decision:
    """Told like anything else, so that nobody wonders where the command went."""
    message = f"{command.verb.value} refused: {why}"
    noted = draft.set(last_command=_record(command, accepted=False, message=message, code=code))
    noted = noted.tell(Reason.COMMAND_REFUSED, message, warn=True)
    return noted.done(_reply(noted, accepted=False, message=message, code=code, step=noted.step))


def _record(command: Command, *, accepted: bool, message: str, code: int = 0) -> LastCommand:
    return LastCommand(
        id=command.id,
        verb=command.verb.value,
        by=command.by,
        reason=command.reason,
        accepted=accepted,
        message=message,
        code=code,
    )


def _reply(draft: Draft, *, accepted: bool, message: str, code: int = 0, step: int | None = None) -> Reply:
    status = draft.status
    return Reply(
        accepted=accepted,
        phase=status.phase.value,
        weight=status.canary_weight,
        step=status.step if step is None else step,
        message=message,
        code=code,
    )
