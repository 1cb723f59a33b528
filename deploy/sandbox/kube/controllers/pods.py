"""What controllers of pods have in common: owning, readiness, making and removing them."""

from __future__ import annotations

import datetime
import hashlib
from typing import Any

import orjson

from deploy.sandbox.kube.admission import Options
from deploy.sandbox.kube.cluster import SUFFIX, Cluster
from deploy.sandbox.kube.resources import Resource
from deploy.sandbox.kube.store import Key, Record

Object = dict[str, Any]
ME = Options(manager="kube-controller-manager")


def controller_of(obj: Object) -> Object | None:
    """The ownerReference of the object that controls this one."""
    return next((owner for owner in obj["metadata"].get("ownerReferences") or () if owner.get("controller")), None)


def owner_reference(owner: Object) -> Object:
    return {
        "apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"], "controller": True, "blockOwnerDeletion": True,
    }  # fmt: skip


def owned(cluster: Cluster, resource: str, owner: Record) -> list[Object]:
    """Objects of a resource that this owner controls, the oldest first."""
    found = [record.load() for name, record in cluster.store.children(owner.uid) if name == resource]
    mine = [obj for obj in found if (controller_of(obj) or {}).get("uid") == owner.uid]
    return sorted(mine, key=lambda obj: (obj["metadata"]["creationTimestamp"], obj["metadata"]["name"]))


def owner_keys(record: Record, kind: str) -> list[Key]:
    """The key of the controller of an object, when it is of this kind."""
    if not record.owners:
        return []
    owner = controller_of(record.load())
    return [(record.key[0], owner["name"])] if owner is not None and owner["kind"] == kind else []


def is_active(pod: Object) -> bool:
    phase = (pod.get("status") or {}).get("phase")
    return "deletionTimestamp" not in pod["metadata"] and phase not in ("Succeeded", "Failed")


def _condition(pod: Object, kind: str) -> Object | None:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return next((one for one in conditions if one["type"] == kind), None)


def is_ready(pod: Object) -> bool:
    return (_condition(pod, "Ready") or {}).get("status") == "True"


def available_in(pod: Object, seconds: int, now: datetime.datetime) -> float:
    """Seconds until a ready pod has been ready for `minReadySeconds`; 0 when it has."""
    if seconds == 0:
        return 0.0
    since = datetime.datetime.fromisoformat((_condition(pod, "Ready") or {})["lastTransitionTime"])
    return max(0.0, seconds - (now - since).total_seconds())


def template_hash(template: Object, collisions: int = 0) -> str:
    """A short name for a pod template, in the letters that generated names use."""
    text = orjson.dumps([template, collisions], option=orjson.OPT_SORT_KEYS)
    number = int.from_bytes(hashlib.sha256(text).digest()[:8])
    letters = []
    for _ in range(10):
        number, letter = divmod(number, len(SUFFIX))
        letters.append(SUFFIX[letter])
    return "".join(letters)


def named_after(owner: Object, digest: str) -> str:
    """Of an owner whose name is too long for that, as much as there is room for."""
    return f"{owner['metadata']['name'][: 252 - len(digest)]}-{digest}"


def create_pod(
    cluster: Cluster, owner: Object, template: Object, labels: Object | None = None, spec: Object | None = None
) -> None:
    """A pod from a template, controlled by `owner`."""
    metadata = dict(template.get("metadata") or {})
    metadata["labels"] = {**(metadata.get("labels") or {}), **(labels or {})}
    metadata["generateName"] = f"{owner['metadata']['name']}-"
    metadata["ownerReferences"] = [owner_reference(owner)]
    metadata.pop("name", None)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec or template["spec"]}
    resource = cluster.resources.stored("pods")
    cluster.create(resource, "v1", owner["metadata"]["namespace"], pod, Options(manager=ME.manager))


def delete_pod(cluster: Cluster, pod: Object) -> None:
    key = (pod["metadata"]["namespace"], pod["metadata"]["name"])
    if cluster.store.get("pods", key) is not None:
        cluster.delete(cluster.resources.stored("pods"), key, {}, ME)


def write_status(cluster: Cluster, resource: Resource, obj: Object, status: Object) -> None:
    """Replace the status of an object if it differs."""
    if obj.get("status") == status:
        return
    key = (obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
    options = Options(manager=ME.manager)

    def change(present: Object) -> Object:
        return present | {"status": status}

    cluster.patch(resource, resource.stored_version, key, change, options, "status")
