"""What users add to our routes: it stays whatever we change, as long as it does not decide who is sent where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Object = dict[str, Any]
Item = Mapping[str, Any]

_OURS = ("inheritablePathMatchers", "matchers", "routeAction")
_OTHER_ACTIONS = ("redirectAction", "directResponseAction", "delegateAction", "graphqlApiRef")
_OTHER_DESTINATIONS = ("single", "upstreamGroup", "clusterHeader", "dynamicForwardProxy")
_OTHER_SERVICES = ("kube", "consul", "upstream")
_ROOT = ("prefix", "/")
"""The path that everybody asks for, which Gloo assumes where a matcher names none."""


def kept(wanted: Sequence[Object], existing: Sequence[Item]) -> list[Object]:
    """``wanted`` with the options, names and unknown fields of the same routes as they are.

    A new route has those of our first if it is for some users and of our last if it is for everybody. Where none is
    ours yet, a table is taken over: its only route, or the one for everybody, counts as ours. Nothing of other routes
    stays: they would take users away, and their options are meant for others; a VirtualService is the place for them.
    """
    own = [route for route in existing if any(_is_like(route, ours) for ours in wanted)]
    own = own or [route for route in existing if len(existing) == 1 or _users(route) == []]
    return [_merged(route, _before(route, own)) for route in wanted]


def _is_like(route: Item, ours: Item) -> bool:
    """By what we make: it leads where ours does, and chooses users by nothing but headers."""
    return _users(route) is not None and _names(route) >= _names(ours)


def _before(route: Object, own: Sequence[Item]) -> Item:
    users = _users(route)
    same = (one for one in own if _users(one) == users)
    return next(same, (own[0] if users else own[-1]) if own else {})


def _users(route: Item) -> list[Item] | None:
    """Who it is for: alternatives of headers, empty for everybody; None if it is for some paths or methods only."""
    found: list[Item] = [dict(field for field in matcher.items() if field != _ROOT) for matcher in _matchers(route)]
    if any(matcher.keys() - {"headers"} for matcher in found):
        return None
    return found if all(matcher.get("headers") for matcher in found) else []


def _matchers(route: Item) -> Sequence[Item]:
    found: Sequence[Item] = route.get("matchers") or ()
    return found


def _names(route: Item) -> set[str]:
    return {_name(item) for item in _destinations(route)}


def _destinations(route: Item) -> Sequence[Item]:
    found: Sequence[Item] = ((route.get("routeAction") or {}).get("multi") or {}).get("destinations") or ()
    return found


def _name(weighted: Item) -> str:
    """Of the upstream, without the port of the Service, which may be another one now."""
    name = ((weighted.get("destination") or {}).get("upstream") or {}).get("name", "")
    return str(name).rpartition("-")[0]


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
