"""Things of one name, told apart by their place: nobody has to give each a name of its own."""

from __future__ import annotations

from collections.abc import Iterable


def told_apart(names: Iterable[str], mark: str) -> tuple[str, ...]:
    """The first of a name keeps it, the others are counted behind ``mark``; whatever is there once is left as it is."""
    listed = list(names)
    found: list[str] = []
    for name in listed:
        key, number = name, 1
        while key in found or (number > 1 and key in listed):
            number += 1
            key = f"{name}{mark}{number}"
        found.append(key)
    return tuple(found)
