"""ReplicaSets keep as many pods as they are told to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from deploy.sandbox.kube.cluster import Cluster
from deploy.sandbox.kube.store import Change, Key

from . import pods

Object = dict[str, Any]
REPLICA_SETS = "replicasets.apps"


class ReplicaSets:
    resources = (REPLICA_SETS, "pods")

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def keys(self, change: Change) -> Iterable[Key]:
        if change.resource == REPLICA_SETS:
            return [change.record.key]
        return pods.owner_keys(change.record, "ReplicaSet")

    def sync(self, key: Key) -> float | None:
        record = self.cluster.store.get(REPLICA_SETS, key)
        if record is None:
            return None
        own = record.load()
        active = [pod for pod in pods.owned(self.cluster, "pods", record) if pods.is_active(pod)]
        if not record.deleting:
            active = self._adjust(own, active)
        return self._write_status(own, active)

    def _adjust(self, own: Object, active: list[Object]) -> list[Object]:
        wanted = own["spec"].get("replicas", 1)
        for _ in range(wanted - len(active)):
            pods.create_pod(self.cluster, own, own["spec"]["template"])
        if len(active) <= wanted:
            return [pod for pod in pods.owned(self.cluster, "pods", self._record(own)) if pods.is_active(pod)]
        surplus = sorted(active, key=_keep)[: len(active) - wanted]
        for pod in surplus:
            pods.delete_pod(self.cluster, pod)
        return [pod for pod in active if pod not in surplus]

    def _record(self, own: Object) -> Any:
        return self.cluster.store.get(REPLICA_SETS, (own["metadata"]["namespace"], own["metadata"]["name"]))

    def _write_status(self, own: Object, active: list[Object]) -> float | None:
        least = own["spec"].get("minReadySeconds", 0)
        now = self.cluster.clock()
        waits = [pods.available_in(pod, least, now) for pod in active if pods.is_ready(pod)]
        status: Object = {"replicas": len(active)}
        labels = (own["spec"]["template"].get("metadata") or {}).get("labels") or {}
        labelled = sum(1 for pod in active if labels.items() <= (pod["metadata"].get("labels") or {}).items())
        counts = {
            "fullyLabeledReplicas": labelled,
            "readyReplicas": len(waits),
            "availableReplicas": sum(1 for wait in waits if not wait),
        }
        status |= {name: count for name, count in counts.items() if count}
        status["terminatingReplicas"] = sum(
            1 for pod in pods.owned(self.cluster, "pods", self._record(own)) if "deletionTimestamp" in pod["metadata"]
        )
        status["observedGeneration"] = own["metadata"]["generation"]
        pods.write_status(self.cluster, self.cluster.resources.stored(REPLICA_SETS), own, status)
        return min((wait for wait in waits if wait), default=None)


def _keep(pod: Object) -> tuple[bool, bool, str]:
    """The first in this order go first: not yet bound, not ready, then the youngest."""
    created = pod["metadata"]["creationTimestamp"]
    return bool(pod["spec"].get("nodeName")), pods.is_ready(pod), "".join(chr(255 - ord(letter)) for letter in created)
