"""Deployments roll out: one ReplicaSet per template, scaled up and down within surge and unavailability."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from deploy.sandbox.kube.admission import Options
from deploy.sandbox.kube.cluster import Cluster
from deploy.sandbox.kube.errors import StatusError
from deploy.sandbox.kube.store import Change, Key, Record

from . import deploymentstatus, pods
from .deploymentstatus import REVISION, fenceposts
from .replicasets import REPLICA_SETS

Object = dict[str, Any]
DEPLOYMENTS = "deployments.apps"
HASH = "pod-template-hash"
DESIRED, MOST = "deployment.kubernetes.io/desired-replicas", "deployment.kubernetes.io/max-replicas"
_NOT_COPIED = frozenset({"kubectl.kubernetes.io/last-applied-configuration", REVISION, DESIRED, MOST,
                         "deployment.kubernetes.io/revision-history", "deprecated.deployment.rollback.to"})  # fmt: skip


class Deployments:
    resources = (DEPLOYMENTS, REPLICA_SETS, "pods")

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def keys(self, change: Change) -> Iterable[Key]:
        if change.resource == DEPLOYMENTS:
            return [change.record.key]
        if change.resource == REPLICA_SETS:
            return pods.owner_keys(change.record, "Deployment")
        return self._waiting_for_pod(change) if change.kind == "DELETED" else []

    def _waiting_for_pod(self, change: Change) -> Iterable[Key]:
        """Recreate goes on when the last old pod is gone."""
        for namespace, name in pods.owner_keys(change.record, "ReplicaSet"):
            owner = self.cluster.store.get(REPLICA_SETS, (namespace, name))
            yield from pods.owner_keys(owner, "Deployment") if owner is not None else ()

    def sync(self, key: Key) -> float | None:
        record = self.cluster.store.get(DEPLOYMENTS, key)
        if record is None:
            return None
        own = record.load()
        sets = pods.owned(self.cluster, REPLICA_SETS, record)
        if not record.deleting:
            new = self._new_set(own, sets)
            if new is None and not own["spec"].get("paused"):
                self._create_set(record, own, sets)
                return 0.0
            if new is not None:
                self._number(own, new, sets)
            self._reconcile(own, new, [one for one in sets if one is not new])
        return self._write_status(key)

    def _new_set(self, own: Object, sets: list[Object]) -> Object | None:
        wanted = own["spec"]["template"]
        return next((one for one in sets if _without_hash(one["spec"]["template"]) == wanted), None)

    def _create_set(self, record: Record, own: Object, sets: list[Object]) -> None:
        collisions = (own.get("status") or {}).get("collisionCount", 0)
        digest = pods.template_hash(own["spec"]["template"], collisions)
        template = copy.deepcopy(own["spec"]["template"])
        template.setdefault("metadata", {}).setdefault("labels", {})[HASH] = digest
        selector = copy.deepcopy(own["spec"]["selector"])
        selector.setdefault("matchLabels", {})[HASH] = digest
        surge, _ = fenceposts(own)
        total = sum(one["spec"]["replicas"] for one in sets)
        replicas = own["spec"]["replicas"]
        rolling = own["spec"]["strategy"]["type"] == "RollingUpdate"
        first = max(0, min(replicas + surge - total, replicas)) if rolling else replicas if total == 0 else 0
        annotations = _inherited(own) | {
            REVISION: str(_highest(sets) + 1), DESIRED: str(replicas), MOST: str(replicas + (surge if rolling else 0)),
        }  # fmt: skip
        new: Object = {
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {
                "name": pods.named_after(own, digest), "labels": dict(template["metadata"]["labels"]),
                "annotations": annotations, "ownerReferences": [pods.owner_reference(own)],
            },
            "spec": {"replicas": first, "selector": selector, "template": template,
                     **({"minReadySeconds": least} if (least := own["spec"].get("minReadySeconds")) else {})},
        }  # fmt: skip
        resource = self.cluster.resources.stored(REPLICA_SETS)
        try:
            self.cluster.create(resource, "v1", record.key[0], new, Options(manager=pods.ME.manager))
        except StatusError as refusal:
            if refusal.reason != "AlreadyExists":
                raise
            status = {**(own.get("status") or {}), "collisionCount": collisions + 1}
            pods.write_status(self.cluster, self.cluster.resources.stored(DEPLOYMENTS), own, status)
            return
        self._set_revision(own, annotations[REVISION])
        deploymentstatus.created(self.cluster, record.key, new["metadata"]["name"])

    def _number(self, own: Object, new: Object, sets: list[Object]) -> None:
        """The current template always has the highest revision; a template that returns gets a new one."""
        highest = _highest([one for one in sets if one is not new])
        revision = max(_revision(new), highest + 1)
        surge, _ = fenceposts(own)
        replicas = own["spec"]["replicas"]
        most = replicas + (surge if own["spec"]["strategy"]["type"] == "RollingUpdate" else 0)
        wanted = {REVISION: str(revision), DESIRED: str(replicas), MOST: str(most), **_inherited(own)}
        annotations = new["metadata"].get("annotations") or {}
        if not wanted.items() <= annotations.items() or new["spec"].get("minReadySeconds", 0) != own["spec"].get(
            "minReadySeconds", 0
        ):
            new["metadata"]["annotations"] = annotations | wanted
            new["spec"]["minReadySeconds"] = own["spec"].get("minReadySeconds", 0)
            self._update_set(new)
        self._set_revision(own, str(revision))

    def _set_revision(self, own: Object, revision: str) -> None:
        if (own["metadata"].get("annotations") or {}).get(REVISION) == revision:
            return

        def change(obj: Object) -> Object:
            obj["metadata"].setdefault("annotations", {})[REVISION] = revision
            return obj

        key = (own["metadata"]["namespace"], own["metadata"]["name"])
        self.cluster.patch(
            self.cluster.resources.stored(DEPLOYMENTS), "v1", key, change, Options(manager=pods.ME.manager)
        )

    def _reconcile(self, own: Object, new: Object | None, old: list[Object]) -> None:
        if own["spec"].get("paused") or new is None:
            self._scale_paused(own, new, old)
        elif own["spec"]["strategy"]["type"] == "Recreate":
            self._recreate(own, new, old)
        else:
            self._scale_up(own, new, old)
            self._scale_down(own, new, old)
        self._forget_history(own, old)

    def _scale_paused(self, own: Object, new: Object | None, old: list[Object]) -> None:
        """A paused rollout follows a change of replicas with the set that serves."""
        active = [one for one in (new, *old) if one is not None and one["spec"]["replicas"]]
        serving = active[0] if active else new
        if serving is not None and len(active) <= 1:
            self._scale(serving, own["spec"]["replicas"])

    def _recreate(self, own: Object, new: Object, old: list[Object]) -> None:
        for one in old:
            self._scale(one, 0)
        uids = {one["metadata"]["uid"] for one in old}
        left = any(
            (pods.controller_of(pod.load()) or {}).get("uid") in uids
            for pod in self.cluster.store.records("pods", own["metadata"]["namespace"])
            if pod.owners
        )
        if not left:
            self._scale(new, own["spec"]["replicas"])

    def _scale_up(self, own: Object, new: Object, old: list[Object]) -> None:
        wanted, have = own["spec"]["replicas"], new["spec"]["replicas"]
        if have >= wanted:
            self._scale(new, wanted)
            return
        surge, _ = fenceposts(own)
        room = wanted + surge - have - sum(one["spec"]["replicas"] for one in old)
        if room > 0:
            self._scale(new, have + min(room, wanted - have))

    def _scale_down(self, own: Object, new: Object, old: list[Object]) -> None:
        """Old pods go: first those that do not work, then as many as availability allows."""
        _, unavailable = fenceposts(own)
        least = own["spec"]["replicas"] - unavailable
        total = new["spec"]["replicas"] + sum(one["spec"]["replicas"] for one in old)
        broken_new = new["spec"]["replicas"] - _available(new)
        room = total - least - broken_new
        for one in old:
            broken = max(0, one["spec"]["replicas"] - _available(one))
            if (gone := min(room, broken)) > 0:
                self._scale(one, one["spec"]["replicas"] - gone)
                room -= gone
        room = min(room, _available(new) + sum(min(_available(one), one["spec"]["replicas"]) for one in old) - least)
        for one in old:
            if (gone := min(room, one["spec"]["replicas"])) > 0:
                self._scale(one, one["spec"]["replicas"] - gone)
                room -= gone

    def _scale(self, one: Object, replicas: int) -> None:
        if one["spec"]["replicas"] != replicas:
            one["spec"]["replicas"] = replicas
            self._update_set(one)

    def _update_set(self, one: Object) -> None:
        key = (one["metadata"]["namespace"], one["metadata"]["name"])
        stored = self.cluster.update(
            self.cluster.resources.stored(REPLICA_SETS), "v1", key, copy.deepcopy(one), Options(manager=pods.ME.manager)
        )
        one.update(stored.load())

    def _forget_history(self, own: Object, old: list[Object]) -> None:
        idle = [one for one in old if not one["spec"]["replicas"] and not (one.get("status") or {}).get("replicas")]
        idle.sort(key=_revision)
        for one in idle[: max(0, len(idle) - own["spec"].get("revisionHistoryLimit", 10))]:
            key = (one["metadata"]["namespace"], one["metadata"]["name"])
            self.cluster.delete(self.cluster.resources.stored(REPLICA_SETS), key, {}, pods.ME)

    def _write_status(self, key: Key) -> float | None:
        record = self.cluster.store.get(DEPLOYMENTS, key)
        if record is None:
            return None
        own = record.load()
        sets = pods.owned(self.cluster, REPLICA_SETS, record)
        new = self._new_set(own, sets)
        status, again = deploymentstatus.calculate(own, new, sets, self.cluster.clock())
        pods.write_status(self.cluster, self.cluster.resources.stored(DEPLOYMENTS), own, status)
        return again


def _without_hash(template: Object) -> Object:
    labels = {name: value for name, value in template["metadata"]["labels"].items() if name != HASH}
    return template | {"metadata": template["metadata"] | {"labels": labels}}


def _inherited(own: Object) -> Object:
    annotations = own["metadata"].get("annotations") or {}
    return {name: value for name, value in annotations.items() if name not in _NOT_COPIED}


def _revision(one: Object) -> int:
    return int((one["metadata"].get("annotations") or {}).get(REVISION, 0))


def _highest(sets: list[Object]) -> int:
    return max((_revision(one) for one in sets), default=0)


def _available(one: Object) -> int:
    return int((one.get("status") or {}).get("availableReplicas", 0))
