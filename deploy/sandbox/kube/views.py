"""The same stored object as another served version shows it."""

from __future__ import annotations

from typing import Any

import orjson

from .resources import Resource
from .store import Record

Object = dict[str, Any]

_EVENT_NAMES = {
    "involvedObject": "regarding", "message": "note", "reportingComponent": "reportingController",
    "source": "deprecatedSource", "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp", "count": "deprecatedCount",
}  # fmt: skip
_EVENT_NAMES_BACK = {new: old for old, new in _EVENT_NAMES.items()}


def is_plain(resource: Resource, version: str) -> bool:
    """Whether this view is the stored object itself."""
    return version == resource.stored_version and not resource.storage


def to_stored(resource: Resource, version: str, obj: Object) -> Object:
    """A request's object as it is stored."""
    if is_plain(resource, version):
        return obj
    if resource.storage == "events":
        renamed = {_EVENT_NAMES_BACK.get(name, name): value for name, value in obj.items()} if resource.group else obj
        return renamed | {"apiVersion": "v1"}
    if resource.kind == "HorizontalPodAutoscaler":
        return _autoscaler_to_v2(obj)
    return obj | {"apiVersion": resource.api_version(resource.stored_version)}


def from_stored(resource: Resource, version: str, obj: Object) -> Object:
    """A stored object as this version shows it."""
    if is_plain(resource, version):
        return obj
    if resource.storage == "events":
        if not resource.group:
            return obj
        return {_EVENT_NAMES.get(name, name): value for name, value in obj.items()} | {"apiVersion": "events.k8s.io/v1"}
    if resource.kind == "HorizontalPodAutoscaler":
        return _autoscaler_to_v1(obj)
    return obj | {"apiVersion": resource.api_version(version)}


def raw(resource: Resource, version: str, record: Record) -> bytes:
    """The bytes of a record in this version."""
    if is_plain(resource, version):
        return record.raw
    return orjson.dumps(from_stored(resource, version, record.load()))


def _is_cpu(metric: Object) -> bool:
    return metric.get("type") == "Resource" and metric["resource"]["name"] == "cpu"


def _autoscaler_to_v2(obj: Object) -> Object:
    spec = dict(obj.get("spec") or {})
    percent = spec.pop("targetCPUUtilizationPercentage", None)
    if percent is not None:
        target = {"type": "Utilization", "averageUtilization": percent}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    status = {
        name: value for name, value in (obj.get("status") or {}).items() if name != "currentCPUUtilizationPercentage"
    }
    return obj | {"apiVersion": "autoscaling/v2", "spec": spec, "status": status}


def _autoscaler_to_v1(obj: Object) -> Object:
    spec = dict(obj.get("spec") or {})
    metrics = spec.pop("metrics", [])
    spec.pop("behavior", None)
    percent = next((one["resource"]["target"].get("averageUtilization") for one in metrics if _is_cpu(one)), None)
    if percent is not None:
        spec["targetCPUUtilizationPercentage"] = percent
    kept = ("observedGeneration", "lastScaleTime", "currentReplicas", "desiredReplicas")
    status = {name: value for name, value in (obj.get("status") or {}).items() if name in kept}
    return obj | {"apiVersion": "autoscaling/v1", "spec": spec, "status": status}
