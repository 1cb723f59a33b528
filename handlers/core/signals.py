"""Rollback hooks: one that answers yes ends the rollout in whatever phase it is (spec lifecycle 2.8)."""

from __future__ import annotations

from handlers.core.draft import Draft
from handlers.core.observation import Answers
from schemas.canary import Canary, HookType
from schemas.events import Command, Verb
from schemas.measurement import HookAnswer
from schemas.status import Reason

ALERT = "Rolling back manual webhook invoked"


def signalled(draft: Draft) -> Draft | None:
    """With the signal told; None without one. One-shot signals are heard once, so this comes before all judging."""
    signal = _signal(draft.seen.answers)
    if signal is None:
        return None
    return draft.tell(Reason.ROLLBACK_REQUESTED, f"Rollback check {signal.name} passed", warn=True)


def as_command(canary: Canary, answers: Answers) -> Command | None:
    """The signal as a durable command, for a wake that cannot act upon it; only for the revision it was given for."""
    signal = _signal(answers)
    if signal is None:
        return None
    return Command(
        namespace=canary.ref.namespace,
        name=canary.ref.name,
        verb=Verb.ABORT,
        by=f"rollback hook {signal.name}",
        reason=signal.text,
        revision=canary.status.canary_revision,
        id=f"{canary.metadata.uid}.{canary.status.step}.{signal.name}",
    )


def _signal(answers: Answers | None) -> HookAnswer | None:
    return next((hook for hook in answers.of(HookType.ROLLBACK) if hook.passed), None) if answers else None


def text_of(draft: Draft) -> str:
    return f"Rolling back {draft.place} manual webhook invoked"
