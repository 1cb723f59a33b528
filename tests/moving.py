"""Making a cluster what the peer left (:mod:`tests.peer`), through an API server, before anybody of us looks."""

from __future__ import annotations

from typing import Any

from handlers.adapters.kube import Kube
from schemas.canary import FINALIZER
from schemas.resources import CANARY, CONFIG_MAP, DEPLOYMENT, ROUTE_TABLE, SERVICE, UPSTREAM
from tests.peer import Left


async def move_in(kube: Kube, namespace: str, phase: str, spec: dict[str, Any], **more: Any) -> Left:
    """Everything but the pods, which are the cluster's; the status comes last."""
    held = {"finalizers": [FINALIZER]} if spec.get("revertOnDeletion") else {}
    metadata = {"name": "podinfo", "namespace": namespace, **held}
    made = await kube.create(CANARY, {"metadata": metadata, "spec": spec})
    left = Left(phase, spec, namespace=namespace, uid=made["metadata"]["uid"], **more)
    for resource, items in (
        (CONFIG_MAP, left.configs),
        (DEPLOYMENT, [left.target, left.primary]),
        (SERVICE, left.services),
        (UPSTREAM, left.upstreams),
        (ROUTE_TABLE, [left.route]),
    ):
        for item in items:
            await kube.create(resource, item)
    await kube.patch(CANARY, namespace, "podinfo", {"status": left.status}, subresource="status")
    return left
