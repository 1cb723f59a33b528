"""The /scale subresource: replicas of anything, in one shape."""

from __future__ import annotations

from typing import Any

from . import errors, selectors
from .request import Target
from .store import Record

Object = dict[str, Any]


def _at(obj: Object, path: str) -> Any:
    value: Any = obj
    for part in path.strip(".").split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _selector(target: Target, obj: Object) -> str:
    paths = target.version.scale or {}
    if target.resource.custom:
        return str(_at(obj, paths.get("labelSelectorPath", ".none")) or "")
    return selectors.as_text(obj["spec"].get("selector"))


def of(target: Target, record: Record) -> Object:
    """The Scale of an object. Raises StatusError 404 when its kind has none."""
    paths = target.version.scale
    if paths is None:
        raise errors.StatusError(404, "NotFound", "the server could not find the requested resource")
    obj = record.load()
    metadata = {
        name: obj["metadata"][name]
        for name in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
        if name in obj["metadata"]
    }
    status: Object = {"replicas": _at(obj, paths["statusReplicasPath"]) or 0}
    if selector := _selector(target, obj):
        status["selector"] = selector
    return {
        "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata,
        "spec": {"replicas": _at(obj, paths["specReplicasPath"]) or 0}, "status": status,
    }  # fmt: skip


def with_replicas(target: Target, obj: Object, scaled: Object) -> Object:
    """The object with the replicas of a changed Scale. Raises StatusError 422 for a negative number."""
    replicas = (scaled.get("spec") or {}).get("replicas", 0)
    if replicas < 0:
        cause = errors.invalid_value("spec.replicas", replicas, "must be greater than or equal to 0")
        raise errors.invalid("autoscaling", "Scale", obj["metadata"]["name"], [cause])
    *way, last = (target.version.scale or {})["specReplicasPath"].strip(".").split(".")
    parent = obj
    for part in way:
        parent = parent.setdefault(part, {})
    parent[last] = replicas
    if version := (scaled.get("metadata") or {}).get("resourceVersion"):
        obj["metadata"]["resourceVersion"] = version
    return obj
