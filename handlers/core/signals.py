"""Rollback hooks: one that answers yes ends the rollout in whatever phase it is (spec lifecycle 2.8)."""

from __future__ import annotations

from handlers.core.draft import Draft
from schemas.canary import HookType
from schemas.status import Reason

ALERT = "Rolling back manual webhook invoked"


def signalled(draft: Draft) -> Draft | None:
    """With the signal told; None without one. One-shot signals are heard once, so this comes before all judging."""
    answers = draft.seen.answers
    signal = next((hook for hook in answers.of(HookType.ROLLBACK) if hook.passed), None) if answers else None
    if signal is None:
        return None
    return draft.tell(Reason.ROLLBACK_REQUESTED, f"Rollback check {signal.name} passed", warn=True)


def text_of(draft: Draft) -> str:
    return f"Rolling back {draft.place} manual webhook invoked"
