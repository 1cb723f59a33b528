"""All Canaries that we work for and the objects around them, as the watches tell; and which of them to look at.

Nothing here waits or reads: events only change what is known and put Canaries in line.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from schemas.canary import Canary
from schemas.resources import CANARY
from schemas.settings import Settings
from schemas.status import HAND_BACK, Phase
from watcher.compare import Baseline, Meta
from watcher.index import PROJECTED, Index, Key
from watcher.schedule import Schedule
from watcher.stream import Moved
from watcher.watched import Watched

_log = logging.getLogger("watcher.fleet")


@dataclass(slots=True)
class Record:
    """A Canary and what this process did about it.

    ``said``: basis of what was last published, by reason and object. ``moved``: objects that moved since the last look,
    with what was known of them before. ``edited``: what we keep and somebody else edited, with its version, until told.
    ``looked``: when each object was last read, or its edit told (seconds, monotonic). ``contents``: version and
    checksum of ConfigMaps and Secrets that were read. ``revision``: the target's last hash and what it was made of.
    """

    watched: Watched
    said: dict[tuple[str, str], str] = field(default_factory=dict)
    moved: dict[Key, Meta | None] = field(default_factory=dict)
    edited: dict[Key, str] = field(default_factory=dict)
    looked: dict[Key, float] = field(default_factory=dict)
    baselines: dict[Key, Baseline] = field(default_factory=dict)
    contents: dict[Key, tuple[str, str | None]] = field(default_factory=dict)
    revision: tuple[str, str] | None = None
    failures: int = 0
    busy: bool = False
    again: bool = False


class Fleet:
    """``now`` gives milliseconds since the epoch."""

    def __init__(self, settings: Settings, now: Callable[[], int]) -> None:
        self.records: dict[str, Record] = {}
        self.known: dict[Key, Meta] = {}
        self.departed: dict[str, Watched] = {}
        """Canaries that were deleted, until that is announced."""
        self.unreadable: dict[str, Canary] = {}
        """Whose status is another release's, without it; each until it is told of."""
        self._listed: set[tuple[str, str | None]] = set()
        self.ticks = Schedule()
        self.resyncs = Schedule()
        self.scheduled = asyncio.Event()
        self._settings = settings
        self._now = now
        self._index = Index()
        self._line: asyncio.Queue[str] = asyncio.Queue()
        self._in_line: set[str] = set()

    def moved(self, moved: Moved) -> None:
        if moved.key.kind == CANARY.kind:
            self._canary_moved(moved)
            return
        if moved.after is None:
            self.known.pop(moved.key, None)
        else:
            self.known[moved.key] = moved.after
        for uid in self._index.canaries(moved.key):
            self._touch(uid, moved)

    def listed(self, kind: str, namespace: str | None) -> None:
        self._listed.add((kind, namespace))
        for uid in self.records:
            self.enqueue(uid)

    def knows(self, key: Key) -> bool:
        """Whether all objects of its kind are known where it is: one that is not in ``known`` does not exist."""
        return (key.kind, None) in self._listed or (key.kind, key.namespace) in self._listed

    def canaries(self) -> Iterator[Watched]:
        return (record.watched for record in self.records.values())

    def phases(self) -> Iterator[Phase]:
        return (record.watched.phase for record in self.records.values())

    def enqueue(self, uid: str) -> None:
        if uid not in self._in_line:
            self._in_line.add(uid)
            self._line.put_nowait(uid)

    def enqueue_later(self, uid: str, delay: float) -> None:
        """``delay`` in seconds."""
        asyncio.get_running_loop().call_later(delay, self.enqueue, uid)

    async def next(self) -> str:
        """The uid that is first in line."""
        uid = await self._line.get()
        self._in_line.discard(uid)
        return uid

    def forget_what_was_said(self) -> None:
        """The bus lost its messages: whatever still holds is said again."""
        for uid, record in self.records.items():
            record.said.clear()
            self.enqueue(uid)

    def _canary_moved(self, moved: Moved) -> None:
        canary = _read(moved)
        if canary is None or not canary.belongs_to(self._settings.provider):
            for meta in (moved.before, moved.after):
                self._drop(meta.uid if meta else "", moved)
            if canary is None and moved.item is not None:
                self._leave(Canary.without_status(moved.item))
            return
        self.unreadable.pop(canary.metadata.uid, None)
        record = self.records.get(canary.metadata.uid)
        watched = Watched.of(
            canary,
            min_interval=self._settings.min_interval,
            config_tracking=self._settings.config_tracking,
            before=record.watched if record else None,
        )
        begins_to_wait = watched.waiting_for != "" if record is None else record.watched.episode != watched.episode
        if record is None:
            record = self.records[watched.uid] = Record(watched)
        record.watched = watched
        if begins_to_wait and (awaited := watched.awaited):  # it may have happened before the status said so
            record.moved.setdefault(awaited, None)
        self._index.put(watched.uid, watched.objects)
        self._schedule(watched)
        self.enqueue(watched.uid)

    def _leave(self, canary: Canary) -> None:
        """To whoever knows how to tell people that nobody works on it; the bus drops what is said again soon."""
        if canary.belongs_to(self._settings.provider):
            self.unreadable[canary.metadata.uid] = canary
            self.enqueue(canary.metadata.uid)

    def _schedule(self, canary: Watched) -> None:
        if canary.moves:
            now, last = self._now(), canary.last_tick
            self.ticks.put(canary.uid, canary.interval, now=now, done=last, first=canary.first_slot)
        else:
            self.ticks.rest(canary.uid)
        if canary.suspended or canary.deleting:
            self.resyncs.rest(canary.uid)
        else:
            now, every = self._now(), self._settings.resync
            if canary.at_rest and canary.floor:
                every = min(every, HAND_BACK)
            self.resyncs.put(canary.uid, round(every * 1000), now=now, done=now)
        self.scheduled.set()

    def _touch(self, uid: str, moved: Moved) -> None:
        record = self.records[uid]
        if moved.after is None or moved.key not in record.moved:  # that it went must not be lost behind what came first
            record.moved[moved.key] = moved.before
        if moved.edited and record.watched.objects.get(moved.key) in PROJECTED:
            record.edited[moved.key] = moved.after.resource_version if moved.after else ""
        self.enqueue(uid)

    def _drop(self, uid: str, moved: Moved) -> None:
        """Another Canary on the same target, or under the same service name, may have stood back for this one."""
        record = self.records.pop(uid, None)
        if record is None:
            return
        if moved.after is None:
            self.departed[uid] = record.watched
            self.enqueue(uid)
        self._index.drop(uid)
        self.ticks.drop(uid)
        self.resyncs.drop(uid)
        for other in {other for key in record.watched.objects for other in self._index.canaries(key)}:
            self._touch(other, Moved(moved.key, moved.before, None))


def _read(moved: Moved) -> Canary | None:
    """None for one that is gone, or whose status nobody can read: it must not stand in the way of the others."""
    if moved.item is None:
        return None
    try:
        return Canary.from_object(dict(moved.item))
    except ValueError as error:
        fields = {"canary": f"{moved.key.name}.{moved.key.namespace}", "error": str(error)}
        _log.error("a Canary cannot be read", extra=fields)
        return None
