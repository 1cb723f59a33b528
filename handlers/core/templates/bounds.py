"""How much text a template may make: one that doubles a variable in a loop would fill the memory with few steps."""

from __future__ import annotations

from collections.abc import Iterable

from handlers.core.templates.errors import Misuse

LONGEST = 64 * 1024
"""Characters of a template, of a query and of every value on the way: far more than a metrics provider accepts."""


def joined(pieces: Iterable[str]) -> str:
    """``pieces`` one after the other. Raises Misuse as soon as they are too long, before they are put together."""
    taken: list[str] = []
    length = 0
    for piece in pieces:
        length += len(piece)
        if length > LONGEST:
            raise Misuse(f"a value becomes longer than {LONGEST} characters")
        taken.append(piece)
    return "".join(taken)
