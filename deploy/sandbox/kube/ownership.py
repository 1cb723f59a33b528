"""Who manages which field: sets of fields as `metadata.managedFields` writes them (FieldsV1).

A set is a tree: `f:<field>`, `k:{"name":"app"}` for an item of a keyed list, `v:<value>` for a member of a
list that is a set; `{}` is a leaf; `.` says that the node itself is a member.
"""

from __future__ import annotations

from typing import Any

import orjson

from .shapes import resolve

Schema = dict[str, Any]
Fields = dict[str, Any]
_NOT_MANAGED = frozenset(
    {
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "selfLink",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "managedFields",
        "generateName",
    }
)


def child_schema(schema: Schema | None, name: str) -> Schema | None:
    schema = resolve(schema)
    if schema is None:
        return None
    if name in (properties := schema.get("properties") or {}):
        child: Schema = properties[name]
        return child
    additional = schema.get("additionalProperties")
    return additional if isinstance(additional, dict) else None


def item_schema(schema: Schema | None) -> Schema | None:
    return resolve((resolve(schema) or {}).get("items"))


def is_atomic(value: Any, schema: Schema | None) -> bool:
    """Whether the value is owned as a whole."""
    marks = resolve(schema) or {}
    if isinstance(value, dict):
        atomic = "atomic" in ((schema or {}).get("x-kubernetes-map-type"), marks.get("x-kubernetes-map-type"))
        return atomic or not value
    if isinstance(value, list):
        return not value or marks.get("x-kubernetes-list-type", "atomic") == "atomic"
    return True


def item_key(item: Any, schema: Schema | None) -> str:
    """The name of a list item in a set of fields."""
    marks = resolve(schema) or {}
    if marks.get("x-kubernetes-list-type") == "map" and isinstance(item, dict):
        properties = (item_schema(schema) or {}).get("properties") or {}
        keys = {
            key: item.get(key, properties.get(key, {}).get("default")) for key in marks["x-kubernetes-list-map-keys"]
        }
        present = {key: value for key, value in keys.items() if value is not None}
        return "k:" + orjson.dumps(present, option=orjson.OPT_SORT_KEYS).decode()
    return "v:" + orjson.dumps(item).decode()


def fields_of(value: Any, schema: Schema | None) -> Fields:
    """All leaves of a value."""
    if is_atomic(value, schema):
        return {}
    if isinstance(value, dict):
        return {f"f:{name}": fields_of(child, child_schema(schema, name)) for name, child in value.items()}
    items = item_schema(schema)
    found: Fields = {}
    for item in value:
        nested = fields_of(item, items) if isinstance(item, dict) else {}
        found[item_key(item, schema)] = {".": {}, **nested} if nested else {}
    return found


def managed(obj: dict[str, Any], schema: Schema | None) -> Fields:
    """The fields of a whole object that a manager can own."""
    return fields_of(manageable(obj), schema)


def manageable(obj: dict[str, Any]) -> dict[str, Any]:
    """The object without what only the server sets."""
    kept = {name: value for name, value in obj.items() if name not in ("apiVersion", "kind")}
    metadata = {name: value for name, value in obj.get("metadata", {}).items() if name not in _NOT_MANAGED}
    if metadata:
        kept["metadata"] = metadata
    else:
        kept.pop("metadata", None)
    return kept


def differing(old: Any, new: Any, schema: Schema | None) -> Fields | None:
    """The leaves that were added, changed or removed between two values; None when there are none."""
    if old == new:
        return None
    same_type = type(old) is type(new) and isinstance(new, dict | list)
    if not same_type or is_atomic(old, schema) or is_atomic(new, schema):
        known = [fields_of(value, schema) for value in (old, new) if isinstance(value, dict | list)]
        merged: Fields = {}
        for fields in known:
            merged = union(merged, fields)
        return merged
    found: Fields = {}
    before, after = _members(old, schema), _members(new, schema)
    for name in {**before, **after}:
        child = child_schema(schema, name[2:]) if isinstance(new, dict) else item_schema(schema)
        if name in before and name in after:
            nested = differing(before[name], after[name], child)
            if nested is not None:
                found[name] = nested
        else:
            value = before[name] if name in before else after[name]
            nested = fields_of(value, child)
            found[name] = {".": {}, **nested} if nested and name.startswith("k:") else nested
    return found


def _members(value: Any, schema: Schema | None) -> dict[str, Any]:
    if isinstance(value, dict):
        return {f"f:{name}": child for name, child in value.items()}
    return {item_key(item, schema): item for item in value}


def within(fields: Fields, value: Any, schema: Schema | None) -> Fields:
    """What of a set is there in a value."""
    if not isinstance(value, dict | list) or not isinstance(fields, dict):
        return {}
    found: Fields = {".": {}} if "." in fields else {}
    members = _members(value, schema)
    for name in fields.keys() & members.keys():
        if not fields[name]:
            found[name] = {}
            continue
        child = child_schema(schema, name[2:]) if isinstance(value, dict) else item_schema(schema)
        nested = within(fields[name], members[name], child)
        if nested:
            found[name] = nested
    return found


def union(one: Fields, other: Fields) -> Fields:
    merged = dict(one)
    for name, nested in other.items():
        if name not in merged:
            merged[name] = nested
        elif merged[name] != nested:
            mine = merged[name] or {".": {}}
            merged[name] = union(mine, nested or {".": {}})
    return merged


def subtract(fields: Fields, other: Fields) -> Fields:
    """What is in `fields` and not in `other`."""
    rest: Fields = {}
    for name, nested in fields.items():
        if name not in other:
            rest[name] = nested
        elif not nested:
            if other[name] and "." not in other[name]:
                rest[name] = nested
        else:
            left = subtract(nested, other[name] or {".": {}})
            if left:
                rest[name] = left
    return rest


def intersect(one: Fields, other: Fields) -> Fields:
    """What is in both."""
    return subtract(one, subtract(one, other))


def paths(fields: Fields, before: str = "") -> list[str]:
    """The leaves as refusals write them: `.spec.containers[name="app"].image`."""
    if not fields:
        return [before]
    found: list[str] = []
    for name, nested in fields.items():
        if name == ".":
            if len(fields) == 1:
                found.append(before)
            continue
        kind, text = name[:2], name[2:]
        if kind == "f:":
            found += paths(nested, f"{before}.{text}")
        elif kind == "k:":
            shown = ",".join(f"{key}={orjson.dumps(value).decode()}" for key, value in orjson.loads(text).items())
            found += paths(nested, f"{before}[{shown}]")
        else:
            found += paths(nested, f"{before}[={text}]")
    return found
