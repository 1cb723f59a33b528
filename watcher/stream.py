"""List, then watch: every change of one kind of object, none lost and none made up (design: kubernetes, lessons).

A watch that ends is continued from the last resource version or bookmark. When the server has forgotten that version
(410) everything is listed again and compared with what was known: only real differences are passed on.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, NamedTuple, Protocol, cast

from handlers.adapters.errors import AdapterError, Gone, NotFound, TransientError
from handlers.adapters.kube import Kube, WatchEvent
from schemas.resources import Resource
from watcher.compare import Meta
from watcher.index import Key
from watcher.metrics import WatcherMetrics
from watcher.writers import edited

_log = logging.getLogger("watcher.stream")
_FIRST_DELAY = 0.2
_LONGEST_DELAY = 30.0
_SHORT_LIFE = 1.0
"""Seconds: a watch that ends sooner without having said anything is a fault, or we would spin."""


class Moved(NamedTuple):
    """One object: what was known of it, what is now (None: gone), and the object itself where it is watched whole."""

    key: Key
    before: Meta | None
    after: Meta | None
    item: Mapping[str, Any] | None = None

    @property
    def edited(self) -> bool:
        """Whether somebody else than we did it."""
        if self.before is None or self.after is None:
            return False
        return edited(self.before.written, self.after.written)


class Sink(Protocol):
    def moved(self, moved: Moved) -> None: ...

    def listed(self, kind: str, namespace: str | None) -> None:
        """Every object of ``kind`` there (None: everywhere) was passed on: one that is not known does not exist."""


class Stream:
    """One kind in one namespace (None: all). ``whole``: objects are needed in full, not only their metadata.

    ``optional``: the kind may not be installed; it is looked for again quietly.
    """

    def __init__(
        self,
        kube: Kube,
        resource: Resource,
        namespace: str | None,
        sink: Sink,
        metrics: WatcherMetrics,
        *,
        whole: bool = False,
        optional: bool = False,
    ) -> None:
        self.resource = resource
        self.namespace = namespace
        self.listed = asyncio.Event()
        self.trouble: str | None = "not listed yet"
        self._kube = kube
        self._sink = sink
        self._metrics = metrics
        self._whole = whole
        self._optional = optional
        self._known: dict[Key, Meta] = {}
        self._version: str | None = None
        self._failures = 0

    @property
    def place(self) -> str:
        return f"{self.resource.plural}{f' in {self.namespace}' if self.namespace else ''}"

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._continue()
            except Gone:
                self._version = None
                self._metrics.watch_restarts.labels(self.resource.kind, "gone").inc()
                await self._pause(None)
            except NotFound as error:
                self._version = None
                if self._optional:
                    self._absent()
                await self._pause(error)
            except AdapterError as error:
                if not isinstance(error, TransientError):
                    self._version = None
                self._metrics.watch_restarts.labels(self.resource.kind, "error").inc()
                await self._pause(error)

    async def _continue(self) -> None:
        if self._version is None:
            await self._list()
        began = asyncio.get_running_loop().time()
        version = self._version
        async with aclosing(self._events()) as events:
            async for event in events:
                self._take(event)
        self._metrics.watch_restarts.labels(self.resource.kind, "ended").inc()
        if self._version == version and asyncio.get_running_loop().time() - began < _SHORT_LIFE:
            await self._pause(None)

    async def _list(self) -> None:
        items, self._version = await self._kube.list(self.resource, self.namespace, metadata_only=not self._whole)
        seen = {self._key(item): item for item in items}
        for key in self._known.keys() - seen.keys():
            self._remove(key)
        for key, item in seen.items():
            self._put(key, item)
        self._well()
        self._all_told()

    def _events(self) -> AsyncGenerator[WatchEvent, None]:
        version = self._version or ""
        events = self._kube.watch(
            self.resource, self.namespace, resource_version=version, metadata_only=not self._whole
        )
        return cast("AsyncGenerator[WatchEvent, None]", events)

    def _take(self, event: WatchEvent) -> None:
        self._version = event.resource_version
        self._failures = (
            0  # not after a list alone: a server that lists but refuses each watch is no quicker asked again
        )
        self._well()
        match event.type:
            case "BOOKMARK":
                pass
            case "DELETED":
                self._remove(self._key(event.object))
            case _:
                self._put(self._key(event.object), event.object)

    def _put(self, key: Key, item: Mapping[str, Any]) -> None:
        after, before = Meta.of(item, self.resource.kind), self._known.get(key)
        if before is not None and before.uid != after.uid:  # a namesake: the other one went while nobody looked
            self._remove(key)
            before = None
        if before is not None and before.resource_version == after.resource_version:
            return
        self._known[key] = after
        self._sink.moved(Moved(key, before, after, item if self._whole else None))

    def _remove(self, key: Key) -> None:
        if before := self._known.pop(key, None):
            self._sink.moved(Moved(key, before, None))

    def _key(self, item: Mapping[str, Any]) -> Key:
        return Key(self.resource.kind, item["metadata"].get("namespace", ""), item["metadata"]["name"])

    def _all_told(self) -> None:
        if not self.listed.is_set():
            self.listed.set()
            self._sink.listed(self.resource.kind, self.namespace)

    def _well(self) -> None:
        if self.trouble is not None and self.listed.is_set():
            _log.info("watching again", extra={"watch": self.place})
        self.trouble = None

    def _absent(self) -> None:
        """A kind that is not installed has no objects."""
        for key in list(self._known):
            self._remove(key)
        self._all_told()

    async def _pause(self, error: AdapterError | None) -> None:
        """Backoff with jitter; what is wrong is logged when it begins and when it changes, not at each attempt."""
        if error is not None:
            text = f"no such kind on this server: {self.place}" if isinstance(error, NotFound) else str(error)
            if text != self.trouble and not self._optional:
                _log.warning("cannot watch; trying again", extra={"watch": self.place, "error": text})
            self.trouble = text
        delay = min(_LONGEST_DELAY, _FIRST_DELAY * 2 ** min(self._failures, 10))
        if isinstance(error, TransientError) and error.delay is not None:
            delay = max(delay, error.delay)
        self._failures += 1
        await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load, keeps no secret
