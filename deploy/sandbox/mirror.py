"""A local copy of some kinds of Kubernetes objects, kept by list and watch."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from handlers.adapters.errors import AdapterError, Gone
from handlers.adapters.kube import Kube, Object
from schemas.resources import Resource

_AGAIN = 0.5
"""Seconds before a list or watch that failed is tried again."""


class Ref(NamedTuple):
    """An object's address within its kind; as text the way Gloo writes it: ``namespace.name``."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}.{self.name}"


def ref_of(item: Object) -> Ref:
    return Ref(item["metadata"].get("namespace", ""), item["metadata"]["name"])


class Mirror:
    """``objects`` of every kind as of the last event; ``changed`` is set after each of them.

    A kind that is not served yet (its CRD comes later) is an empty one until it is.
    """

    def __init__(self, kube: Kube, resources: Iterable[Resource]) -> None:
        self._kube = kube
        self._objects: dict[Resource, dict[Ref, Object]] = {resource: {} for resource in resources}
        self._listed = {resource: asyncio.Event() for resource in self._objects}
        self.changed = asyncio.Event()

    def objects(self, resource: Resource) -> Mapping[Ref, Object]:
        """A live view: it changes with the cluster."""
        return self._objects[resource]

    def put(self, resource: Resource, item: Object) -> None:
        """Take over the answer to an own write, ahead of its event; not of an object that is gone by now."""
        known = self._objects[resource].get(ref_of(item))
        if known is not None and _version(known) < _version(item):
            self._objects[resource][ref_of(item)] = item

    async def listed(self) -> None:
        """Returns when every kind has been listed once."""
        await asyncio.gather(*(event.wait() for event in self._listed.values()))

    async def run(self) -> None:
        """Keeps the copy until cancelled."""
        async with asyncio.TaskGroup() as group:
            for resource in self._objects:
                group.create_task(self._follow(resource))

    async def _follow(self, resource: Resource) -> None:
        version = ""
        said = ""
        while True:
            try:
                version = version or await self._list(resource)
                said = ""
                version = await self._watch(resource, version)
            except Gone:
                version = ""
            except AdapterError as error:
                if said != (said := str(error)):
                    print(f"{resource.plural}: {error}; trying again", file=sys.stderr, flush=True)
                version = ""
                await asyncio.sleep(_AGAIN)

    async def _list(self, resource: Resource) -> str:
        items, version = await self._kube.list(resource)
        known = self._objects[resource]  # the same mapping for ever: others hold it
        known.clear()
        known.update((ref_of(item), item) for item in items)
        self._listed[resource].set()
        self.changed.set()
        return version

    async def _watch(self, resource: Resource, version: str) -> str:
        known = self._objects[resource]
        async for event in self._kube.watch(resource, resource_version=version):
            version = event.resource_version
            if event.type == "BOOKMARK":
                continue
            ref = ref_of(event.object)
            if event.type == "DELETED":
                known.pop(ref, None)
            elif ref not in known or _version(known[ref]) < _version(event.object):
                known[ref] = event.object
            else:
                continue
            self.changed.set()
        return version


def _version(item: Object) -> int:
    """Resource versions are opaque to most clients, but etcd's revisions (and ours) are ordered numbers."""
    return int(item["metadata"]["resourceVersion"])
