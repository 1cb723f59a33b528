"""What was made under former names: where it is, whose it is, and whether anybody is still led there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from handlers.core.belongings import Object, Place, leads_here, made, owned_by
from handlers.core.observation import Orphan
from schemas.base import format_time
from schemas.canary import Canary
from schemas.gloo import read_report
from schemas.names import Names
from schemas.resources import ROUTE_TABLE, SERVICE

RETIRED = "canarybus.dev/retired"
"""On a RouteTable of former names: since when it waits for somebody who still uses it."""


def former_places(canary: Canary) -> Iterator[tuple[Names, tuple[Place, ...]]]:
    """What was made under each of the former names and is not what the names in force make."""
    now = set(made(canary))
    for names in canary.status.former:
        yield names, tuple(place for place in made(canary.under(names)) if place not in now)


def orphan(canary: Canary, names: Names, place: Place, found: Mapping[Place, Mapping[str, Any]]) -> Orphan | None:
    """What an object at a place of former ``names`` is; ``found`` are all of them that are there.

    None: not our concern.
    """
    item, kind, name = found[place], place.resource.kind, place.name
    routes = place.resource is ROUTE_TABLE
    if not owned_by(item, canary.metadata.uid):
        leads = leads_here(canary.under(names), item) if routes else _selects_primary(canary, names, place, found)
        return Orphan(kind=kind, name=name, ours=False) if leads else None
    if routes:
        return Orphan(kind=kind, name=name, ours=True, retired=_retired(item), verdict=read_report(item).verdict)
    return Orphan(kind=kind, name=name, ours=True)


def _selects_primary(canary: Canary, names: Names, place: Place, found: Mapping[Place, Mapping[str, Any]]) -> bool:
    """An apex Service that its user wrote, and that selects the pods of a primary that is not needed any more."""
    before = canary.under(names)
    if place != Place(SERVICE, before.service):
        return False
    selector = (found[place].get("spec") or {}).get("selector") or {}
    primaries = (item for at, item in found.items() if at.name == before.primary and at.resource is not SERVICE)
    return any(selector == (item["spec"].get("selector") or {}).get("matchLabels") for item in primaries)


def retirement(moment: datetime) -> Object:
    """The cleared status makes the gateway speak, if anybody still delegates here."""
    return {"metadata": {"annotations": {RETIRED: format_time(moment)}}, "status": None}


def _retired(item: Mapping[str, Any]) -> datetime | None:
    try:
        return datetime.fromisoformat((item["metadata"].get("annotations") or {}).get(RETIRED, ""))
    except ValueError:
        return None
