"""The loop: watch, gather for a moment, translate, hand over to Envoy, report."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from deploy.sandbox.gateway.envoy import Envoy
from deploy.sandbox.gateway.reporter import Reporter
from deploy.sandbox.gateway.snapshot import Objects, Place, Snapshot
from deploy.sandbox.gateway.translate import translate
from deploy.sandbox.mirror import Mirror
from handlers.adapters.kube import Object
from schemas.resources import ENDPOINT_SLICE, ROUTE_TABLE, SERVICE, UPSTREAM, VIRTUAL_SERVICE

WATCHED = (VIRTUAL_SERVICE, ROUTE_TABLE, UPSTREAM, SERVICE, ENDPOINT_SLICE)


class Gateway:
    """``batch`` in seconds: a change after a quiet time is translated at once, those that follow wait for its end."""

    def __init__(
        self,
        mirror: Mirror,
        envoy: Envoy,
        reporter: Reporter,
        *,
        directory: Path,
        batch: float,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._mirror = mirror
        self._envoy = envoy
        self._reporter = reporter
        self._directory = directory
        self._batch = batch
        self._sleep = sleep
        self._good: dict[Place, list[Object]] = {}
        self._ignored: frozenset[str] = frozenset()
        self._refused = 0
        self.ready = asyncio.Event()
        """Set when what was there at the start is in Envoy."""

    async def run(self) -> None:
        """Until cancelled. Raises :class:`EnvoyError` when Envoy has ended."""
        await self._mirror.listed()
        translated: object = None
        while True:
            self._mirror.changed.clear()
            snapshot = self._snapshot()
            if (inputs := _inputs(snapshot)) == translated:
                self._reporter.consider()
                await self._mirror.changed.wait()
                continue
            end = time.monotonic() + self._batch
            await self._translate(snapshot)
            translated = inputs
            self.ready.set()
            await self._sleep(max(0.0, end - time.monotonic()))

    async def _translate(self, snapshot: Snapshot) -> None:
        translation = translate(snapshot, self._directory, self._good)
        self._good = translation.good
        await self._envoy.apply(translation)
        self._reporter.consider(translation.reports)
        await self._warn(translation.ignored)

    async def _warn(self, ignored: frozenset[str]) -> None:
        for what in sorted(ignored - self._ignored):
            _say(f"not translated: {what}")
        self._ignored |= ignored
        refused = await self._envoy.refused_routes()
        if refused > self._refused:
            _say(
                f"Envoy refuses the routes (rds update_rejected {refused}), keeps the old ones, for every application: "
                "look for an invalid regular expression in the RouteTables"
            )
        self._refused = refused

    def _snapshot(self) -> Snapshot:
        return Snapshot(*(dict(self._mirror.objects(resource)) for resource in WATCHED))


def _inputs(snapshot: Snapshot) -> object:
    """Everything that a translation depends on: without statuses, which we write ourselves."""

    def without_status(objects: Objects) -> object:
        return {ref: (item.get("spec"), item["metadata"].get("labels")) for ref, item in objects.items()}

    watched = (snapshot.virtual_services, snapshot.route_tables, snapshot.upstreams, snapshot.services)
    slices = {ref: (item.get("endpoints"), item.get("ports")) for ref, item in snapshot.endpoint_slices.items()}
    return [*map(without_status, watched), slices]


def _say(text: str) -> None:
    print(f"gateway: {text}", file=sys.stderr, flush=True)
