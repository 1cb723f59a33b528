"""Which RouteTables a delegating route leads to."""

from __future__ import annotations

from collections.abc import Callable

from deploy.sandbox.gateway.snapshot import Objects
from deploy.sandbox.mirror import Ref
from handlers.adapters.kube import Object

_EXPRESSIONS: dict[str, Callable[[str | None, list[str]], bool]] = {
    "Equals": lambda value, wanted: value in wanted,
    "DoubleEquals": lambda value, wanted: value in wanted,
    "In": lambda value, wanted: value in wanted,
    "NotEquals": lambda value, wanted: value not in wanted,
    "NotIn": lambda value, wanted: value not in wanted,
    "Exists": lambda value, _: value is not None,
    "DoesNotExist": lambda value, _: value is None,
}


def delegates(action: Object, owner: Ref, route_tables: Objects) -> tuple[list[Ref], list[str]]:
    """The RouteTables of a ``delegateAction`` in the order of their weights, and the warnings about it."""
    if "selector" in action:
        found = select(action["selector"] or {}, owner, route_tables)
        return found, [] if found else ["no route table matches the given selector"]
    wanted = action.get("ref") or action
    target = Ref(wanted.get("namespace") or "", wanted.get("name") or "")
    if target in route_tables:
        return [target], []
    return [], [f"route table {target} missing"]


def select(selector: Object, owner: Ref, route_tables: Objects) -> list[Ref]:
    """No namespaces means the owner's own, ``*`` all of them; a table's lower ``weight`` comes first."""
    namespaces = selector.get("namespaces") or [owner.namespace]
    near = {ref: table for ref, table in route_tables.items() if "*" in namespaces or ref.namespace in namespaces}
    chosen = [ref for ref, table in near.items() if _matches(selector, table["metadata"].get("labels") or {})]
    return sorted(chosen, key=lambda ref: (weight(route_tables[ref]), ref))


def weight(table: Object) -> int:
    return int((table.get("spec") or {}).get("weight") or 0)


def _matches(selector: Object, labels: Object) -> bool:
    equal = all(labels.get(key) == value for key, value in (selector.get("labels") or {}).items())
    return equal and all(_holds(expression, labels) for expression in selector.get("expressions") or [])


def _holds(expression: Object, labels: Object) -> bool:
    known = _EXPRESSIONS.get(expression.get("operator", "Equals"))
    return known is not None and known(labels.get(expression["key"]), expression.get("values") or [])
