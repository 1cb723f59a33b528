"""The primary's copies of tracked ConfigMaps and Secrets: written before its template, taken back when unused."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from handlers.adapters.errors import AlreadyExists, Conflict, Invalid
from handlers.adapters.kube import Kube, Object
from handlers.core import configs
from handlers.core.configs import Config, Revision
from handlers.core.observation import Observation
from handlers.together import together
from schemas.canary import Canary
from schemas.configs import absent_name, copy_names, resource_of, tracked
from schemas.resources import TARGETS


class ConfigCopies:
    """Everything is guarded by the version that was read."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    async def write(self, canary: Canary, revision: Revision, seen: Observation) -> dict[str, str]:
        """The names of the copies by the key of what they copy; all of them are as the revision wants them.

        Raises Conflict when one has moved on, or carries a later step of this Canary.
        """
        await together(
            *(self._hand_over(canary, key) for key in configs.taken_over(seen.primary, seen.target_workload))
        )
        possible = configs.names_to_take(canary, revision, seen.target_workload, seen.primary_workload)
        prefixes = seen.rules.include_label_prefix
        wanted = ((config, possible[config.key]) for config in revision.configs)
        names = await together(*(self._write(canary, config, names, prefixes) for config, names in wanted))
        return {config.key: name for config, name in zip(revision.configs, names, strict=True)}

    async def absent(self, canary: Canary, revision: Revision) -> dict[str, str]:
        """Names of nothing, by the keys of what was not there when the revision was accepted.

        What has come since then belongs to another revision, which is analysed first. But one that is not tracked is
        read as it is.
        """
        found = await together(*(self._find(canary, key) for key in revision.absent))
        later = zip(revision.absent, found, strict=True)
        return {
            key: absent_name(canary.metadata.name, key) for key, item in later if item is None or tracked(key, item)
        }

    async def _write(self, canary: Canary, config: Config, names: Sequence[str], prefixes: Sequence[str]) -> str:
        resource, original = resource_of(config.key)
        for name in names:
            existing = await self._kube.find(resource, canary.metadata.namespace, name)
            if existing is None:
                await self._create(config, configs.copied(canary, config, name, prefixes))
                return name
            if not configs.is_anothers(canary, config, existing):
                await self._follow(canary, config, existing, configs.copied(canary, config, name, prefixes, existing))
                return name
        taken = ", ".join(copy_names(canary.metadata.name, config.key))
        raise Invalid(
            f"no name is left for the primary's copy of {resource.kind} {original}.{canary.metadata.namespace}: "
            f"{taken} are somebody else's or read as they are; rename or delete one of them"
        )

    async def _create(self, config: Config, body: Object) -> None:
        resource, _ = resource_of(config.key)
        try:
            await self._kube.create(resource, body)
        except AlreadyExists as error:
            raise Conflict(f"{resource.kind} {body['metadata']['name']} was made meanwhile") from error

    async def _follow(self, canary: Canary, config: Config, existing: Object, wanted: Object) -> None:
        status = canary.status
        if status.primary_step < configs.fence_of_copy(canary, existing) <= status.step:
            raise Conflict(f"a later step has written {config.key} already")
        if configs.is_current(canary, config, existing):
            return
        resource, _ = resource_of(config.key)
        if existing.get("immutable") or existing.get("type") != config.item.get("type"):
            # neither can be changed, nor be taken back
            metadata = existing["metadata"]
            await self._kube.delete(resource, metadata["namespace"], metadata["name"], uid=metadata["uid"])
            await self._create(config, configs.anew(wanted))
            return
        await self._kube.replace(resource, wanted)

    async def damaged(self, canary: Canary, primary: Mapping[str, Any]) -> bool:
        """Whether a copy that the primary's pods read is missing, or was edited by somebody."""
        found = await asyncio.gather(*(self._find(canary, key) for key in sorted(configs.copies_read(primary))))
        return any(item is None or configs.is_edited(item) for item in found)

    async def _find(self, canary: Canary, key: str) -> Object | None:
        resource, name = resource_of(key)
        return await self._kube.find(resource, canary.metadata.namespace, name)

    async def release(self, canary: Canary, primary: Mapping[str, Any]) -> None:
        """Take back the copies that the primary's pods read no more; what others own as well stays with them."""
        kept = configs.copies_read(primary)
        unused = configs.noted_copies(primary) - kept
        if not unused:
            return
        await asyncio.gather(*(self._release(canary, key) for key in sorted(unused)))
        metadata = primary["metadata"]
        noted = {configs.COPIES: " ".join(sorted(kept)) or None}
        patch = {"metadata": {"resourceVersion": metadata["resourceVersion"], "annotations": noted}}
        await self._kube.patch(TARGETS[canary.spec.target_ref.kind], metadata["namespace"], metadata["name"], patch)

    async def abandon(self, canary: Canary, former: Mapping[str, Any], primary: Mapping[str, Any] | None) -> None:
        """Take back the copies of a primary that goes, but for those that ``primary`` reads."""
        kept = configs.noted_copies(primary)
        await asyncio.gather(*(self._release(canary, key) for key in sorted(configs.noted_copies(former) - kept)))

    async def _release(self, canary: Canary, key: str) -> None:
        resource, name = resource_of(key)
        existing = await self._find(canary, key)
        if existing is None or not configs.owns(canary, existing):
            return
        rest = configs.disowned(canary, existing)
        if rest["metadata"]["ownerReferences"]:
            await self._kube.replace(resource, rest)
        else:
            await self._kube.delete(resource, canary.metadata.namespace, name, uid=existing["metadata"]["uid"])

    async def _hand_over(self, canary: Canary, key: str) -> None:
        """It would go with the Canary, or be written over."""
        existing = await self._find(canary, key)
        if existing is not None and configs.owns(canary, existing):
            await self._kube.replace(resource_of(key)[0], configs.disowned(canary, existing))
