"""What users add to our routes: it stays whatever we change, as long as it does not decide who is sent where."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

Object = dict[str, Any]
Item = Mapping[str, Any]

_OURS = ("inheritablePathMatchers", "matchers", "routeAction")
_OTHER_ACTIONS = ("redirectAction", "directResponseAction", "delegateAction", "graphqlApiRef")
_OTHER_DESTINATIONS = ("single", "upstreamGroup", "clusterHeader", "dynamicForwardProxy")
_OTHER_SERVICES = ("kube", "consul", "upstream")


def kept(wanted: Sequence[Object], existing: Sequence[Item], upstreams: Collection[str]) -> list[Object]:
    """``wanted`` with the options, names and unknown fields of the existing routes that name our ``upstreams``.

    Of two routes the first is for matching users and the last for everybody: where there was one before, both get what
    it had; where there will be one, it has what the last had. Routes that name none of ours do not stay: they would
    take users away; a VirtualService is the place for them.
    """
    own = [route for route in existing if _names(route) & set(upstreams)] or list(existing)
    if not own:
        return list(wanted)
    theirs = (own[0], own[-1])[-len(wanted) :]
    return [_merged(route, before) for route, before in zip(wanted, theirs, strict=True)]


def _names(route: Item) -> set[str]:
    return {_name(item) for item in _destinations(route)}


def _destinations(route: Item) -> Sequence[Item]:
    found: Sequence[Item] = ((route.get("routeAction") or {}).get("multi") or {}).get("destinations") or ()
    return found


def _name(weighted: Item) -> str:
    return str(((weighted.get("destination") or {}).get("upstream") or {}).get("name", ""))


def _merged(route: Object, before: Item) -> Object:
    action = before.get("routeAction") or {}
    theirs = {_name(item): item for item in _destinations(before)}
    destinations = [_destination(item, theirs.get(_name(item), {})) for item in _destinations(route)]
    multi = {**(action.get("multi") or {}), "destinations": destinations}
    return {
        **_without(before, (*_OURS, *_OTHER_ACTIONS)),
        **route,
        "routeAction": {**_without(action, _OTHER_DESTINATIONS), "multi": multi},
    }


def _destination(ours: Item, theirs: Item) -> Object:
    place = {**_without(theirs.get("destination") or {}, _OTHER_SERVICES), **ours["destination"]}
    return {**theirs, **ours, "destination": place}


def _without(item: Item, keys: Sequence[str]) -> Object:
    return {key: value for key, value in item.items() if key not in keys}
