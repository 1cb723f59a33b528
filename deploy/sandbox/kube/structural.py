"""What a schema does to an object before it is judged: drop unknown fields and nulls, fill in defaults.

The rules are those of structural schemas (apiextensions.k8s.io/v1); the built-in kinds go the same way
with their published shapes.
"""

from __future__ import annotations

import copy
from typing import Any

from .shapes import resolve

Schema = dict[str, Any]
_META = ("apiVersion", "kind", "metadata")


def is_open(schema: Schema) -> bool:
    """Whether an object with this schema may hold any field."""
    return bool(schema.get("x-kubernetes-preserve-unknown-fields")) or schema.get("additionalProperties") is True


def prune(value: Any, schema: Schema | None, path: str, unknown: list[str], root: bool = False) -> Any:
    """The value without what its schema does not know; the paths of what was dropped go to `unknown`.

    `metadata` of a root object is kept whole: its shape is the same for every kind.
    """
    schema = resolve(schema)
    if schema is None:
        return value
    if isinstance(value, dict):
        return _prune_object(value, schema, path, unknown, root or bool(schema.get("x-kubernetes-embedded-resource")))
    if isinstance(value, list):
        items = schema.get("items")
        if items is None:
            return value
        return [prune(item, items, f"{path}[{index}]", unknown) for index, item in enumerate(value)]
    return value


def _prune_object(value: dict[str, Any], schema: Schema, path: str, unknown: list[str], root: bool) -> dict[str, Any]:
    properties = schema.get("properties") or {}
    additional = schema.get("additionalProperties")
    keep_unknown = is_open(schema) or (not properties and additional is None and schema.get("x-free-form", False))
    kept: dict[str, Any] = {}
    for name, child in value.items():
        where = f"{path}.{name}" if path else name
        if root and name in _META:
            kept[name] = child
        elif name in properties:
            kept[name] = prune(child, properties[name], where, unknown)
        elif isinstance(additional, dict):
            kept[name] = prune(child, additional, where, unknown)
        elif keep_unknown:
            kept[name] = child
        else:
            unknown.append(where)
    return kept


def prune_built_in(value: Any, schema: Schema | None, path: str, unknown: list[str], known: Any = None) -> Any:
    """As `prune`, for the built-in kinds: null means unset there, and an object without a shape is free-form.

    What equals `known`, the stored value, needs no second look.
    """
    schema = resolve(schema)
    if schema is None or not isinstance(value, dict | list) or value == known:
        return value
    if isinstance(value, list):
        items = schema.get("items")
        return [prune_built_in(item, items, f"{path}[{index}]", unknown) for index, item in enumerate(value)]
    properties, additional = schema.get("properties"), schema.get("additionalProperties")
    if properties is None and not isinstance(additional, dict):
        return value
    kept: dict[str, Any] = {}
    for name, child in value.items():
        shape = (properties or {}).get(name, additional)
        if shape is None:
            unknown.append(f"{path}.{name}" if path else name)
        elif child is not None and not _is_left_out(name, child, shape):
            before = known.get(name) if isinstance(known, dict) else None
            kept[name] = prune_built_in(child, shape, f"{path}.{name}" if path else name, unknown, before)
    return kept


_SHOWN_EMPTY = frozenset({"rules", "endpoints", "ports", "managedFields"})


def _is_left_out(name: str, value: Any, shape: Schema) -> bool:
    """Empty maps and lists of built-in kinds are not stored."""
    if value == []:
        return name not in _SHOWN_EMPTY
    shape = resolve(shape) or {}
    return value == {} and "properties" not in shape and "additionalProperties" in shape


def drop_nulls(value: Any, schema: Schema | None) -> None:
    """Remove, in place, nulls of fields that may not be null: they count as not given."""
    if schema is None:
        return
    if isinstance(value, list):
        for item in value:
            drop_nulls(item, schema.get("items"))
    elif isinstance(value, dict):
        properties, additional = schema.get("properties") or {}, schema.get("additionalProperties")
        for name in list(value):
            child = properties.get(name, additional if isinstance(additional, dict) else None)
            if child is None:
                continue
            if value[name] is None and not child.get("nullable"):
                del value[name]
            else:
                drop_nulls(value[name], child)


def fill_defaults(value: Any, schema: Schema | None) -> None:
    """Set, in place, what is not given and has a default."""
    if schema is None:
        return
    if isinstance(value, list):
        for item in value:
            fill_defaults(item, schema.get("items"))
    elif isinstance(value, dict):
        properties, additional = schema.get("properties") or {}, schema.get("additionalProperties")
        for name, child in properties.items():
            if "default" in child:
                value.setdefault(name, copy.deepcopy(child["default"]))
            fill_defaults(value.get(name), child)
        for name in value.keys() - properties.keys() if isinstance(additional, dict) else ():
            fill_defaults(value[name], additional)
