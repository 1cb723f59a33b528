"""When the gateway translates: at once after a quiet time, and what follows at the end of the batch."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from deploy.sandbox.gateway.envoy import Envoy
from deploy.sandbox.gateway.gateway import WATCHED, Gateway
from deploy.sandbox.gateway.reporter import Reporter
from deploy.sandbox.gateway.snapshot import Translation
from deploy.sandbox.mirror import Mirror, Ref, ref_of
from handlers.adapters.kube import Object
from schemas.resources import ROUTE_TABLE, UPSTREAM, VIRTUAL_SERVICE, Resource
from tests.patience import PATIENCE
from tests.sandbox.gateway.objects import delegating, route_table, upstream, virtual_service, weighted

BATCH = 1.0


class World:
    """A gateway whose clock stands still: each batch lasts until :meth:`end_batch`."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self.applied: asyncio.Queue[Translation] = asyncio.Queue()
        self.resting: asyncio.Queue[tuple[float, asyncio.Event]] = asyncio.Queue()
        self._objects: Mapping[Resource, dict[Ref, Object]] = {resource: {} for resource in WATCHED}

    def put(self, resource: Resource, item: Object) -> None:
        self._objects[resource][ref_of(item)] = item
        self.changed.set()

    def weights(self, primary: int, canary: int) -> None:
        self.put(ROUTE_TABLE, route_table(weighted(primary, canary)))

    async def translated(self) -> Any:
        """The weights of the next translation."""
        routes = (await asyncio.wait_for(self.applied.get(), PATIENCE)).routes
        return [
            each.get("weight", 0)
            for each in routes["virtual_hosts"][0]["routes"][0]["route"]["weighted_clusters"]["clusters"]
        ]

    async def in_a_batch(self) -> asyncio.Event:
        """Set what comes back, and the batch is over."""
        seconds, over = await asyncio.wait_for(self.resting.get(), PATIENCE)
        assert 0 < seconds <= BATCH
        return over

    # ---- what the gateway asks

    async def listed(self) -> None:
        """Everything is there."""

    def objects(self, resource: Resource) -> Mapping[Ref, Object]:
        return self._objects[resource]

    async def apply(self, translation: Translation) -> bool:
        self.applied.put_nowait(translation)
        return True

    async def refused_routes(self) -> int:
        return 0

    def consider(self, reports: Any = None) -> None:
        """Statuses are no matter here."""

    async def sleep(self, seconds: float) -> None:
        over = asyncio.Event()
        self.resting.put_nowait((seconds, over))
        await over.wait()


async def test_a_change_after_a_quiet_time_is_translated_at_once_and_those_that_follow_at_the_end_of_the_batch(
    tmp_path: Path,
) -> None:
    world = World()
    world.put(VIRTUAL_SERVICE, virtual_service(delegating()))
    for side in ("primary", "canary"):
        world.put(UPSTREAM, upstream(side))
    world.weights(100, 0)
    parts = cast(Mirror, world), cast(Envoy, world), cast(Reporter, world)
    made = Gateway(*parts, directory=tmp_path, batch=BATCH, sleep=world.sleep)
    running = asyncio.create_task(made.run())
    assert await world.translated() == [100, 0]
    (await world.in_a_batch()).set()

    world.weights(90, 10)
    assert await world.translated() == [90, 10], "at once"
    over = await world.in_a_batch()
    world.weights(80, 20)
    world.weights(70, 30)
    assert world.applied.empty()
    over.set()
    assert await world.translated() == [70, 30], "both in one"

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
