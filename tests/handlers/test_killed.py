"""A handler that dies at any of its writes, or is refused there, or finds nobody: in the end it is as if nothing was.

Each flow is played undisturbed, and then once for every write and every fault. What was committed is told in any case.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from handlers.adapters.errors import Forbidden, TransientError, Unavailable
from handlers.adapters.kube import Object
from schemas.canary import Canary, Ref
from schemas.events import Change, ChangeReason, Stimulus
from schemas.resources import CANARY, CONTROLLER_REVISION, DEPLOYMENT, ROUTE_TABLE, SERVICE, UPSTREAM
from schemas.resources import NAMESPACE as NAMESPACES
from schemas.status import IDLE
from tests.handlers.house import House, deployment
from tests.handlers.neighbours import Crash

FAULTS = ("killed", "403", "503")
MADE = (SERVICE, UPSTREAM, ROUTE_TABLE, DEPLOYMENT, CONTROLLER_REVISION)
_MOST = 30
"""Wakes within which a flow comes to its end."""

Step = Callable[[], Awaitable[Stimulus]]


class Strike:
    """The write of this number goes wrong, once. Who is killed has done it, and nothing else afterwards."""

    def __init__(self, house: House, number: int = -1, fault: str = "") -> None:
        self.house, self.number, self.fault = house, number, fault
        self.writes, self.dead = 0, False

    @property
    def happened(self) -> bool:
        return self.writes > self.number

    async def before(self, method: str, path: str) -> None:
        if self.dead:
            raise Crash
        if method == "GET":
            return
        number, self.writes = self.writes, self.writes + 1
        if number != self.number:
            return
        match self.fault:
            case "killed":
                self.dead, self.house.kube.die_after = True, self.house.kube._number - 1
            case "403":
                raise Forbidden(f"{method} {path} is forbidden")
            case "503":
                raise Unavailable(f"{method} {path}: nobody is there")

    def another_process(self) -> None:
        self.dead = False
        self.house.kube.reset()


class Town:
    """One Canary after the other, each in a namespace of its own, in the same house."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.committed: dict[str, int] = {}
        self._numbers = count(1)

    async def move(self, **spec: Any) -> None:
        name = f"n{next(self._numbers)}"
        await self.house.admin.create(NAMESPACES, {"metadata": {"name": name}})
        self.house.namespace, self.house.ref = name, Ref(name, "podinfo")
        await self.house.admin.create(DEPLOYMENT, deployment(2, namespace=name))
        await self.house.ready("podinfo")
        await self.house.canary(**spec)

    async def at_rest(self, **spec: Any) -> None:
        await self.move(**spec)
        await self.house.initialized()

    async def play(self, first: Stimulus, strike: Strike) -> None:
        """Wakes as the watcher and the bus would give them, until the Canary is at rest or gone."""
        house, stimulus = self.house, first
        house.kube.reset()
        house.kube.before = strike.before
        for _ in range(_MOST):
            acked = False
            try:
                await house.wake(stimulus)
                acked = True
            except (Crash, TransientError):
                strike.another_process()
            if acked and await self._is_over():
                house.kube.before = None
                return
            await house.catch_up()
            house.now += timedelta(seconds=10)
            stimulus = house.slot() if acked else stimulus
        raise AssertionError(f"no end: {await house.status()}")

    async def _is_over(self) -> bool:
        item = await self.house.admin.find(CANARY, self.house.namespace, "podinfo")
        if item is None:
            return True
        canary = Canary.from_object(item)
        self.committed[canary.metadata.uid] = canary.status.step
        return canary.status.phase in IDLE and canary.status.settled and not canary.deleting

    def changed(self, reason: ChangeReason) -> Change:
        return Change(namespace=self.house.namespace, name="podinfo", uid=self.house.uid, reason=reason, version="x")

    async def edit(self, **spec: Any) -> Change:
        await self.house.admin.patch(CANARY, self.house.namespace, "podinfo", {"spec": spec})
        return self.changed(ChangeReason.SPEC)

    async def looks_like(self, wanted: Object | None) -> Object:
        """What is there; garbage collection has its time to make it what is wanted."""
        for _ in range(200):
            found = await self._made()
            if wanted is None or found == wanted:
                break
            await asyncio.sleep(0.01)
        return found

    async def _made(self) -> Object:
        lists = [await self.house.admin.list(resource, self.house.namespace) for resource in MADE]
        found = {
            f"{resource.plural}/{item['metadata']['name']}": item
            for resource, (items, _) in zip(MADE, lists, strict=True)
            for item in items
        }
        text = json.dumps({name: _shape(item) for name, item in found.items()})
        return dict(
            json.loads(text.replace(f"{self.house.namespace}-", "ns-").replace(f'"{self.house.namespace}"', '"ns"'))
        )

    async def all_told(self) -> None:
        told: dict[str, set[int]] = defaultdict(set)
        for result in await self.house.results():
            told[result.uid].add(result.step)
        for uid, step in self.committed.items():
            assert told[uid] >= set(range(1, step + 1)), "what was committed is told"


def _shape(item: Object) -> Object:
    """Without what differs from one object to another of the same making."""
    metadata = item["metadata"]
    marks = (metadata.get("annotations") or {}).items()
    spec = {key: value for key, value in (item.get("spec") or {}).items() if not key.startswith("clusterIP")}
    return {
        "labels": metadata.get("labels"),
        "annotations": {key: value for key, value in marks if not key.endswith("-step") and "revision" not in key},
        "owners": sorted(owner["kind"] for owner in metadata.get("ownerReferences") or ()),
        "spec": spec,
    }


Play = Callable[[Strike], Awaitable[str]]
"""Plays a flow; the answer names which of the worlds that it can lead to is wanted."""


async def nothing_is_lost(town: Town, play: Play, kinds: int = 1, faults: tuple[str, ...] = FAULTS) -> int:
    """``kinds`` of worlds the flow leads to, in turn. How many writes failed, of every kind of failure together."""
    wanted = {}
    for _ in range(kinds + 1):
        # the first time there is more to make than later
        kind = await play(Strike(town.house))
        wanted[kind] = await town.looks_like(None)
    assert len(wanted) == kinds
    failed = 0
    for fault in faults:
        for number in count():
            strike = Strike(town.house, number, fault)
            kind = await play(strike)
            assert await town.looks_like(wanted[kind]) == wanted[kind], f"{fault} at write {number}"
            if not strike.happened:
                break
            failed += 1
    await town.all_told()
    return failed


def _upstream(name: str) -> dict[str, str]:
    return {"apiVersion": UPSTREAM.api_version, "kind": UPSTREAM.kind, "name": name}


EDITS: dict[str, list[dict[str, Any]]] = {
    "targetPort": [{"service": {"targetPort": port}} for port in (1234, 5678)],
    "port": [{"service": {"port": port}} for port in (9899, 9898)],
    "upstreamRef": [{"upstreamRef": _upstream(name)} for name in ("one", "two")],
    "apex": [{"service": {"apex": {"labels": {"team": team}}}} for team in ("one", "two")],
}


@pytest.mark.parametrize("edited", EDITS)
async def test_an_edit_is_made_whole_whichever_write_of_it_fails(house: House, edited: str) -> None:
    await house.definitions()
    town, turns = Town(house), count()
    await town.at_rest()
    for name, timeout in (("one", "1s"), ("two", "2s")):
        metadata = {"name": name, "namespace": house.namespace}
        source = {"kube": {"serviceName": "x", "servicePort": 1}, "connectionConfig": {"connectTimeout": timeout}}
        await house.admin.create(UPSTREAM, {"metadata": metadata, "spec": source})

    async def play(strike: Strike) -> str:
        turn = next(turns) % 2
        await town.play(await town.edit(**EDITS[edited][turn]), strike)
        return str(turn)

    assert await nothing_is_lost(town, play, kinds=2) >= len(FAULTS), "an edit is written"


async def test_an_initialisation_beside_what_users_made_ends_whole_whichever_write_of_it_fails(house: House) -> None:
    await house.definitions()
    town = Town(house)

    async def play(strike: Strike) -> str:
        await town.move()
        metadata = {"name": "podinfo", "namespace": house.namespace, "labels": {"team": "a"}}
        ports = [{"name": "http", "port": 9898}]
        await house.admin.create(
            SERVICE, {"metadata": metadata, "spec": {"selector": {"app": "podinfo"}, "ports": ports}}
        )
        await house.admin.create(ROUTE_TABLE, {"metadata": metadata, "spec": {"routes": []}})
        await town.play(town.changed(ChangeReason.SPEC), strike)
        assert await house.selector("podinfo") == {"app": "podinfo-primary"}
        return ""

    await nothing_is_lost(town, play, faults=("killed", "403"))


async def test_a_deletion_leads_back_to_the_target_whichever_write_of_it_fails(house: House) -> None:
    await house.definitions()
    town = Town(house)

    async def play(strike: Strike) -> str:
        await town.at_rest(revertOnDeletion=True)
        await house.admin.delete(CANARY, house.namespace, "podinfo")
        await town.play(town.changed(ChangeReason.DELETED), strike)
        assert await house.admin.find(CANARY, house.namespace, "podinfo") is None
        assert await house.replicas() == 2
        return ""

    await nothing_is_lost(town, play, faults=("killed", "403"))


async def test_a_rollout_ends_promoted_whichever_write_of_it_is_refused(house: House) -> None:
    """What a handler leaves that is killed in one is shown in test_advance."""
    await house.definitions()
    town, turns = Town(house), count()
    await town.at_rest(analysis={"maxWeight": 50, "stepWeight": 50})

    async def play(strike: Strike) -> str:
        image = f"podinfo:{next(turns) % 2 + 2}"
        await house.push(image, announce=False)
        await town.play(town.changed(ChangeReason.REVISION), strike)
        assert await house.image() == image
        return image

    await nothing_is_lost(town, play, kinds=2, faults=("403", "503"))
