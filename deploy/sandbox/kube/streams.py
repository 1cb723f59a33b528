"""Watches: what happened after a version, then what happens, one JSON object a line."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web

from . import errors, render, selectors, views
from .cluster import Cluster
from .request import Target, is_true
from .store import Change, Record

Object = dict[str, Any]
BOOKMARK_EVERY = 60.0  # seconds
LONGEST = 1800.0  # seconds, for a watch that names no timeout


@dataclass(frozen=True)
class Selection:
    """Which objects a list or a watch is about."""

    target: Target
    labels: Callable[[Any], bool] | None
    fields: Callable[[Object], bool] | None

    def __call__(self, record: Record | None) -> bool:
        if record is None:
            return False
        target = self.target
        if target.namespace and target.resource.namespaced and record.key[0] != target.namespace:
            return False
        if target.name and record.key[1] != target.name:
            return False
        if self.labels is not None and not self.labels(record.labels):
            return False
        if self.fields is None:
            return True
        return self.fields(views.from_stored(target.resource, target.version.name, record.load()))


def selection(target: Target, query: Any) -> Selection:
    """Raises StatusError 400 for a selector that cannot be read."""
    kind = target.resource.kind if not target.resource.custom else ""
    return Selection(
        target,
        selectors.labels_match(query.get("labelSelector", "")),
        selectors.fields_match(query.get("fieldSelector", ""), kind, target.version.selectable),
    )


class Stream:
    """One watch of one client."""

    def __init__(self, cluster: Cluster, target: Target, query: Any, form: str, include: str) -> None:
        self.cluster, self.target, self.form, self.include = cluster, target, form, include
        self.selects = selection(target, query)
        self.bookmarks = is_true(query.get("allowWatchBookmarks", ""))
        self.lasts = float(query.get("timeoutSeconds") or LONGEST)
        self.closed = False
        self._lines: deque[bytes] = deque()
        self._ready = asyncio.Event()
        self._first = True
        self._begin(query)
        self.stop = cluster.store.listen(target.resource.key, self._on_change)

    def _begin(self, query: Any) -> None:
        store, version = self.cluster.store, query.get("resourceVersion", "")
        initial = is_true(query.get("sendInitialEvents", "")) or version in ("", "0")
        if initial and query.get("sendInitialEvents", "") != "false":
            for record in store.records(self.target.resource.key):
                if self.selects(record):
                    self._push("ADDED", record)
            if is_true(query.get("sendInitialEvents", "")):
                self._bookmark({"k8s.io/initial-events-end": "true"})
            return
        if not version.isdigit():
            why = f'resourceVersion: Invalid value: "{version}": strconv.ParseUint: parsing "{version}": invalid syntax'
            raise errors.StatusError(500, "", why)
        for change in store.since(self.target.resource.key, int(version)):
            self._on_change(change)

    def _on_change(self, change: Change) -> None:
        """Selectors see an object come and go: what stops matching is DELETED, what starts is ADDED."""
        now = change.kind != "DELETED" and self.selects(change.record)
        before = self.selects(change.previous)
        if now:
            self._push("MODIFIED" if before else "ADDED", change.record)
        elif before:
            self._push("DELETED", change.record)

    def _push(self, kind: str, record: Record) -> None:
        shown = render.one(self.target, record, self.form, self.include, self._first)
        self._first = False
        self._line(kind, shown)

    def _line(self, kind: str, shown: bytes) -> None:
        self._lines.append(b'{"type":"' + kind.encode() + b'","object":' + shown + b"}\n")
        self._ready.set()

    def _bookmark(self, annotations: Object | None = None) -> None:
        if self.form == "table":
            return
        metadata: Object = {"resourceVersion": str(self.cluster.store.version), "creationTimestamp": None}
        if annotations:
            metadata["annotations"] = annotations
        resource, version = self.target.resource, self.target.version.name
        head = {"kind": resource.kind, "apiVersion": resource.api_version(version)}
        if self.form == "metadata":
            head = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
        self._line("BOOKMARK", orjson.dumps({**head, "metadata": metadata}))

    def refuse(self, refusal: errors.StatusError) -> None:
        """End the stream with an ERROR event."""
        self._line("ERROR", orjson.dumps(refusal.body()))
        self.close()

    def close(self) -> None:
        self.closed = True
        self._ready.set()

    async def send(self, response: web.StreamResponse) -> None:
        """Write events until the client goes, the time is over or the stream is closed."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + self.lasts
        while not self.closed and (left := ends - loop.time()) > 0:
            await self._flush(response)
            try:
                async with asyncio.timeout(min(left, BOOKMARK_EVERY)):
                    await self._ready.wait()
            except TimeoutError:
                if self.bookmarks:
                    self._bookmark()
        await self._flush(response)

    async def _flush(self, response: web.StreamResponse) -> None:
        self._ready.clear()
        while self._lines:
            batch = b"".join(self._lines)
            self._lines.clear()
            await response.write(batch)
