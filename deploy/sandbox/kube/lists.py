"""Lists: selection, pages, older versions; and what a deletion answers."""

from __future__ import annotations

import base64
from typing import Any

import orjson

from . import errors
from .request import Target
from .store import Record, Store
from .streams import selection

Object = dict[str, Any]
# kinds whose deletion answers the object itself, not a Status
RETURNED = frozenset({"Pod", "Service", "ServiceAccount", "ResourceQuota", "PersistentVolumeClaim", "PersistentVolume"})


def page(store: Store, target: Target, query: Any) -> tuple[list[Record], Object]:
    """The records of a list, or of one page of it, and the metadata of the list.

    Raises StatusError 400 for a bad continue token, 410 for one that is too old, 504 for a future version.
    """
    version, start = store.version, ("", "")
    if token := query.get("continue", ""):
        version, start = _read(token)
    elif (wanted := query.get("resourceVersion", "")).isdigit() and int(wanted):
        if int(wanted) > store.version:
            raise _too_large(int(wanted), store.version)
        if query.get("resourceVersionMatch") == "Exact":
            version = int(wanted)
    selects = selection(target, query)
    namespace = target.namespace if target.resource.namespaced else ""
    records = [
        one for one in store.records(target.resource.key, namespace, version) if one.key > start and selects(one)
    ]
    metadata: Object = {"resourceVersion": str(version)}
    limit = int(query.get("limit") or 0)
    if limit and len(records) > limit:
        metadata["continue"] = _write(version, records[limit - 1].key)
        if not query.get("labelSelector") and not query.get("fieldSelector"):
            metadata["remainingItemCount"] = len(records) - limit
        records = records[:limit]
    return records, metadata


def _write(version: int, key: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps({"v": "meta.k8s.io/v1", "rv": version, "start": key})).decode()


def _read(token: str) -> tuple[int, tuple[str, str]]:
    try:
        found = orjson.loads(base64.urlsafe_b64decode(token))
        namespace, name = found["start"]
        return int(found["rv"]), (namespace, name)
    except (ValueError, KeyError, TypeError) as error:
        raise errors.bad_request(f"invalid continue token: continue key is not valid: {error}") from error


def _too_large(wanted: int, current: int) -> errors.StatusError:
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    details = {"causes": [cause], "retryAfterSeconds": 1}
    message = f"Timeout: Too large resource version: {wanted}, current: {current}"
    return errors.StatusError(504, "Timeout", message, details, {"Retry-After": "1"})


def deleted(target: Target, record: Record) -> Object:
    """The Status that says an object is gone."""
    details = {"name": record.key[1], "group": target.resource.group, "kind": target.resource.plural, "uid": record.uid}
    return {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
        "details": {name: value for name, value in details.items() if value},
    }  # fmt: skip
