"""What former names leave behind: looked at, asked whether somebody still uses it, and deleted (spec B23)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from handlers.adapters.kube import Kube, Object
from handlers.core.belongings import Place, owned_by
from handlers.core.former import former_places, orphan, retirement
from handlers.core.observation import Observation, Orphan
from handlers.core.renaming import PROBE_EVERY
from schemas.canary import Canary
from schemas.gloo import Verdict
from schemas.resources import ROUTE_TABLE, TARGETS

Release = Callable[[Canary, Object], Awaitable[None]]


async def look(kube: Kube, canary: Canary) -> tuple[Orphan, ...]:
    """What is ours of it, and what is not ours and leads to something that is."""
    seen: list[Orphan] = []
    for names, places in former_places(canary):
        items = await asyncio.gather(*(_find(kube, canary, place) for place in places))
        found = {place: item for place, item in zip(places, items, strict=True) if item is not None}
        seen += [item for place in found if (item := orphan(canary, names, place, found))]
    return tuple(dict.fromkeys(seen))


async def clear(kube: Kube, canary: Canary, seen: Observation, release: Release) -> None:
    """Routes first; what they lead to when nobody can come that way any more. ``release`` takes a primary's copies."""
    orphans = [item for item in seen.orphans or () if item.ours]
    tables = [item for item in orphans if item.kind == ROUTE_TABLE.kind]
    for item in tables:
        await _retire(kube, canary, seen, item)
    if tables:
        return
    left = {(item.kind, item.name) for item in orphans}
    for _, places in former_places(canary):
        for place in places:
            if (place.resource.kind, place.name) in left:
                await _delete(kube, canary, place, release)


async def _retire(kube: Kube, canary: Canary, seen: Observation, table: Orphan) -> None:
    namespace, since = canary.metadata.namespace, seen.since(table.retired)
    silent = table.verdict is Verdict.SILENT
    if table.retired is not None and silent and since >= seen.rules.gateway_settle:
        await _delete(kube, canary, Place(ROUTE_TABLE, table.name), None)
    elif table.retired is None or (not silent and since >= PROBE_EVERY):
        await kube.patch(ROUTE_TABLE, namespace, table.name, retirement(seen.now))


async def _delete(kube: Kube, canary: Canary, place: Place, release: Release | None) -> None:
    item = await _find(kube, canary, place)
    if item is None or not owned_by(item, canary.metadata.uid):
        return
    if release is not None and place.resource in TARGETS.values():
        await release(canary, item)
    await kube.delete(place.resource, canary.metadata.namespace, place.name, uid=item["metadata"]["uid"])


async def _find(kube: Kube, canary: Canary, place: Place) -> Object | None:
    return await kube.find(place.resource, canary.metadata.namespace, place.name)
