"""Something changed: look. Creates, repairs, starts and ends rollouts, goes on when what was waited for is there."""

from __future__ import annotations

from handlers.advance import Advance
from schemas.events import Change


async def on_change(advance: Advance, change: Change) -> None:
    """Level-triggered: whichever of several changes survives on the bus is enough."""
    await advance(change.ref, change)
