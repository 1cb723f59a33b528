"""A slot is due: judge. Hooks and metrics are asked here and only here."""

from __future__ import annotations

from handlers.advance import Advance
from schemas.events import Tick


async def on_tick(advance: Advance, tick: Tick) -> None:
    """A slot that was judged already judges nothing, but finishes what is unfinished."""
    await advance(tick.ref, tick)
