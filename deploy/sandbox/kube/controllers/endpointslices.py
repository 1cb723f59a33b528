"""EndpointSlices follow Services and the pods they select."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from deploy.sandbox.kube.admission import Options
from deploy.sandbox.kube.cluster import Cluster
from deploy.sandbox.kube.store import Change, Key, Record

from . import pods

Object = dict[str, Any]
SLICES = "endpointslices.discovery.k8s.io"
SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY, ME = "endpointslice.kubernetes.io/managed-by", "endpointslice-controller.k8s.io"


class EndpointSlices:
    resources = ("services", "pods", SLICES)

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def keys(self, change: Change) -> Iterable[Key]:
        if change.resource == "services":
            return [change.record.key]
        namespace = change.record.key[0]
        if change.resource == SLICES:
            name = change.record.labels.get(SERVICE_NAME)
            return [(namespace, name)] if name and change.kind != "ADDED" else []
        states = [record.labels for record in (change.record, change.previous) if record is not None]
        return [
            record.key
            for record in self.cluster.store.records("services", namespace)
            if (selector := record.load()["spec"].get("selector"))
            and any(_selects(selector, labels) for labels in states)
        ]

    def sync(self, key: Key) -> float | None:
        record = self.cluster.store.get("services", key)
        if record is None or record.deleting:
            return None
        service = record.load()
        selector = service["spec"].get("selector")
        if not selector or service["spec"]["type"] == "ExternalName":
            return None
        chosen = [one.load() for one in self.cluster.store.records("pods", key[0]) if _selects(selector, one.labels)]
        wanted: dict[str, tuple[list[Object], list[Object]]] = {}
        for pod in chosen:
            if not (pod.get("status") or {}).get("podIP") or pod["status"].get("phase") in ("Succeeded", "Failed"):
                continue
            ports = _ports(service, pod)
            wanted.setdefault(repr(ports), (ports, []))[1].append(_endpoint(service, pod))
        self._write(record, service, list(wanted.values()) or [([], [])])
        return None

    def _write(self, record: Record, service: Object, wanted: list[tuple[list[Object], list[Object]]]) -> None:
        resource = self.cluster.resources.stored(SLICES)
        known = [
            one.load()
            for one in self.cluster.store.records(SLICES, record.key[0])
            if one.labels.get(SERVICE_NAME) == record.key[1] and one.labels.get(MANAGED_BY) == ME
        ]
        known.sort(key=lambda one: one["metadata"]["creationTimestamp"])
        labels = {**(service["metadata"].get("labels") or {}), SERVICE_NAME: record.key[1], MANAGED_BY: ME}
        if service["spec"].get("clusterIP") == "None":
            labels["service.kubernetes.io/headless"] = ""
        for index, (ports, endpoints) in enumerate(wanted):
            content = {"endpoints": endpoints, "ports": ports}
            if index >= len(known):
                metadata = {
                    "generateName": f"{record.key[1]}-",
                    "labels": labels,
                    "ownerReferences": [pods.owner_reference(service)],
                }
                made = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4"}
                obj = made | {"metadata": metadata} | content
                self.cluster.create(resource, "v1", record.key[0], obj, Options(manager=ME))
            else:
                present = known[index]
                if (
                    any(present.get(name) != value for name, value in content.items())
                    or present["metadata"]["labels"] != labels
                ):
                    present["metadata"]["labels"] = labels
                    key = (record.key[0], present["metadata"]["name"])
                    self.cluster.update(resource, "v1", key, present | content, Options(manager=ME))
        for surplus in known[len(wanted) :]:
            self.cluster.delete(resource, (record.key[0], surplus["metadata"]["name"]), {}, Options(manager=ME))


def _selects(selector: Object, labels: Object) -> bool:
    return bool(selector.items() <= labels.items())


def _ports(service: Object, pod: Object) -> list[Object]:
    found: list[Object] = []
    for port in service["spec"].get("ports") or ():
        number = _number(port, pod)
        if number is None:
            continue
        shown = {"name": port.get("name", ""), "port": number, "protocol": port["protocol"]}
        if "appProtocol" in port:
            shown["appProtocol"] = port["appProtocol"]
        found.append(shown)
    return found


def _number(port: Object, pod: Object) -> int | None:
    target = port.get("targetPort", port["port"])
    if isinstance(target, int):
        return target
    for container in pod["spec"]["containers"]:
        for own in container.get("ports") or ():
            if own.get("name") == target and own["protocol"] == port["protocol"]:
                return int(own["containerPort"])
    return None


def _endpoint(service: Object, pod: Object) -> Object:
    serving = pods.is_ready(pod)
    terminating = "deletionTimestamp" in pod["metadata"]
    ready = bool(service["spec"].get("publishNotReadyAddresses")) or (serving and not terminating)
    metadata = pod["metadata"]
    endpoint = {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
        "targetRef": {
            "kind": "Pod",
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "uid": metadata["uid"],
        },
    }
    if node := pod["spec"].get("nodeName"):
        endpoint["nodeName"] = node
    return endpoint
