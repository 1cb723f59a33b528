"""DaemonSets run one pod on every node that their selector allows."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from deploy.sandbox.kube.admission import Options
from deploy.sandbox.kube.cluster import Cluster
from deploy.sandbox.kube.store import Change, Key, Record

from . import deploymentstatus, pods

Object = dict[str, Any]
DAEMON_SETS = "daemonsets.apps"
REVISIONS = "controllerrevisions.apps"
HASH = "controller-revision-hash"


class DaemonSets:
    resources = (DAEMON_SETS, "pods", "nodes")

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def keys(self, change: Change) -> Iterable[Key]:
        if change.resource == DAEMON_SETS:
            return [change.record.key]
        if change.resource == "pods":
            return pods.owner_keys(change.record, "DaemonSet")
        if change.kind == "MODIFIED" and change.previous and change.previous.labels == change.record.labels:
            return []  # a node's heartbeat
        return [record.key for record in self.cluster.store.records(DAEMON_SETS)]

    def sync(self, key: Key) -> float | None:
        record = self.cluster.store.get(DAEMON_SETS, key)
        if record is None:
            return None
        own = record.load()
        digest = pods.template_hash(own["spec"]["template"])
        if not record.deleting:
            self._keep_revision(record, own, digest)
            self._place(record, own, digest)
        return self._write_status(record, own, digest)

    def _nodes(self, own: Object) -> list[str]:
        wanted = (own["spec"]["template"]["spec"].get("nodeSelector") or {}).items()
        return [record.key[1] for record in self.cluster.store.records("nodes") if wanted <= record.labels.items()]

    def _keep_revision(self, record: Record, own: Object, digest: str) -> None:
        known = pods.owned(self.cluster, REVISIONS, record)
        name = pods.named_after(own, digest)
        if any(one["metadata"]["name"] == name for one in known):
            return
        labels = {**(own["spec"]["template"]["metadata"].get("labels") or {}), HASH: digest}
        number = max((one["revision"] for one in known), default=0) + 1
        revision = {
            "apiVersion": "apps/v1", "kind": "ControllerRevision", "revision": number,
            "metadata": {"name": name, "labels": labels, "ownerReferences": [pods.owner_reference(own)]},
            "data": {"spec": {"template": own["spec"]["template"] | {"$patch": "replace"}}},
        }  # fmt: skip
        resource = self.cluster.resources.stored(REVISIONS)
        self.cluster.create(resource, "v1", record.key[0], revision, Options(manager=pods.ME.manager))

    def _place(self, record: Record, own: Object, digest: str) -> None:
        """A pod where one is missing, none where none belongs, old ones replaced a few at a time."""
        nodes = self._nodes(own)
        running = self._by_node(record)
        for node, found in running.items():
            if node not in nodes:
                for pod in found:
                    pods.delete_pod(self.cluster, pod)
        for node in nodes:
            if not running.get(node):
                self._create(own, node, digest)
        if own["spec"]["updateStrategy"]["type"] != "RollingUpdate":
            return
        rolling = own["spec"]["updateStrategy"].get("rollingUpdate") or {}
        room = max(1, deploymentstatus.share(rolling.get("maxUnavailable", 1), len(nodes), up=True))
        room -= sum(1 for node in nodes if not any(pods.is_ready(pod) for pod in running.get(node, ())))
        old = [pod for node in nodes for pod in running.get(node, ()) if not _is_current(pod, digest)]
        for pod in old:
            if not pods.is_ready(pod):  # what does not work may be replaced at once
                pods.delete_pod(self.cluster, pod)
        for pod in [pod for pod in old if pods.is_ready(pod)][: max(0, room)]:
            pods.delete_pod(self.cluster, pod)

    def _by_node(self, record: Record) -> dict[str, list[Object]]:
        found: dict[str, list[Object]] = {}
        for pod in pods.owned(self.cluster, "pods", record):
            if "deletionTimestamp" not in pod["metadata"]:
                found.setdefault(_node(pod), []).append(pod)
        return found

    def _create(self, own: Object, node: str, digest: str) -> None:
        spec = copy.deepcopy(own["spec"]["template"]["spec"])
        name = {"key": "metadata.name", "operator": "In", "values": [node]}
        required = {"nodeSelectorTerms": [{"matchFields": [name]}]}
        affinity = spec.setdefault("affinity", {})
        affinity["nodeAffinity"] = {"requiredDuringSchedulingIgnoredDuringExecution": required}
        labels = {HASH: digest, "pod-template-generation": str(own["metadata"]["generation"])}
        pods.create_pod(self.cluster, own, own["spec"]["template"], labels, spec)

    def _write_status(self, record: Record, own: Object, digest: str) -> float | None:
        nodes, running = self._nodes(own), self._by_node(record)
        placed = [pod for node in nodes for pod in running.get(node, ())[:1]]
        now, least = self.cluster.clock(), own["spec"].get("minReadySeconds", 0)
        waits = [pods.available_in(pod, least, now) for pod in placed if pods.is_ready(pod)]
        available = sum(1 for wait in waits if not wait)
        status: Object = {
            "currentNumberScheduled": len(placed),
            "numberMisscheduled": sum(len(found) for node, found in running.items() if node not in nodes),
            "desiredNumberScheduled": len(nodes), "numberReady": len(waits),
            "observedGeneration": own["metadata"]["generation"],
        }  # fmt: skip
        optional = {
            "updatedNumberScheduled": sum(1 for pod in placed if _is_current(pod, digest)),
            "numberAvailable": available, "numberUnavailable": len(nodes) - available,
        }  # fmt: skip
        status |= {name: count for name, count in optional.items() if count}
        pods.write_status(self.cluster, self.cluster.resources.stored(DAEMON_SETS), own, status)
        return min((wait for wait in waits if wait), default=None)


def _is_current(pod: Object, digest: str) -> bool:
    return bool(pod["metadata"].get("labels", {}).get(HASH) == digest)


def _node(pod: Object) -> str:
    """The node of a pod, or the one that it was made for."""
    if node := pod["spec"].get("nodeName"):
        return str(node)
    affinity = ((pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    ) or {}
    for term in affinity.get("nodeSelectorTerms") or ():
        for match in term.get("matchFields") or ():
            return str(match["values"][0])
    return ""
