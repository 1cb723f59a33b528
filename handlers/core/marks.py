"""Labels, annotations and settings on objects that others write to as well: theirs stay, ours follow their source.

Which keys came from us is written on the object itself, so that one that is gone from its source goes from the object,
and one that somebody else put there is never taken away.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

Object = dict[str, Any]
KEYS = "canarybus.dev/keys"
"""Annotation: the keys of the labels, annotations and settings (fields of the spec) that were copied here, as JSON."""
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_FIELDS = ("labels", "annotations")


def marked(metadata: Object, settings: Iterable[str] = ()) -> Object:
    """``metadata`` with a record of the labels and annotations in it, and of the ``settings`` beside it."""
    keys = {field: sorted(metadata.get(field) or {}) for field in _FIELDS if metadata.get(field)}
    keys |= {"settings": sorted(settings)} if settings else {}
    if not keys:
        return metadata
    record = json.dumps(keys, separators=(",", ":"), sort_keys=True)
    return {**metadata, "annotations": {**(metadata.get("annotations") or {}), KEYS: record}}


def difference(have: Mapping[str, Any], want: Mapping[str, Any]) -> Object:
    """The merge patch of labels and annotations; empty when all of ours are there and nothing of ours is left over."""
    patch: Object = {}
    for field, ours in _recorded(have).items():
        present, wanted = have.get(field) or {}, want.get(field) or {}
        changed: Object = {key: value for key, value in wanted.items() if present.get(key) != value}
        changed |= {key: None for key in ours if key in present and key not in wanted}
        if changed:
            patch[field] = changed
    return patch


def settings(metadata: Mapping[str, Any]) -> list[str]:
    """Fields of the spec that were copied here before."""
    return _record(metadata).get("settings", [])


def _recorded(metadata: Mapping[str, Any]) -> dict[str, list[str]]:
    found = _record(metadata)
    return {"labels": found.get("labels", []), "annotations": [*found.get("annotations", []), KEYS]}


def _record(metadata: Mapping[str, Any]) -> dict[str, list[str]]:
    """Nothing where somebody has made it unreadable."""
    try:
        record = json.loads((metadata.get("annotations") or {}).get(KEYS, "{}"))
    except ValueError:
        return {}
    return {key: keys for key, keys in record.items() if isinstance(keys, list)} if isinstance(record, dict) else {}
