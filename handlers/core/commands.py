"""What other systems and people ask for (design: interfaces, "Commands on the bus"). A command acts once.

What each verb does in each phase is in :mod:`handlers.core.verbs`.
"""

from __future__ import annotations

from handlers.core import idle, verbs
from handlers.core.draft import Decision, Draft
from schemas.asked import LastCommand
from schemas.events import Command, Reply, Verb
from schemas.status import IDLE, Reason

_REMEMBERED = 5
"""Commands before the last one whose redelivery is still known: others may have come between."""


def obey(draft: Draft, command: Command, decide: verbs.Decide) -> Decision:
    """A redelivery answers what the first one did; a refusal changes nothing but the record of it.

    ``decide`` is what any wake does next: what a command sets free goes on in the same wake.
    """
    status = draft.canary.status
    known = (*([status.last_command] if status.last_command else []), *status.earlier_commands)
    if first := next((one for one in known if one.id == command.id), None):
        reply = _reply(draft, accepted=first.accepted, message=first.message, code=first.code)
        return Decision(status, reply=reply)
    if moved := _moved(draft, command):
        return _refuse(draft, command, moved, code=409)
    outcome = _impossible(draft, command.verb) or verbs.VERBS[command.verb](draft, command, decide)
    if isinstance(outcome, str):
        return _refuse(draft, command, outcome)
    return _accept(outcome, command)


def _moved(draft: Draft, command: Command) -> str:
    """What the sender saw and what is no longer so; empty when it still is."""
    status = draft.canary.status
    waits = command.verb is Verb.PROMOTE and status.phase in IDLE and idle.is_new(draft)
    revision = draft.seen.target_revision if waits else status.canary_revision
    if command.revision and command.revision != revision:
        return f"the revision is {revision or 'unknown'} now, not {command.revision}"
    if command.phase and command.phase != status.phase.value:
        return f"the phase is {status.phase.value or 'unknown'} now, not {command.phase}"
    return ""


def _impossible(draft: Draft, verb: Verb) -> str:
    """What keeps a command from acting in any phase. ``abort`` always works, a pause can always be given and taken."""
    if draft.canary.deleting:
        return "the Canary is being deleted"
    if verb in (Verb.ABORT, Verb.PAUSE, Verb.RESUME):
        return ""
    if draft.seen.problems:
        return "the Canary is invalid: " + "; ".join(draft.seen.problems)
    if draft.canary.spec.suspend:
        return "the Canary is suspended; set spec.suspend to false first"
    return ""


def _accept(draft: Draft, command: Command) -> Decision:
    message = draft.message or f"{command.verb.value} accepted"
    noted = _record(draft, command, message)
    if all(notice.reason is not Reason.COMMAND_ACCEPTED for notice in draft.notices):
        who, why = command.by or "somebody", f": {command.reason}" if command.reason else ""
        told = noted.tell(Reason.COMMAND_ACCEPTED, f"{command.verb.value} accepted from {who}{why}")
        noted = told.because(Reason(draft.reason or Reason.COMMAND_ACCEPTED), message)
    return noted.done(_reply(noted, accepted=True, message=message, step=noted.step))


def _refuse(draft: Draft, command: Command, why: str, code: int = 422) -> Decision:
    """Told like anything else, so that nobody wonders where the command went."""
    message = f"{command.verb.value} refused: {why}"
    asked = ": ".join(part for part in (command.by and f"asked by {command.by}", command.reason) if part)
    noted = _record(draft, command, message, code=code)
    told = noted.tell(Reason.COMMAND_REFUSED, f"{message} ({asked})" if asked else message, warn=True)
    return told.done(_reply(told, accepted=False, message=message, code=code, step=told.step))


def _record(draft: Draft, command: Command, message: str, *, code: int = 0) -> Draft:
    """``code`` is that of a refusal."""
    before = draft.canary.status
    last = LastCommand(
        id=command.id,
        verb=command.verb.value,
        by=command.by,
        reason=command.reason,
        accepted=not code,
        message=message,
        code=code,
    )
    earlier = (*([before.last_command] if before.last_command else []), *before.earlier_commands)
    return draft.set(last_command=last, earlier_commands=earlier[:_REMEMBERED])


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
