"""HorizontalPodAutoscalers keep a running target between its bounds; there are no metrics here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from deploy.sandbox.kube.admission import Options
from deploy.sandbox.kube.cluster import Cluster
from deploy.sandbox.kube.resources import Resource
from deploy.sandbox.kube.store import Change, Key

from . import pods

Object = dict[str, Any]
AUTOSCALERS = "horizontalpodautoscalers.autoscaling"

Condition = tuple[str, str, str, str]
"""Type, status, reason, message."""

_ABLE: Condition = (
    "AbleToScale",
    "True",
    "SucceededGetScale",
    "the HPA controller was able to get the target's current scale",
)
_UNABLE: Condition = (
    "AbleToScale",
    "False",
    "FailedGetScale",
    "the HPA controller was unable to get the target's current scale",
)
_DISABLED: Condition = (
    "ScalingActive",
    "False",
    "ScalingDisabled",
    "scaling is disabled since the replica count of the target is zero",
)
_BLIND: Condition = ("ScalingActive", "False", "FailedGetResourceMetric", "there is no metrics server here")


class Autoscalers:
    resources = (AUTOSCALERS, "deployments.apps", "replicasets.apps", "statefulsets.apps")

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def keys(self, change: Change) -> Iterable[Key]:
        if change.resource == AUTOSCALERS:
            return [change.record.key]
        return [
            record.key
            for record in self.cluster.store.records(AUTOSCALERS, change.record.key[0])
            if record.load()["spec"]["scaleTargetRef"]["name"] == change.record.key[1]
        ]

    def sync(self, key: Key) -> float | None:
        record = self.cluster.store.get(AUTOSCALERS, key)
        if record is None:
            return None
        own = record.load()
        resource = self._target(own)
        name = own["spec"]["scaleTargetRef"]["name"]
        target = self.cluster.store.get(resource.key, (key[0], name)) if resource else None
        if resource is None or target is None:
            self._write(own, {}, [_UNABLE])
            return None
        obj = target.load()
        wanted, current = obj["spec"].get("replicas", 1), (obj.get("status") or {}).get("replicas", 0)
        if wanted == 0:
            self._write(own, {"currentReplicas": current, "desiredReplicas": 0}, [_ABLE, _DISABLED])
            return None
        bounded = min(max(wanted, own["spec"].get("minReplicas", 1)), own["spec"]["maxReplicas"])
        if bounded != wanted:
            self._scale(resource, target.key, bounded)
        self._write(own, {"currentReplicas": current, "desiredReplicas": bounded}, [_ABLE, _BLIND])
        return None

    def _scale(self, resource: Resource, key: Key, replicas: int) -> None:
        def change(present: Object) -> Object:
            present["spec"]["replicas"] = replicas
            return present

        self.cluster.patch(resource, resource.stored_version, key, change, Options(manager=pods.ME.manager))

    def _target(self, own: Object) -> Resource | None:
        reference = own["spec"]["scaleTargetRef"]
        group = reference.get("apiVersion", "").rpartition("/")[0]
        return self.cluster.resources.of_kind(group, reference["kind"])

    def _write(self, own: Object, counts: Object, conditions: list[Condition]) -> None:
        known = {one["type"]: one for one in (own.get("status") or {}).get("conditions") or ()}
        found: list[Object] = []
        for kind, state, reason, message in conditions:
            since = (
                known[kind]["lastTransitionTime"] if known.get(kind, {}).get("status") == state else self.cluster.now()
            )
            found.append(
                {"type": kind, "status": state, "reason": reason, "message": message, "lastTransitionTime": since}
            )
        status: Object = {"currentReplicas": 0, "desiredReplicas": 0, **counts, "conditions": found}
        pods.write_status(self.cluster, self.cluster.resources.stored(AUTOSCALERS), own, status)
