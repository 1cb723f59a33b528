"""Binding, eviction, finalize; and what the media type of a patch means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import errors, patching, request, strategic
from .admission import Options
from .cluster import Cluster
from .request import Target

Object = dict[str, Any]


@dataclass(frozen=True)
class Made:
    """The answer of a subresource."""

    body: Object
    code: int


def patcher(media: str, patch: Any, target: Target) -> Callable[[Object], Any]:
    """How this patch changes an object."""
    match media:
        case request.MERGE | request.APPLY:
            return lambda obj: patching.merge_patch(obj, patch)
        case request.JSON_PATCH:
            return lambda obj: patching.json_patch(obj, patch)
        case _:
            schema = None if target.subresource == "scale" else target.version.schema
            return lambda obj: strategic.strategic_patch(obj, patch, schema)


def create(cluster: Cluster, target: Target, method: str, body: Object, options: Options) -> Made:
    """Raises StatusError 404 for a subresource that the kind does not have, 405 for a wrong method."""
    if target.subresource not in target.resource.subresources:
        raise errors.StatusError(404, "NotFound", "the server could not find the requested resource")
    match target.subresource, method:
        case "binding", "POST":
            return _bind(cluster, target, body, options)
        case "eviction", "POST":
            asked = body.get("deleteOptions") or {}
            cluster.delete(target.resource, target.key, asked, options)
            return Made(_success(), 201)
        case "finalize", "PUT":
            record = cluster.find(target.resource, target.key)
            finalizers = (body.get("spec") or {}).get("finalizers") or []
            cluster.rewrite(target.resource.key, record, lambda obj: obj["spec"].update(finalizers=finalizers))
            return Made(body, 200)
        case _:
            raise errors.method_not_allowed()


_REVIEWS = ("SelfSubjectAccessReview", "SubjectAccessReview", "LocalSubjectAccessReview")


def review(path: str, body: bytes) -> Object:
    """Whether somebody may do something: there are no roles in force here, so everything is allowed.

    Raises StatusError 404 for any other resource of the group.
    """
    kind = next((one for one in _REVIEWS if path.endswith(f"/{one.lower()}s")), None)
    if kind is None:
        raise errors.StatusError(404, "NotFound", "the server could not find the requested resource")
    asked = request.decode(body, request.JSON, kind) if body.startswith(b"{") else {"spec": {}}
    own = {"apiVersion": "authorization.k8s.io/v1", "kind": kind}
    return own | asked | {"status": {"allowed": True}}


def _success() -> Object:
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def _bind(cluster: Cluster, target: Target, body: Object, options: Options) -> Made:
    """Give a pod to a node: once, and only while the pod is wanted."""
    name = target.name
    record = cluster.find(target.resource, target.key)
    pod = record.load()
    node = (body.get("target") or {}).get("name", "")
    wanted = (body.get("metadata") or {}).get("uid")
    if wanted and wanted != record.uid:
        why = f"Precondition failed: UID in precondition: {wanted}, UID in object meta: {record.uid}"
        raise errors.conflict("", "pods/binding", name, why)
    if record.deleting:
        raise errors.conflict("", "pods/binding", name, f"pod {name} is being deleted, cannot be assigned to a host")
    if assigned := pod["spec"].get("nodeName"):
        raise errors.conflict("", "pods/binding", name, f'pod {name} is already assigned to node "{assigned}"')

    def assign(obj: Object) -> None:
        obj["spec"]["nodeName"] = node
        conditions = obj.setdefault("status", {}).setdefault("conditions", [])
        conditions[:] = [one for one in conditions if one["type"] != "PodScheduled"]
        conditions.append(
            {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": cluster.now()}
        )

    if not options.dry_run:
        cluster.rewrite(target.resource.key, record, assign)
    return Made(_success(), 201)
