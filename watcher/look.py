"""One look at one Canary: reads the objects whose content matters, at most once each, and compares."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from handlers.adapters.kube import Kube
from schemas.configs import CONFIGS, checksum_if_tracked
from schemas.events import ChangeReason
from schemas.resources import CANARY, ROUTE_TABLE, SCALERS, TARGETS, UPSTREAM, Resource
from schemas.revision import digest
from watcher.compare import (
    GONE,
    Baseline,
    Cause,
    Meta,
    config_cause,
    config_is_suspect,
    drift,
    drift_cause,
    fingerprint,
    lost_cause,
    missing_cause,
    parked_cause,
    ready_again_cause,
    ready_cause,
    revision_cause,
    revision_of,
    spec_cause,
    thawed_cause,
    verdict_cause,
)
from watcher.fleet import Fleet, Record
from watcher.index import PROJECTED, Key, Role, tracked_name
from watcher.metrics import WatcherMetrics

LOOK_EVERY = 1.0
"""Seconds between two reads of one object for one Canary; the last change is looked at when they are over."""

_READABLE: dict[str, Resource] = {
    **TARGETS,
    **SCALERS,
    **{resource.kind: resource for resource in (ROUTE_TABLE, UPSTREAM, *CONFIGS.values())},
}


class Look:
    """``moved``: the objects that moved since the last look, with what was known of them before.

    What the next look compares with is written down by :meth:`remember`, when everything found was told.
    """

    def __init__(
        self,
        fleet: Fleet,
        kube: Kube,
        metrics: WatcherMetrics,
        record: Record,
        moved: Mapping[Key, Meta | None],
        now: datetime,
    ) -> None:
        self._fleet = fleet
        self._kube = kube
        self._metrics = metrics
        self._record = record
        self._canary = record.watched
        self._moved = moved
        self._edited = dict(record.edited)
        self._now = now
        self._items: dict[Key, dict[str, Any] | None] = {}
        self._revision = record.revision
        self._baselines: dict[Key, Baseline | None] = {}

    def remember(self) -> None:
        self._record.revision = self._revision
        for key, version in self._edited.items():
            if self._record.edited.get(key) == version:
                del self._record.edited[key]
        for key in self._record.contents.keys() - self._canary.objects.keys():
            del self._record.contents[key]
        for key, baseline in self._baselines.items():
            if baseline is None:
                self._record.baselines.pop(key, None)
            else:
                self._record.baselines[key] = baseline

    async def causes(self) -> list[Cause]:
        """Raises what :class:`Kube` raises."""
        found = [spec_cause(self._canary), await self._target()]
        found += [await self._config(key) for key, role in self._canary.objects.items() if role is Role.CONFIG]
        found += [await self._object(key, before) for key, before in self._moved.items()]
        found += [self._missing(key) for key in self._canary.objects]
        found += [self._foreign(key) for key in list(self._edited)]
        return [cause for cause in found if cause]

    async def _target(self) -> Cause | None:
        canary = self._canary
        if canary.compared is None or not self._fleet.knows(canary.target):
            return None
        meta = self._fleet.known.get(canary.target)
        if meta is None:
            return missing_cause(canary, self._moved.get(canary.target))
        before = self._record.revision
        if before is None or before[0] != self._made_of(meta):
            item = await self._read(canary.target)
            if item is None:
                return None
            meta = Meta.of(item, canary.target.kind)
            self._revision = self._made_of(meta), revision_of(item, canary.target.kind, canary.configs)
            if undone := parked_cause(canary, meta, item) or thawed_cause(canary, meta, item):
                return undone
        if self._revision is None:
            return None
        return revision_cause(canary, meta, self._revision[1], before=before[1] if before else None)

    def _made_of(self, meta: Meta) -> str:
        return f"{meta.uid}.{meta.stamp}.{digest(dict(self._canary.configs))}"

    async def _config(self, key: Key) -> Cause | None:
        """Its content is read only when its version is another one, and once for each version."""
        canary, meta = self._canary, self._fleet.known.get(key)
        if not self._fleet.knows(key) or not config_is_suspect(canary, key, meta):
            return None
        if meta is None or canary.invalid:
            return config_cause(canary, key, meta, None)
        version, checksum = self._record.contents.get(key, ("", None))
        if version != meta.resource_version:
            if self._too_soon(key):
                return None
            item = await self._read(key)
            meta = Meta.of(item) if item else None
            checksum = checksum_if_tracked(tracked_name(key), item)
            if meta is not None:
                self._record.contents[key] = meta.resource_version, checksum
        return config_cause(canary, key, meta, checksum)

    async def _object(self, key: Key, before: Meta | None) -> Cause | None:
        canary = self._canary
        if key.kind == CANARY.kind:
            return ready_again_cause(canary, key, before)
        if canary.objects.get(key) is Role.SOURCE:
            return await self._source(key, before)
        projected = canary.objects.get(key) in PROJECTED
        if projected and before is not None and key not in self._fleet.known:
            self._baselines[key] = None
            return lost_cause(canary, key, before)
        if key == canary.awaited:
            return await self._awaited(key)
        return await self._projected(key, before) if projected else None

    def _missing(self, key: Key) -> Cause | None:
        """What is not there although nobody saw it go: no watcher ran, or nothing could be done about it then.

        Told once until it is back. What cannot be made is tried again at each tick or resync, and told by the handlers.
        """
        place = (ChangeReason.DRIFT.value, str(key))
        told = self._record.said.get(place, "").endswith(GONE)
        if key in self._fleet.known:
            if told:
                del self._record.said[place]
            return None
        if told or self._moved.get(key) is not None or not self._fleet.knows(key):
            return None
        return lost_cause(self._canary, key, None)

    def _foreign(self, key: Key) -> Cause | None:
        """Whatever the phase: that it was not us is known by who wrote, without reading it.

        A tick compares routes and primary alone, and whoever edited a Service in a rollout has users waiting. Who edits
        again and again is told once a second.
        """
        if self._canary.suspended or self._canary.deleting or key not in self._fleet.known:
            return None
        if self._too_soon(key):
            del self._edited[key]
            return None
        self._record.looked[key] = asyncio.get_running_loop().time()
        return drift_cause(key, self._edited[key])

    async def _source(self, key: Key, before: Meta | None) -> Cause | None:
        """Somebody's object that we copy from: followed at once, whatever the phase."""
        after = self._fleet.known.get(key)
        if after is None:
            self._baselines[key] = None
            return lost_cause(self._canary, key, before)
        if self._canary.suspended or self._canary.deleting or (before is not None and after.same_content(before)):
            return None
        if before is None and not self._canary.misses_a_source:  # the first that we hear of it
            self._baselines[key] = None
            return None
        return await self._read_again(key)

    async def _awaited(self, key: Key) -> Cause | None:
        if self._too_soon(key) or (item := await self._read(key)) is None:
            return None
        self._baselines[key] = Baseline.first(fingerprint(item, key.kind))
        return ready_cause(self._canary, key, item, self._now)

    async def _projected(self, key: Key, before: Meta | None) -> Cause | None:
        after = self._fleet.known.get(key)
        if after is not None and before is not None and after.same_content(before):
            return None
        gateway = self._canary.objects[key] is Role.GATEWAY  # its report on what we wrote may be news
        # the first that we hear of it; or who wrote is known, and `_foreign` tells
        nothing_new = before is None or (before.written is not None and not gateway)
        if nothing_new or not self._canary.at_rest:
            self._baselines[key] = None
            return None
        cause, item = await self._read_again(key), self._items.get(key)
        if cause is None and item is not None and gateway:
            return verdict_cause(self._canary, key, item)
        return cause

    async def _read_again(self, key: Key) -> Cause | None:
        if self._too_soon(key) or (item := await self._read(key)) is None:
            return None
        foreign, self._baselines[key] = drift(self._record.baselines.get(key), fingerprint(item, key.kind))
        return drift_cause(key, str(item["metadata"]["resourceVersion"])) if foreign else None

    def _too_soon(self, key: Key) -> bool:
        """Whether ``key`` was read within the last second; then it is looked at when that is over."""
        elapsed = asyncio.get_running_loop().time() - self._record.looked.get(key, -LOOK_EVERY)
        if key in self._items or elapsed >= LOOK_EVERY:
            return False
        if key in self._moved:
            self._record.moved.setdefault(key, self._moved[key])
        self._fleet.enqueue_later(self._canary.uid, LOOK_EVERY - elapsed)
        return True

    async def _read(self, key: Key) -> dict[str, Any] | None:
        if key not in self._items:
            resource = _READABLE.get(key.kind)
            if resource is None:  # a kind that we do not know: the handlers say so, the Canary is Invalid
                return None
            self._metrics.reads.labels(key.kind).inc()
            self._items[key] = await self._kube.find(resource, key.namespace, key.name)
            self._record.looked[key] = asyncio.get_running_loop().time()
        return self._items[key]
