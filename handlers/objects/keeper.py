"""The finalizer, and the keeper of what serves users until a deletion has brought them back to the target.

Why there is a keeper at all is said in :mod:`handlers.core.belongings`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from handlers.adapters.errors import AlreadyExists, Forbidden
from handlers.adapters.kube import Kube, Object
from handlers.core import pauses
from handlers.core.belongings import Place, keeper, keeper_name, keeper_owner, left_behind, made, own, owned_by
from handlers.core.observation import Observation
from schemas.canary import FINALIZER, Canary
from schemas.gloo import ROUTE_STEP
from schemas.resources import CANARY, CONTROLLER_REVISION, ROUTE_TABLE, SCALED_OBJECT
from schemas.status import Phase, Reason
from schemas.workload import TARGET_STEP


class Keeper:
    """Remembers uids of keepers that it has seen; one that was deleted since then is made again at the next resync."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._uids: dict[str, str] = {}

    async def prepare(self, canary: Canary, seen: Observation, *, everything: bool) -> Canary:
        """Finalizer and keeper are there while ``revertOnDeletion`` is on, and gone when it is not.

        The Canary comes back with its keeper. The finalizer comes first and goes last: it says that there is a keeper.
        """
        began = canary.status.step and canary.status.phase is not Phase.NEW
        if not began or canary.problems or canary.deleting:
            return canary
        wanted, there = canary.spec.revert_on_deletion, FINALIZER in canary.metadata.finalizers
        if not wanted:
            if there:
                await self._delete(canary)
                await self._finalizers(canary, without(canary))
            return canary
        if not there:
            canary = await self._finalizers(canary, (*canary.metadata.finalizers, FINALIZER))
        return await self.hold(canary, seen, everything=everything)

    async def hold(self, canary: Canary, seen: Observation, *, everything: bool = False) -> Canary:
        """What was made before there was a keeper (``revertOnDeletion`` switched on, the peer's) gets it, too."""
        if everything or canary.metadata.uid not in self._uids:
            self._uids[canary.metadata.uid] = await self._uid(canary)
        canary = canary.model_copy(update={"keeper": self._uids[canary.metadata.uid]})
        if any(item is not None and _unheld(canary, item) for item in (seen.primary, seen.route)):
            for place in made(canary):
                item = await self._find(canary, place)
                if item is not None and _unheld(canary, item):
                    owners = [*item["metadata"]["ownerReferences"], keeper_owner(canary)]
                    await self._patch(place, item, {"ownerReferences": owners})
        return canary

    async def secure(self, canary: Canary, seen: Observation) -> None:
        """A Canary that was deleted before it had a keeper. A namespace that is going takes no new objects."""
        with suppress(Forbidden):
            await self.hold(canary, seen)

    async def release(self, canary: Canary) -> None:
        """What leads users to the target belongs to nobody any more, and carries no fence of ours."""
        kept = await self._kube.find(CONTROLLER_REVISION, canary.metadata.namespace, keeper_name(canary))
        uids = (canary.metadata.uid, *((kept["metadata"]["uid"],) if kept else ()))
        for place in left_behind(canary):
            item = await self._find(canary, place)
            if item is None:
                continue
            owners = [one for one in item["metadata"].get("ownerReferences") or () if one.get("uid") not in uids]
            freed = {"ownerReferences": owners or None} if owned_by(item, *uids) else {}
            if place.resource is ROUTE_TABLE:
                freed |= _unmarked(item, ROUTE_STEP)
            if freed:
                await self._patch(place, item, freed)
        for place in own(canary):
            item = await self._find(canary, place)
            if item is None:
                continue
            if place.resource is SCALED_OBJECT:
                if patch := pauses.release_patch(item):
                    await self._kube.patch(place.resource, canary.metadata.namespace, place.name, patch)
            elif freed := _unmarked(item, TARGET_STEP):
                await self._patch(place, item, freed)

    async def let_go(self, canary: Canary) -> None:
        """The last thing that happens to a Canary. Garbage collection takes what only it, or its keeper, owned."""
        ending = canary.status.returning
        if ending is None or ending.reason is not Reason.DEADLINE_EXCEEDED:
            await self._delete(canary)
        await self._finalizers(canary, without(canary))
        self._uids.pop(canary.metadata.uid, None)

    async def _uid(self, canary: Canary) -> str:
        namespace, name = canary.metadata.namespace, keeper_name(canary)
        found = await self._kube.find(CONTROLLER_REVISION, namespace, name)
        if found is None:
            try:
                found = await self._kube.create(CONTROLLER_REVISION, keeper(canary))
            except AlreadyExists:
                found = await self._kube.get(CONTROLLER_REVISION, namespace, name)
        return str(found["metadata"]["uid"])

    async def _delete(self, canary: Canary) -> None:
        await self._kube.delete(CONTROLLER_REVISION, canary.metadata.namespace, keeper_name(canary))

    async def _finalizers(self, canary: Canary, wanted: tuple[str, ...]) -> Canary:
        metadata = canary.metadata
        body = {"metadata": {"resourceVersion": metadata.resource_version, "finalizers": list(wanted) or None}}
        item = await self._kube.patch(CANARY, metadata.namespace, metadata.name, body)
        written = {"resource_version": item["metadata"]["resourceVersion"], "finalizers": wanted}
        return canary.model_copy(update={"metadata": metadata.model_copy(update=written)})

    async def _find(self, canary: Canary, place: Place) -> Object | None:
        return await self._kube.find(place.resource, canary.metadata.namespace, place.name)

    async def _patch(self, place: Place, item: Object, metadata: Object) -> None:
        guarded = {"resourceVersion": item["metadata"]["resourceVersion"], **metadata}
        await self._kube.patch(place.resource, item["metadata"]["namespace"], place.name, {"metadata": guarded})


def without(canary: Canary) -> tuple[str, ...]:
    """Its finalizers but for ours."""
    return tuple(item for item in canary.metadata.finalizers if item != FINALIZER)


def _unheld(canary: Canary, item: Mapping[str, Any]) -> bool:
    return owned_by(item, canary.metadata.uid) and not owned_by(item, canary.keeper)


def _unmarked(item: Object, mark: str) -> Object:
    return {"annotations": {mark: None}} if mark in (item["metadata"].get("annotations") or {}) else {}
