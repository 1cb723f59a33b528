"""What hooks are told (spec lifecycle 2.8)."""

from __future__ import annotations

from schemas.canary import Canary, HookType
from schemas.status import Phase

_OF_THE_MOMENT = (HookType.CONFIRM_ROLLOUT, HookType.ROLLBACK)


def phase_told(canary: Canary, kind: HookType) -> str:
    """The phase in the payload: hooks of the analysis always read Progressing, WaitingPromotion included.

    A gate before the start first reads the phase in which the new revision was found, and Waiting from then on.
    """
    status = canary.status
    if kind not in _OF_THE_MOMENT:
        return Phase.PROGRESSING.value
    first = kind is HookType.CONFIRM_ROLLOUT and status.closed_gate is None
    if status.phase is Phase.WAITING and first and status.returning:
        return status.returning.phase.value
    return status.phase.value
