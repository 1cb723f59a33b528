"""How a test reads the state of a rollout."""

from __future__ import annotations

from typing import Any

from .client import Object

NEVER = {"fakelet/ready": "false"}


def status(obj: Object) -> Any:
    return obj.get("status", {})


def condition(obj: Object, kind: str) -> Any:
    return next((one for one in status(obj).get("conditions") or () if one["type"] == kind), {})


def rolled_out(obj: Object) -> bool:
    now, wanted = status(obj), obj["spec"]["replicas"]
    counts = {now.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")}
    return bool(now.get("observedGeneration") == obj["metadata"]["generation"] and counts == {wanted})


def complete(obj: Object) -> bool:
    return rolled_out(obj) and condition(obj, "Progressing").get("reason") == "NewReplicaSetAvailable"


def image(name: str) -> Object:
    return {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": name}]}}}}
