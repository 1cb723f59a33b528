"""Strategic merge patch: lists with a merge key are merged item by item, with the directives kubectl uses.

`$patch: delete|replace|merge`, `$retainKeys`, `$setElementOrder/<list>`, `$deleteFromPrimitiveList/<list>`.
"""

from __future__ import annotations

from typing import Any

from . import errors
from .shapes import resolve

Schema = dict[str, Any]
Object = dict[str, Any]


def strategic_patch(target: Object, patch: Object, schema: Schema | None) -> Object:
    """The patched object; `schema` tells the merge keys."""
    return _merge_map(target, patch, schema)


def _child(schema: Schema | None, name: str) -> Schema | None:
    """The schema of a field, with the patch marks of the field itself kept when it is a reference."""
    schema = resolve(schema)
    if schema is None:
        return None
    properties = schema.get("properties") or {}
    if name in properties:
        child: Schema = properties[name]
        return child
    additional = schema.get("additionalProperties")
    return additional if isinstance(additional, dict) else None


def _strategies(schema: Schema | None) -> list[str]:
    return str((schema or {}).get("x-kubernetes-patch-strategy", "")).split(",")


def _merge_map(target: Object, patch: Object, schema: Schema | None) -> Object:
    directive = patch.get("$patch")
    if directive == "replace":
        return {name: value for name, value in patch.items() if name != "$patch"}
    if directive == "delete":
        return {}
    merged = dict(target)
    if (retained := patch.get("$retainKeys")) is not None:
        merged = {name: value for name, value in merged.items() if name in retained}
    for name, value in patch.items():
        if name.startswith("$"):
            _list_directive(merged, name, value)
        elif value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merge_value(merged.get(name), value, _child(schema, name))
    for name in [key for key in patch if key.startswith("$setElementOrder/")]:
        _order(merged, name.partition("/")[2], patch[name], schema)
    return merged


def _merge_value(target: Any, value: Any, schema: Schema | None) -> Any:
    if isinstance(value, dict):
        if "replace" in _strategies(schema):
            return value
        return _merge_map(target if isinstance(target, dict) else {}, value, schema)
    if isinstance(value, list):
        if "merge" not in _strategies(schema):
            return _without_directives(value)
        return _merge_list(target if isinstance(target, list) else [], value, schema)
    return value


def _without_directives(value: list[Any]) -> list[Any]:
    return [item for item in value if not (isinstance(item, dict) and "$patch" in item)]


def _merge_list(target: list[Any], patch: list[Any], schema: Schema | None) -> list[Any]:
    key = (schema or {}).get("x-kubernetes-patch-merge-key")
    if key is None:  # a list of plain values: the union
        return target + [item for item in patch if item not in target]
    if any(item.get("$patch") == "replace" for item in patch):
        return [item for item in patch if "$patch" not in item]
    merged = list(target)
    items = (schema or {}).get("items")
    for item in patch:
        if key not in item:
            raise errors.bad_request(f"map: {item} does not contain declared merge key: {key}")
        at = next((index for index, own in enumerate(merged) if own.get(key) == item[key]), None)
        if item.get("$patch") == "delete":
            merged = [own for own in merged if own.get(key) != item[key]]
        elif at is None:
            merged.append(_merge_map({}, item, items))
        else:
            merged[at] = _merge_map(merged[at], item, items)
    return merged


def _list_directive(merged: Object, directive: str, value: Any) -> None:
    kind, _, name = directive.partition("/")
    if kind == "$deleteFromPrimitiveList" and name in merged:
        merged[name] = [item for item in merged[name] if item not in value]
    elif kind not in ("$patch", "$retainKeys", "$setElementOrder", "$deleteFromPrimitiveList"):
        raise errors.bad_request(f"unknown patch directive {directive}")


def _order(merged: Object, name: str, wanted: list[Any], schema: Schema | None) -> None:
    """Items in the order the patch asks for; those it does not name keep their place after their neighbour."""
    key = (_child(schema, name) or {}).get("x-kubernetes-patch-merge-key")
    items = merged.get(name)
    if not isinstance(items, list):
        return
    order = [item.get(key) if isinstance(item, dict) else item for item in wanted]

    def identity(item: Any) -> Any:
        return item.get(key) if isinstance(item, dict) else item

    named = sorted((item for item in items if identity(item) in order), key=lambda item: order.index(identity(item)))
    merged[name] = [named.pop(0) if identity(item) in order else item for item in items]
