"""A RouteTable in words, as a person would read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def shares_of(route: Mapping[str, Any]) -> tuple[int, int]:
    """Primary and canary, in percent; a zero is left out, and one that is not named has none."""
    found = {"primary": 0, "canary": 0}
    for destination in route["routeAction"]["multi"]["destinations"]:
        role = "canary" if "-canaryupstream-" in destination["destination"]["upstream"]["name"] else "primary"
        found[role] += int(destination.get("weight", 0))
    return found["primary"], found["canary"]


def in_words(table: Mapping[str, Any] | None) -> tuple[str, ...]:
    """One line a route: who is meant, and how they are split; then what people added: to each route, and the table."""
    if table is None:
        return ()
    lines = [f"{_who(route)}: {'/'.join(map(str, shares_of(route)))}" for route in table["spec"]["routes"]]
    added = [
        f"options {', '.join(sorted(route['options']))}" for route in table["spec"]["routes"] if "options" in route
    ]
    label = ["somebody's label"] if "owner" in (table["metadata"].get("labels") or {}) else []
    return (*lines, *added, *label)


def _who(route: Mapping[str, Any]) -> str:
    found = [matcher["headers"] for matcher in route.get("matchers") or ()]
    return ", or ".join(" and ".join(_header(one) for one in headers) for headers in found) or "everybody"


def copied_for_admin(route: Mapping[str, Any]) -> dict[str, Any]:
    """As people do who want something else for one path: all of the route, with another address behind the path."""
    options = {**route.get("options", {}), "prefixRewrite": "/internal"}
    return {**route, "matchers": [{"prefix": "/admin"}], "options": options}


def _header(header: Mapping[str, Any]) -> str:
    return f"{header['name']} {'~' if header.get('regex') else '='} {header['value']}"
