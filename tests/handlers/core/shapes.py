"""Targets of each kind: how one is made, what its image is, and what its controller says about its pods."""

from __future__ import annotations

from typing import Any

from schemas.kinds.daemonset import SCALE_TO_ZERO
from schemas.workload import Workload
from tests.handlers.core.manifests import podinfo

Item = dict[str, Any]
NODES = 3


def of_kind(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    """The same Canary on a target of another kind."""
    version = "v1" if kind == "Service" else "apps/v1"
    return {**spec, "targetRef": {"apiVersion": version, "kind": kind, "name": "podinfo"}}


def make(kind: str, image: str = "podinfo:1") -> Item:
    made = podinfo(image)
    if kind == "DaemonSet":
        made["kind"] = kind
        del made["spec"]["replicas"]
    elif kind == "Service":
        ports = [{"name": "http", "port": 9898, "targetPort": 9898, "protocol": "TCP", "nodePort": 30001}]
        address = {"clusterIP": "10.96.0.7", "clusterIPs": ["10.96.0.7"]}
        spec = {"type": "NodePort", "selector": {"app": "podinfo", "image": image}, "ports": ports, **address}
        made = {"apiVersion": "v1", "kind": kind, "metadata": made["metadata"], "spec": spec}
    return made


def image_of(content: Any) -> str:
    """Of a template, or of a Service that chooses its pods by their image."""
    if "selector" in content:
        return str(content["selector"]["image"])
    return str(content["spec"]["containers"][0]["image"])


def set_image(item: Item, image: str) -> None:
    if item["kind"] == "Service":
        item["spec"]["selector"]["image"] = image
    else:
        item["spec"]["template"]["spec"]["containers"][0]["image"] = image


def park(item: Item) -> None:
    """As a person does it."""
    if item["kind"] == "DaemonSet":
        item["spec"]["template"]["spec"].setdefault("nodeSelector", {})[SCALE_TO_ZERO] = "true"
    elif item["kind"] == "Deployment":
        item["spec"]["replicas"] = 0


def is_frozen(item: Item) -> bool:
    strategy = item["spec"].get("updateStrategy") or {}
    return bool(item["spec"].get("paused")) or strategy.get("type") == "OnDelete"


def is_parked(item: Item) -> bool:
    return Workload(item).replicas == 0


def status(item: Item, *, good: int | None, stuck: bool, nodes: int = NODES) -> Item:
    """What its controller writes; ``good``: how many pods become available, None: all.

    That a deadline has passed (``stuck``) is something that only a Deployment can say.
    """
    seen = {"observedGeneration": item["metadata"]["generation"]}
    if item["kind"] == "Service":
        return {"loadBalancer": {}}
    if item["kind"] == "DaemonSet":
        nodes = 0 if is_parked(item) else nodes
        counted = dict.fromkeys(("desired", "current", "updated"), nodes)
        counted = {f"{name}NumberScheduled": count for name, count in counted.items()}
        return {**seen, **counted, "numberAvailable": min(nodes, nodes if good is None else good)}
    wanted = item["spec"]["replicas"]
    reason = "ProgressDeadlineExceeded" if stuck else "NewReplicaSetAvailable"
    return {
        **seen,
        "replicas": wanted,
        "updatedReplicas": wanted,
        "availableReplicas": min(wanted, wanted if good is None else good),
        "conditions": [{"type": "Progressing", "status": "True", "reason": reason}],
    }


def copied(value: Any) -> Any:
    """What came as JSON, all of it; many times as fast as ``copy.deepcopy``."""
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    return [copied(item) for item in value] if isinstance(value, list) else value


def merge(item: Item, patch: dict[str, Any]) -> Item:
    """A JSON merge patch, as the API server applies it."""
    merged = dict(item)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            merged[key] = merge(merged.get(key) or {}, value)
        else:
            merged[key] = value
    return merged
