"""The finalizer, and the keeper of what serves users until a deletion has brought them back to the target.

Why there is a keeper at all is said in :mod:`handlers.core.belongings`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from handlers.adapters.errors import AlreadyExists, Forbidden
from handlers.adapters.kube import Kube, Object
from handlers.core import pauses
from handlers.core.belongings import KEEPER, Place, keeper, keeper_name, keeper_owner, left_behind, made, own, owned_by
from handlers.core.observation import Observation
from schemas.canary import FINALIZER, Canary
from schemas.gloo import ROUTE_STEP
from schemas.resources import CANARY, CONTROLLER_REVISION, ROUTE_TABLE, SCALED_OBJECT
from schemas.status import Phase, Reason
from schemas.workload import TARGET_STEP


class Keeper:
    """Remembers the uids of keepers, so that a tick asks for none.

    One that is gone by now, or was made anew by another process, is noticed by what it does not own any more: garbage
    collection takes its references away.
    """

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
            self._uids.pop(canary.metadata.uid, None)
            if there:
                await self._delete(canary)
                await self._finalizers(canary, without(canary))
            return canary
        if not there:
            canary = await self._finalizers(canary, (*canary.metadata.finalizers, FINALIZER))
        return await self.hold(canary, seen, everything=everything)

    async def hold(self, canary: Canary, seen: Observation, *, everything: bool = False) -> Canary:
        """What was made before there was a keeper (``revertOnDeletion`` switched on, the peer's) gets it, too."""
        known = self._uids.get(canary.metadata.uid, "")
        canary = canary.model_copy(update={"keeper": known})
        if known and not everything and not canary.deleting and not _any_unheld(canary, seen):
            return canary
        canary = await self._kept(canary)
        if _any_unheld(canary, seen):
            await self._hold_all(canary)
        return canary

    async def secure(self, canary: Canary, seen: Observation) -> None:
        """A Canary that was deleted before it had a keeper. A namespace that is going takes no new objects."""
        with suppress(Forbidden):
            await self.hold(canary, seen)

    async def bequeath(self, canary: Canary) -> None:
        """Where the keeper goes on without the Canary: it is there and owns everything before anybody is told so."""
        if _outlives(canary):
            with suppress(Forbidden):  # as above
                await self._hold_all(await self._kept(canary))
                # nobody takes it for one whose Canary owns everything as well
                unmarked: Object = {"metadata": {"labels": {KEEPER: None}}}
                await self._kube.patch(CONTROLLER_REVISION, canary.metadata.namespace, keeper_name(canary), unmarked)

    async def release(self, canary: Canary) -> None:
        """What leads users to the target belongs to nobody any more, and carries no fence of ours."""
        for place in left_behind(canary):
            item = await self._find(canary, place)
            if item is None:
                continue
            owners = item["metadata"].get("ownerReferences") or []
            rest = [one for one in _but_keepers(canary, owners) if one.get("uid") != canary.metadata.uid]
            freed = {"ownerReferences": rest or None} if rest != owners else {}
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
        if not _outlives(canary):
            await self._delete(canary)
        await self._finalizers(canary, without(canary))
        self._uids.pop(canary.metadata.uid, None)

    async def _kept(self, canary: Canary) -> Canary:
        """With the keeper that there is, or a new one."""
        self._uids[canary.metadata.uid] = uid = await self._uid(canary)
        return canary.model_copy(update={"keeper": uid})

    async def _hold_all(self, canary: Canary) -> None:
        for place in made(canary):
            item = await self._find(canary, place)
            if item is not None and _unheld(canary, item):
                owners = [*_but_keepers(canary, item["metadata"]["ownerReferences"]), keeper_owner(canary)]
                await self._patch(place, item, {"ownerReferences": owners})

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


def _outlives(canary: Canary) -> bool:
    ending = canary.status.returning
    return ending is not None and ending.reason is Reason.DEADLINE_EXCEEDED


def _unheld(canary: Canary, item: Mapping[str, Any]) -> bool:
    return owned_by(item, canary.metadata.uid) and not owned_by(item, canary.keeper)


def _any_unheld(canary: Canary, seen: Observation) -> bool:
    return any(item is not None and _unheld(canary, item) for item in (seen.primary, seen.route))


def _but_keepers(canary: Canary, owners: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Without any keeper of this name, also one that is gone: a reference to it would be taken away again."""
    keeper = CONTROLLER_REVISION.kind, keeper_name(canary)
    return [one for one in owners if (one.get("kind"), one.get("name")) != keeper]


def _unmarked(item: Object, mark: str) -> Object:
    return {"annotations": {mark: None}} if mark in (item["metadata"].get("annotations") or {}) else {}
