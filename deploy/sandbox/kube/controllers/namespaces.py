"""Every namespace has a ServiceAccount `default` and a ConfigMap with the cluster's certificate."""

from __future__ import annotations

from collections.abc import Iterable

from deploy.sandbox.kube.admission import Options
from deploy.sandbox.kube.cluster import Cluster
from deploy.sandbox.kube.store import Change, Key

from . import pods

_FURNITURE = (
    ("serviceaccounts", {"metadata": {"name": "default"}}),
    ("configmaps", {"metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": ""}}),
)


class Namespaces:
    resources = ("namespaces", "serviceaccounts", "configmaps")

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def keys(self, change: Change) -> Iterable[Key]:
        if change.resource == "namespaces":
            return [change.record.key] if change.kind == "ADDED" else []
        return [("", change.record.key[0])] if change.kind == "DELETED" else []

    def sync(self, key: Key) -> float | None:
        record = self.cluster.store.get("namespaces", key)
        if record is None or record.deleting:
            return None
        for plural, obj in _FURNITURE:
            resource = self.cluster.resources.stored(plural)
            if self.cluster.store.get(plural, (key[1], obj["metadata"]["name"])) is None:
                fresh = {**obj, "metadata": dict(obj["metadata"])}
                self.cluster.create(resource, "v1", key[1], fresh, Options(manager=pods.ME.manager))
        return None
