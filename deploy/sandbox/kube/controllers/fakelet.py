"""A stand-in for a kubelet, for tests: one node named `fake`, pods that are Running without running.

Pod annotations and the image decide what becomes of a pod:
    fakelet/ready: "false"        never becomes ready
    fakelet/ready-after: "2s"     becomes ready after that long
    an image with does-not-exist  ErrImagePull, never ready
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from deploy.sandbox.kube.admission import Options
from deploy.sandbox.kube.cluster import Cluster
from deploy.sandbox.kube.store import FIRST_VERSION, Change, Key, Record

from . import pods

Object = dict[str, Any]
NODE = "fake"
ME = Options(manager="fakelet")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")


def seconds(text: str) -> float:
    """A duration such as 1m30s in seconds; 0 for what is none."""
    if not text or not re.fullmatch(rf"({_PART.pattern})+", text):
        return 0.0
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))


class Fakelet:
    resources = ("pods",)

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._due: dict[str, float] = {}
        self._addresses = 0

    def register(self) -> None:
        """Offer the node."""
        nodes = self.cluster.resources.stored("nodes")
        self.cluster.create(nodes, "v1", "", {"metadata": {"name": NODE}}, ME)
        amount = {"cpu": "10000", "memory": "10000Gi", "pods": "50000"}
        now = self.cluster.now()
        ready = {
            "type": "Ready",
            "status": "True",
            "reason": "Fake",
            "message": "fake",
            "lastHeartbeatTime": now,
            "lastTransitionTime": now,
        }
        status = {"capacity": amount, "allocatable": amount, "conditions": [ready]}
        self.cluster.patch(nodes, "v1", ("", NODE), lambda obj: obj | {"status": status}, ME, "status")

    def keys(self, change: Change) -> Iterable[Key]:
        if change.kind == "DELETED":
            self._due.pop(change.record.uid, None)
            return []
        return [change.record.key]

    def sync(self, key: Key) -> float | None:
        record = self.cluster.store.get("pods", key)
        if record is None:
            return None
        pod = record.load()
        node = pod["spec"].get("nodeName")
        if record.deleting:
            if node == NODE:
                resource = self.cluster.resources.stored("pods")
                self.cluster.delete(resource, key, {"gracePeriodSeconds": 0}, ME)
            return None
        if not node:
            self._bind(record)
            return None
        if node == NODE and "startTime" not in (pod.get("status") or {}):
            return self._start(record, pod)
        return None

    def _bind(self, record: Record) -> None:
        def assign(pod: Object) -> None:
            pod["spec"]["nodeName"] = NODE

        self.cluster.rewrite("pods", record, assign)

    def _start(self, record: Record, pod: Object) -> float | None:
        annotations = pod["metadata"].get("annotations") or {}
        now = self.cluster.clock().timestamp()
        due = self._due.setdefault(record.uid, now + seconds(annotations.get("fakelet/ready-after", "")))
        if due > now:
            return due - now
        ready = annotations.get("fakelet/ready") != "false" and not any(
            "does-not-exist" in container["image"] for container in pod["spec"]["containers"]
        )
        status = (pod.get("status") or {}) | self._status(pod, ready)
        pods.write_status(self.cluster, self.cluster.resources.stored("pods"), pod, status)
        return None

    def _status(self, pod: Object, ready: bool) -> Object:
        if not self._addresses:  # beyond all that were given before a restart
            self._addresses = self.cluster.store.version - FIRST_VERSION
        self._addresses += 1
        n, now = self._addresses, self.cluster.now()
        address = f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"
        conditions = [
            {
                "type": kind,
                "status": str(ready or kind in ("PodScheduled", "Initialized")),
                "lastProbeTime": None,
                "lastTransitionTime": now,
            }
            for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
        ]
        return {
            "phase": "Running" if ready else "Pending",
            "startTime": now,
            "hostIP": "127.0.0.1",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "conditions": conditions,
            "containerStatuses": [_container(one, ready, now) for one in pod["spec"]["containers"]],
        }


def _container(spec: Object, ready: bool, now: str) -> Object:
    waiting = {"waiting": {"reason": "ErrImagePull", "message": "fake: never ready"}}
    return {
        "name": spec["name"],
        "image": spec["image"],
        "imageID": "",
        "restartCount": 0,
        "ready": ready,
        "started": ready,
        "lastState": {},
        "state": {"running": {"startedAt": now}} if ready else waiting,
    }
