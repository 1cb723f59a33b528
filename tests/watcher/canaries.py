"""Canaries as the watcher reads them, and hashes for what is compared."""

from __future__ import annotations

from typing import Any

from schemas.canary import Canary
from watcher.watched import Watched

OLD, NEW = "00000000000000aa", "00000000000000bb"
SPEC: dict[str, Any] = {
    "provider": "gloo",
    "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
    "service": {"port": 9898},
    "analysis": {"interval": "30s"},
}


def canary(*, deleted: str = "", spec: dict[str, Any] | None = None, **status: Any) -> Canary:
    """``deleted``: the finalizer that holds it."""
    metadata: dict[str, Any] = {"name": "podinfo", "namespace": "test", "uid": "0b1b", "generation": 3}
    metadata["resourceVersion"] = "77"
    if deleted:
        metadata |= {"deletionTimestamp": "2026-03-01T00:00:00Z", "finalizers": [deleted]}
    known = {"observedGeneration": 3, "step": 12, "settled": True} | status
    return Canary.from_object({"metadata": metadata, "spec": SPEC | (spec or {}), "status": known})


def watched(**kwargs: Any) -> Watched:
    return Watched.of(canary(**kwargs), min_interval=10)
