"""Read of each Canary that another controller left, until it is taken over: what its objects are called."""

from __future__ import annotations

from handlers.adapters.kube import Kube, Object
from handlers.core.belongings import owned_by
from handlers.core.left_names import Primary, Trace, as_asked, traces, under_left_names
from handlers.together import together
from schemas.canary import Canary
from schemas.resources import DAEMON_SET, DEPLOYMENT, ROUTE_TABLE, UPSTREAM


async def look(kube: Kube, canary: Canary, primary: Object | None) -> Canary:
    """``canary`` under the names by which its users come; an edit that nobody saw to makes them others than its own.

    ``primary``: what there is under the name that its spec asks for; None is missing or not read.
    """
    upstreams, _ = await kube.list(UPSTREAM, canary.metadata.namespace)
    found = traces(canary, upstreams)
    if set(found) <= {as_asked(canary)} and (primary is not None or not found):
        return canary
    services = list(dict.fromkeys(trace.service for trace in found))
    tables = await together(*(kube.find(ROUTE_TABLE, canary.metadata.namespace, name) for name in services))
    primaries = await _primaries(kube, canary, found)
    return under_left_names(canary, found, primaries, dict(zip(services, tables, strict=True)))


async def _primaries(kube: Kube, canary: Canary, found: tuple[Trace, ...]) -> list[Primary]:
    names = dict.fromkeys((canary.primary, *(trace.primary for trace in found if trace.primary)))
    places = [(resource, name) for name in names for resource in (DEPLOYMENT, DAEMON_SET)]
    items = await together(*(kube.find(resource, canary.metadata.namespace, name) for resource, name in places))
    there = [place for place, item in zip(places, items, strict=True) if item and owned_by(item, canary.metadata.uid)]
    return [Primary(resource.kind, name) for resource, name in there]
