"""Server-side apply, and the bookkeeping of managers for every other write."""

from __future__ import annotations

import copy
from typing import Any

from . import errors, ownership
from .ownership import Fields

Schema = dict[str, Any]
Object = dict[str, Any]
APPLY, UPDATE = "Apply", "Update"


def _entries(obj: Object) -> list[Object]:
    """The entries of an object; sets of fields are never changed in place, so they are shared."""
    return [dict(entry) for entry in obj.get("metadata", {}).get("managedFields") or ()]


def _is(entry: Object, manager: str, operation: str, subresource: str) -> bool:
    return (entry.get("manager"), entry.get("operation"), entry.get("subresource", "")) == (
        manager,
        operation,
        subresource,
    )


def _entry(manager: str, operation: str, api_version: str, fields: Fields, now: str, subresource: str) -> Object:
    entry = {"manager": manager, "operation": operation, "apiVersion": api_version, "time": now,
             "fieldsType": "FieldsV1", "fieldsV1": fields}  # fmt: skip
    if subresource:
        entry["subresource"] = subresource
    return entry


def record_update(
    old: Object | None, new: Object, schema: Schema | None, manager: str, now: str, subresource: str = ""
) -> None:
    """Write into `new` who owns its fields after a create, update or patch by `manager`.

    Raises nothing; a write that sets `managedFields` to an empty list resets them, as on a real server.
    """
    metadata = new["metadata"]
    if metadata.get("managedFields") == [] or metadata.get("managedFields") == [{}]:
        metadata.pop("managedFields")
        return
    entries = _entries(old) if old is not None else []
    before = ownership.manageable(old) if old is not None else {}
    changed = ownership.differing(before, ownership.manageable(new), schema)
    if changed:
        entries = _hand_over(entries, changed, new, schema, manager, now, subresource)
    if entries:
        metadata["managedFields"] = entries
    else:
        metadata.pop("managedFields", None)


def _hand_over(
    entries: list[Object], changed: Fields, new: Object, schema: Schema | None, manager: str, now: str, subresource: str
) -> list[Object]:
    present = ownership.within(changed, ownership.manageable(new), schema)
    kept: list[Object] = []
    mine: Object | None = None
    for entry in entries:
        if _is(entry, manager, UPDATE, subresource):
            mine = entry
            kept.append(entry)
            continue
        rest = ownership.subtract(entry["fieldsV1"], changed)
        if rest:
            kept.append(entry | {"fieldsV1": rest})
    if mine is None:
        if present:
            kept.append(_entry(manager, UPDATE, new["apiVersion"], present, now, subresource))
        return kept
    mine["fieldsV1"] = ownership.union(ownership.subtract(mine["fieldsV1"], changed), present)
    if present:  # who only removes moves no time
        mine["time"] = now
    return [entry for entry in kept if entry["fieldsV1"]]


def apply(
    live: Object | None,
    applied: Object,
    schema: Schema | None,
    manager: str,
    force: bool,
    now: str,
    subresource: str = "",
) -> Object:
    """The live object after `manager` applied its configuration; fields it no longer names go away.

    Raises StatusError 409 when the configuration changes a field of another manager and `force` is not set.
    """
    wanted = ownership.managed(applied, schema)
    if live is None:
        created = copy.deepcopy(applied)
        created["metadata"]["managedFields"] = [_entry(manager, APPLY, applied["apiVersion"], wanted, now, subresource)]
        return created
    entries = _entries(live)
    if not entries:
        everything = ownership.managed(live, schema)
        entries = [_entry("before-first-apply", UPDATE, live["apiVersion"], everything, now, "")]
    merged: Object = _merge(live, ownership.manageable(applied), schema)
    changed = ownership.differing(ownership.manageable(live), ownership.manageable(merged), schema) or {}
    others = [entry for entry in entries if not _is(entry, manager, APPLY, subresource)]
    if not force:
        _refuse_conflicts(others, changed)
    mine = next((entry for entry in entries if _is(entry, manager, APPLY, subresource)), None)
    if mine is not None:
        gone = ownership.subtract(mine["fieldsV1"], wanted)
        for entry in others:
            gone = ownership.subtract(gone, entry["fieldsV1"])
        _remove(merged, gone, schema)
    kept = [entry | {"fieldsV1": rest} for entry in others if (rest := ownership.subtract(entry["fieldsV1"], changed))]
    same = mine is not None and mine["fieldsV1"] == wanted and not changed
    own = mine if same and mine is not None else _entry(manager, APPLY, applied["apiVersion"], wanted, now, subresource)
    merged["metadata"]["managedFields"] = [own, *kept]
    if kept == others and same:
        merged["metadata"]["managedFields"] = entries
    return merged


def _refuse_conflicts(others: list[Object], changed: Fields) -> None:
    causes: list[errors.Cause] = []
    for entry in others:
        for path in ownership.paths(ownership.intersect(entry["fieldsV1"], changed)) if changed else ():
            if path:
                how = f' with subresource "{entry["subresource"]}"' if entry.get("subresource") else ""
                using = f" using {entry['apiVersion']}" if entry["operation"] == UPDATE else ""
                text = f'conflict with "{entry["manager"]}"{how}{using}'
                causes.append(errors.Cause("FieldManagerConflict", text, path))
    if causes:
        raise errors.apply_conflict(causes)


def _merge(live: Any, applied: Any, schema: Schema | None) -> Any:
    if ownership.is_atomic(applied, schema) and not isinstance(applied, dict | list):
        return applied
    if isinstance(applied, dict):
        if applied and ownership.is_atomic(applied, schema):
            return copy.deepcopy(applied)
        merged = dict(live) if isinstance(live, dict) else {}
        for name, value in applied.items():
            merged[name] = _merge(merged.get(name), value, ownership.child_schema(schema, name))
        return merged
    if ownership.is_atomic(applied, schema):
        return copy.deepcopy(applied)
    return _merge_list(live if isinstance(live, list) else [], applied, schema)


def _merge_list(live: list[Any], applied: list[Any], schema: Schema | None) -> list[Any]:
    items = ownership.item_schema(schema)
    wanted = {ownership.item_key(item, schema): item for item in applied}
    have = {ownership.item_key(item, schema): item for item in live}
    merged = [_merge(item, wanted[key], items) if key in wanted else item for key, item in have.items()]
    return merged + [copy.deepcopy(item) for key, item in wanted.items() if key not in have]


def _remove(value: Any, gone: Fields, schema: Schema | None) -> None:
    """Take away, in place, the fields of a set; a map that becomes empty by that goes too."""
    for name, nested in gone.items():
        if name.startswith("f:") and isinstance(value, dict):
            field = name[2:]
            if field not in value:
                continue
            if not nested:
                del value[field]
                continue
            value[field] = copy.deepcopy(value[field])
            _remove(value[field], nested, ownership.child_schema(schema, field))
            if value[field] in ({}, []):
                del value[field]
        elif name != "." and isinstance(value, list):
            _remove_item(value, name, nested, schema)


def _remove_item(value: list[Any], name: str, nested: Fields, schema: Schema | None) -> None:
    at = next((index for index, item in enumerate(value) if ownership.item_key(item, schema) == name), None)
    if at is None:
        return
    if not nested or "." in nested:
        value.pop(at)
    else:
        _remove(value[at], nested, ownership.item_schema(schema))
