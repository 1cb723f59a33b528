"""A Service while it passes from one port or target to another: whoever uses the old one goes on until it is left."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from handlers.core import patches, ports
from schemas.canary import Canary

Object = dict[str, Any]
Port = Mapping[str, Any]


def passing_patch(
    canary: Canary, existing: Mapping[str, Any], wanted: Mapping[str, Any], *, adding: bool
) -> Object | None:
    """``adding``: what is there serves, and must not change yet; afterwards only ports of former names stay."""
    have = (existing.get("spec") or {}).get("ports") or ()
    kept = {names.port for names in canary.status.former if names.service == canary.service}
    passed = passing_ports(have, wanted["spec"]["ports"], kept=kept, adding=adding)
    if not adding:
        return patches.service_patch(canary, existing, {**wanted, "spec": {**wanted["spec"], "ports": passed}})
    if not ports.differ(have, passed):
        return None
    return patches.guarded(existing, {}, {"ports": ports.with_node_ports(have, passed)})


def passing_ports(have: Sequence[Port], want: Sequence[Port], *, kept: Collection[int], adding: bool) -> list[Port]:
    """A port that stays keeps its name, because endpoints are found by it; a new one takes another for a time."""
    if adding:
        there = {port["port"] for port in have}
        return [*have, *_named(have, [port for port in want if port["port"] not in there])]
    numbers = {port["port"] for port in want}
    staying = [port for port in have if port["port"] in kept and port["port"] not in numbers]
    return [*_named(staying, want), *staying]


def _named(staying: Sequence[Port], new: Sequence[Port]) -> list[Port]:
    taken = {port.get("name") for port in staying}
    return [{**port, "name": f"{port['name']}-{port['port']}"} if port.get("name") in taken else port for port in new]
