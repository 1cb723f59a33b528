"""Where a route leads."""

from __future__ import annotations

from typing import Any


def shares(route: dict[str, Any]) -> dict[str, int]:
    destinations = route["routeAction"]["multi"]["destinations"]
    return {item["destination"]["upstream"]["name"]: item["weight"] for item in destinations}
