"""The status of a Deployment: counts, and the conditions Available and Progressing."""

from __future__ import annotations

import datetime
import math
from typing import Any

from deploy.sandbox.kube.cluster import Cluster, timestamp
from deploy.sandbox.kube.store import Key

from . import pods

Object = dict[str, Any]
REVISION = "deployment.kubernetes.io/revision"
NO_DEADLINE = 2**31 - 1


def share(value: Any, total: int, up: bool) -> int:
    """A number, or a percentage of `total`, rounded up or down."""
    if isinstance(value, str) and value.endswith("%"):
        exact = int(value[:-1]) * total / 100
        return math.ceil(exact) if up else math.floor(exact)
    return int(value or 0)


def fenceposts(own: Object) -> tuple[int, int]:
    """Pods that may exist beyond the wanted number, and pods of it that may be missing."""
    rolling = own["spec"]["strategy"].get("rollingUpdate") or {}
    replicas = own["spec"]["replicas"]
    surge = share(rolling.get("maxSurge", "25%"), replicas, up=True)
    unavailable = share(rolling.get("maxUnavailable", "25%"), replicas, up=False)
    if own["spec"]["strategy"]["type"] != "RollingUpdate":
        return 0, 0
    return surge, unavailable if surge or unavailable else 1


def condition(status: Object, kind: str) -> Object | None:
    return next((one for one in status.get("conditions") or () if one["type"] == kind), None)


def _set(conditions: list[Object], new: Object, refresh: bool = False) -> None:
    """Put a condition in; `refresh` renews lastUpdateTime even if status and reason are the same."""
    known = next((one for one in conditions if one["type"] == new["type"]), None)
    if known is not None:
        if (known["status"], known["reason"]) == (new["status"], new["reason"]) and not refresh:
            return
        if known["status"] == new["status"]:
            new["lastTransitionTime"] = known["lastTransitionTime"]
        conditions.remove(known)
    conditions.append(new)


def _condition(kind: str, status: str, reason: str, message: str, now: datetime.datetime) -> Object:
    moment = timestamp(now)
    return {"type": kind, "status": status, "reason": reason, "message": message,
            "lastUpdateTime": moment, "lastTransitionTime": moment}  # fmt: skip


def created(cluster: Cluster, key: Key, replica_set: str) -> None:
    """Note in the conditions that a new ReplicaSet was made."""
    resource = cluster.resources.stored("deployments.apps")
    own = cluster.find(resource, key).load()
    if own["spec"].get("progressDeadlineSeconds", NO_DEADLINE) == NO_DEADLINE:
        return
    status = dict(own.get("status") or {})
    conditions = list(status.get("conditions") or ())
    message = f'Created new replica set "{replica_set}"'
    _set(conditions, _condition("Progressing", "True", "NewReplicaSetCreated", message, cluster.clock()))
    pods.write_status(cluster, resource, own, status | {"conditions": conditions})


def calculate(
    own: Object, new: Object | None, sets: list[Object], now: datetime.datetime
) -> tuple[Object, float | None]:
    """The status of now, and the seconds until the progress deadline may have passed."""
    before = own.get("status") or {}
    counts = {
        "replicas": _sum(sets, "replicas"),
        "updatedReplicas": _sum([new] if new else [], "replicas"),
        "readyReplicas": _sum(sets, "readyReplicas"),
        "availableReplicas": _sum(sets, "availableReplicas"),
    }
    wanted = sum(one["spec"]["replicas"] for one in sets)
    counts["unavailableReplicas"] = max(0, wanted - counts["availableReplicas"])
    status: Object = {"observedGeneration": own["metadata"]["generation"]}
    status |= {name: count for name, count in counts.items() if count}
    status["terminatingReplicas"] = _sum(sets, "terminatingReplicas")
    if "collisionCount" in before:
        status["collisionCount"] = before["collisionCount"]
    conditions = [dict(one) for one in before.get("conditions") or ()]
    _, unavailable = fenceposts(own)
    if counts["availableReplicas"] >= own["spec"]["replicas"] - unavailable:
        message = "Deployment has minimum availability."
        _set(conditions, _condition("Available", "True", "MinimumReplicasAvailable", message, now))
    else:
        message = "Deployment does not have minimum availability."
        _set(conditions, _condition("Available", "False", "MinimumReplicasUnavailable", message, now))
    again = _progress(own, new, counts, before, conditions, now)
    status["conditions"] = conditions
    return status, again


def _sum(sets: list[Object], field: str) -> int:
    return sum((one.get("status") or {}).get(field, 0) for one in sets)


def _progress(
    own: Object, new: Object | None, counts: Object, before: Object, conditions: list[Object], now: datetime.datetime
) -> float | None:
    deadline = own["spec"].get("progressDeadlineSeconds", NO_DEADLINE)
    if deadline == NO_DEADLINE:
        return None
    known = condition({"conditions": conditions}, "Progressing")
    if own["spec"].get("paused"):
        if known is None or known["reason"] != "DeploymentPaused":
            _set(conditions, _condition("Progressing", "Unknown", "DeploymentPaused", "Deployment is paused", now))
        return None
    if known is not None and known["reason"] == "DeploymentPaused":
        _set(conditions, _condition("Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed", now))
        known = condition({"conditions": conditions}, "Progressing")
    name = f'ReplicaSet "{new["metadata"]["name"]}"' if new else f'Deployment "{own["metadata"]["name"]}"'
    settled = known is not None and known["reason"] == "NewReplicaSetAvailable"
    if settled and counts["replicas"] == counts["updatedReplicas"]:
        return None
    wanted = own["spec"]["replicas"]
    if counts["updatedReplicas"] == counts["replicas"] == counts["availableReplicas"] == wanted:
        message = f"{name} has successfully progressed."
        _set(conditions, _condition("Progressing", "True", "NewReplicaSetAvailable", message, now))
        return None
    if _moved(counts, before):
        message = f"{name} is progressing."
        _set(conditions, _condition("Progressing", "True", "ReplicaSetUpdated", message, now), refresh=True)
        return float(deadline)
    return _time_out(name, deadline, known, conditions, now)


def _moved(counts: Object, before: Object) -> bool:
    old = counts["replicas"] - counts["updatedReplicas"]
    old_before = before.get("replicas", 0) - before.get("updatedReplicas", 0)
    grew = any(counts[name] > before.get(name, 0) for name in ("updatedReplicas", "readyReplicas", "availableReplicas"))
    return grew or old < old_before


def _time_out(
    name: str, deadline: int, known: Object | None, conditions: list[Object], now: datetime.datetime
) -> float | None:
    if known is None or known["reason"] in ("NewReplicaSetAvailable", "ProgressDeadlineExceeded"):
        return None
    since = datetime.datetime.fromisoformat(known["lastUpdateTime"])
    left = deadline - (now - since).total_seconds()
    if left > 0:
        return left + 0.001
    message = f"{name} has timed out progressing."
    _set(conditions, _condition("Progressing", "False", "ProgressDeadlineExceeded", message, now))
    return None
