"""How much memory the sandbox takes, process by process."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")
_PRODUCT = "deploy.sandbox.product"


class Taken(NamedTuple):
    """MB of one process. ``resident`` counts pages that several share once for each, ``proportional`` in parts."""

    name: str
    resident: float
    proportional: float


def taken_by(process: int) -> list[Taken]:
    """``process`` and its descendants, the largest first."""
    found = [taken for each in (process, *descendants(process)) if (taken := _taken(each))]
    return sorted(found, key=lambda taken: -taken.resident)


def table(found: Iterable[Taken]) -> Iterator[str]:
    """Lines for people, the sum last."""
    everything = list(found)
    total = Taken(
        "all together",
        sum(taken.resident for taken in everything),
        sum(taken.proportional for taken in everything),
    )
    yield "   RSS     PSS   MB"
    for taken in (*everything, total):
        yield f"{taken.resident:6.1f}  {taken.proportional:6.1f}   {taken.name}"


def descendants(process: int) -> Iterator[int]:
    """The processes that ``process`` has started, and those that they have, for as long as their parents live."""
    children = defaultdict(list)
    for place in _PROC.glob("[0-9]*"):
        if (parent := _parent(place)) is not None:
            children[parent].append(int(place.name))
    waiting = list(children[process])
    while waiting:
        found = waiting.pop()
        waiting += children[found]
        yield found


def _parent(place: Path) -> int | None:
    """None when it has ended; a process that nobody has waited for yet has ended, too."""
    try:
        # the name in parentheses may contain anything
        state, parent, *_ = (place / "stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return None
    return None if state == "Z" else int(parent)


def _taken(process: int) -> Taken | None:
    place = _PROC / str(process)
    try:
        words = (place / "cmdline").read_text().split("\0")
        lines = (place / "smaps_rollup").read_text().splitlines()
    except OSError:
        return None  # it has ended meanwhile
    sizes = {line.partition(":")[0]: int(line.split()[1]) / 1024 for line in lines[1:]}
    return Taken(_name(words), sizes["Rss"], sizes["Pss"]) if sizes else None


def _name(words: list[str]) -> str:
    if "-m" in words[:-1] and Path(words[0]).name.startswith("python"):
        module, *rest = words[words.index("-m") + 1 :]
        return rest[0] if module == _PRODUCT else module
    return Path(words[0]).name
