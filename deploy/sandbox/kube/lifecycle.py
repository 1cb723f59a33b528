"""The life of an object: what a write may not change, what counts as a new generation, what delays a deletion."""

from __future__ import annotations

import copy
from typing import Any

from .resources import Resource, Version

Object = dict[str, Any]


def is_home(resource: Resource) -> bool:
    return resource.key == "namespaces"


def lingers(obj: Object) -> bool:
    """A pod waits for its kubelet, a namespace for its contents."""
    if obj["kind"] == "Namespace":
        return bool((obj.get("spec") or {}).get("finalizers"))
    grace: int = obj["metadata"].get("deletionGracePeriodSeconds", 0)
    return grace > 0


def keep_identity(old: Object, new: Object) -> None:
    for name in ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds",
                 "resourceVersion", "generateName", "name", "namespace"):  # fmt: skip
        if name in old:
            new[name] = old[name]
        else:
            new.pop(name, None)
    new.pop("managedFields", None)


def status_only(resource: Resource, shown: Object, obj: Object) -> Object:
    """What a write to /status changes: the status, and for built-in kinds annotations and the like."""
    new = copy.copy(shown)
    new.pop("status", None)
    if "status" in obj:
        new["status"] = obj["status"]
    metadata = dict(shown["metadata"]) if resource.custom else dict(obj["metadata"])
    if resource.group == "apps":
        metadata.pop("labels", None)
        if "labels" in shown["metadata"]:
            metadata["labels"] = shown["metadata"]["labels"]
    metadata["managedFields"] = obj["metadata"].get("managedFields")
    new["metadata"] = metadata
    return new


def counts(resource: Resource, version: Version, old: Object, new: Object) -> bool:
    """Whether this change makes a new generation."""
    if resource.custom:
        ignored = {"metadata", "status"} if version.status else {"metadata"}
        names = (old.keys() | new.keys()) - ignored
        return any(old.get(name) != new.get(name) for name in names)
    if old.get("spec") != new.get("spec"):
        return True
    if resource.kind == "EndpointSlice":
        return any(old.get(name) != new.get(name) for name in ("endpoints", "ports"))
    annotations = (old["metadata"].get("annotations"), new["metadata"].get("annotations"))
    return resource.kind == "Deployment" and annotations[0] != annotations[1]


def add_finalizer(metadata: Object, asked: Object) -> None:
    policy = asked.get("propagationPolicy")
    if policy is None and asked.get("orphanDependents") is not None:
        policy = "Orphan" if asked["orphanDependents"] else "Background"
    wanted = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}.get(policy or "")
    if wanted and wanted not in metadata.setdefault("finalizers", []):
        metadata["finalizers"].append(wanted)


def grace_seconds(resource: Resource, obj: Object, asked: Object) -> int:
    """Seconds that the object stays: only a pod that a node has taken is given any."""
    if resource.kind != "Pod" or resource.custom or not obj["spec"].get("nodeName"):
        return 0
    if (obj.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return 0
    seconds = asked.get("gracePeriodSeconds")
    return int(obj["spec"].get("terminationGracePeriodSeconds", 30) if seconds is None else seconds)
