"""How much memory the sandbox takes: the proportional set size of every process below this one."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")


def used_by_children() -> dict[str, float]:
    """MB by command, this process included. Memory that several share counts once, in parts."""
    found: dict[str, float] = defaultdict(float)
    for process in (os.getpid(), *descendants(os.getpid())):
        found[_name(process)] += _proportional(process)
    return {name: size for name, size in found.items() if size}


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


def _name(process: int) -> str:
    try:
        words = (_PROC / str(process) / "cmdline").read_text().split("\0")
    except OSError:
        return "gone"
    if "-m" in words[:-1] and Path(words[0]).name.startswith("python"):
        return words[words.index("-m") + 1]
    return Path(words[0]).name


def _proportional(process: int) -> float:
    try:
        lines = (_PROC / str(process) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
