"""Which Canaries a subject names: one, or many with ``_all`` as namespace or name. Never another controller's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from handlers.adapters.kube import Kube, Object
from schemas.canary import Canary, Ref
from schemas.events import ALL
from schemas.resources import CANARY
from schemas.settings import Settings
from schemas.status import UnreadableStatusError


class Addressee(NamedTuple):
    """``unreadable`` says why its status cannot be read; then ``canary`` has none. ``item`` is it as it is stored."""

    canary: Canary
    item: Object
    unreadable: str = ""


class Addressees:
    """Ours are those of our provider, in the namespaces that this installation works in."""

    def __init__(self, kube: Kube, settings: Settings) -> None:
        self._kube = kube
        self._provider = settings.provider
        self._namespaces = settings.namespaces

    async def of(self, ref: Ref) -> tuple[Addressee, ...]:
        """By namespace and name; empty when there is none. Raises what the API server refuses."""
        found = [item for namespace in self._within(ref.namespace) for item in await self._list(namespace, ref.name)]
        ours = [one for one in map(_read, found) if one.canary.belongs_to(self._provider)]
        return tuple(sorted(ours, key=lambda one: one.canary.ref))

    def _within(self, namespace: str) -> Sequence[str | None]:
        """None stands for all of them; where only some are ours, each is asked: the right to list may end there."""
        if namespace == ALL:
            return self._namespaces or (None,)
        return (namespace,) if not self._namespaces or namespace in self._namespaces else ()

    async def _list(self, namespace: str | None, name: str) -> Sequence[Object]:
        if name != ALL and namespace is not None:
            one = await self._kube.find(CANARY, namespace, name)
            return () if one is None else (one,)
        found, _ = await self._kube.list(CANARY, namespace)
        return [item for item in found if name in (ALL, item["metadata"]["name"])]


def _read(item: Object) -> Addressee:
    try:
        return Addressee(Canary.from_object(item), item)
    except UnreadableStatusError as error:
        return Addressee(Canary.without_status(item), item, str(error))
