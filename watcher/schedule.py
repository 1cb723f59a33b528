"""When to wake which Canary: pure arithmetic on time slots (design: "Ticks without a leader").

A Canary's time is cut into slots of its interval. While it is analysed they are counted from the first, which began
when its pods were ready and is in its status; else where they begin depends on its uid alone. So every watcher names
the same slots without talking to another one, and canaries of one interval spread over it. Times are whole milliseconds
since the epoch: a slot's start is part of a message id and must come out the same everywhere.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2s
from typing import NamedTuple

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Slot(NamedTuple):
    """One turn of one Canary: ``start`` and ``interval`` in milliseconds."""

    uid: str
    start: int
    interval: int

    @property
    def moment(self) -> datetime:
        return _EPOCH + self.start * _MILLISECOND


def milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MILLISECOND


def offset(uid: str, interval: int) -> int:
    """Where within ``interval`` the slots of ``uid`` begin, in milliseconds."""
    return int.from_bytes(blake2s(uid.encode(), digest_size=8).digest()) % interval


def slot_start(uid: str, interval: int, now: int, first: int | None = None) -> int:
    """The start of the slot that ``now`` lies in; ``first`` is that of another one, from which they are counted."""
    begin = offset(uid, interval) if first is None else first % interval
    return (now - begin) // interval * interval + begin


@dataclass(slots=True)
class _Entry:
    interval: int
    first: int | None
    next_start: int
    done: int | None
    in_turn: bool = True


class Schedule:
    """Which slots are due. Asking costs by what is due, not by how many canaries there are.

    Every slot is handed out once, and late rather than never; of several that were missed only the latest: a tick says
    "judge now", and judging twice in a row would be judging one slot's data twice.
    """

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self._heap: list[tuple[int, str]] = []

    def __len__(self) -> int:
        """How many are in turn."""
        return sum(entry.in_turn for entry in self._entries.values())

    def put(self, uid: str, interval: int, *, now: int, done: int | None = None, first: int | None = None) -> None:
        """Keep ``uid`` in turn every ``interval`` ms, counted from ``first``; nothing changes if it is already.

        ``done`` is the start of the last slot known to be judged. The slot that ``now`` lies in is due at once unless
        it is done: a Canary that begins to move, or a watcher that was down for a moment, does not lose a turn.
        """
        entry = self._entries.get(uid)
        if entry is not None and entry.in_turn and (entry.interval, entry.first) == (interval, first):
            return
        if entry is not None and entry.done is not None:
            # also when another interval or first slot numbers them anew: none at or before one that was handed out
            done = entry.done if done is None else max(done, entry.done)
        self._enter(uid, interval, first, now, done)

    def _enter(self, uid: str, interval: int, first: int | None, now: int, done: int | None) -> None:
        start = slot_start(uid, interval, now, first)
        if done is not None and done > now + interval:
            # named by a clock that ran ahead: whoever waited for the slot after it would wait for as long as that
            done = None
        if done is not None and start <= done:
            start += interval * ((done - start) // interval + 1)
        self._entries[uid] = _Entry(interval, first, start, done)
        heapq.heappush(self._heap, (start, uid))

    def rest(self, uid: str) -> None:
        """Out of turn until the next :meth:`put`, which hands out no slot a second time."""
        if entry := self._entries.get(uid):
            entry.in_turn = False

    def drop(self, uid: str) -> None:
        """It is gone; its place in the heap is skipped when it comes up."""
        self._entries.pop(uid, None)

    def due(self, now: int) -> list[Slot]:
        """The slots that have begun and were not handed out yet, in order of their start."""
        if self._set_back(now):
            for uid, known in list(self._entries.items()):
                if known.in_turn:
                    self._enter(uid, known.interval, known.first, now, known.done)
        found = []
        while self._heap and self._heap[0][0] <= now:
            start, uid = heapq.heappop(self._heap)
            entry = self._entries.get(uid)
            if entry is None or not entry.in_turn or entry.next_start != start:
                continue
            latest = slot_start(uid, entry.interval, now, entry.first)
            found.append(Slot(uid, latest, entry.interval))
            entry.done, entry.next_start = latest, latest + entry.interval
            heapq.heappush(self._heap, (entry.next_start, uid))
        return found

    def _set_back(self, now: int) -> bool:
        """Whether our own clock ran ahead when the next slot was named: no slot is two intervals away."""
        start = self.next_start()
        return start is not None and start > now + 2 * self._entries[self._heap[0][1]].interval

    def next_start(self) -> int | None:
        """When to ask again, in milliseconds since the epoch; None while nothing is in turn."""
        while self._heap:
            start, uid = self._heap[0]
            entry = self._entries.get(uid)
            if entry is not None and entry.in_turn and entry.next_start == start:
                return start
            heapq.heappop(self._heap)
        return None
