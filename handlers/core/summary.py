"""A Canary in a few words, for those who ask on the bus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.answers import Summary
from schemas.canary import Canary
from schemas.status import Reason


def summary(canary: Canary) -> Summary:
    """Nothing is read but the Canary itself."""
    status, last = canary.status, canary.status.last_step
    held = next((item for item in status.conditions if item.type == "Held" and item.status == "True"), None)
    reason, message = (last.reason, last.message) if last else ("", "")
    return Summary(
        namespace=canary.metadata.namespace,
        name=canary.metadata.name,
        phase=status.phase.value,
        weight=status.canary_weight,
        step=status.step,
        revision=status.canary_revision,
        reason=held.reason if held else reason,
        message=held.message if held else message,
        waiting_for=status.waiting_for,
        since=held.last_transition_time if held else status.last_transition_time,
        paused=status.paused,
        closed_gate=status.closed_gate,
    )


def unreadable(canary: Canary, status: Mapping[str, Any], why: str) -> Summary:
    """Of a status that another release wrote: ``canary`` has none, and of what is stored only numbers are believed."""
    weight, step = (number if isinstance(number := status.get(field), int) else 0 for field in ("canaryWeight", "step"))
    return Summary(
        namespace=canary.metadata.namespace,
        name=canary.metadata.name,
        phase=str(status.get("phase", "")),
        weight=weight,
        step=step,
        reason=Reason.UNREADABLE,
        message=why,
    )
