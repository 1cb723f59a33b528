"""Revisions are objects: one ControllerRevision for each that was accepted, named by its hash (design section 6).

Content-addressed, so that writing one early or twice does no harm; promotion copies a snapshot, never the live target.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from handlers.adapters.errors import AlreadyExists
from handlers.adapters.kube import Kube
from handlers.core.belongings import owner
from schemas.canary import Canary
from schemas.resources import CONTROLLER_REVISION
from schemas.revision import CANARY, REVISION
from schemas.workload import Workload


def name_of(canary: Canary, revision: str) -> str:
    return f"{canary.metadata.name}-{revision}"


async def store(kube: Kube, canary: Canary, revision: str, content: Mapping[str, Any]) -> None:
    """Keep ``content`` as ``revision``. It is there already when the same revision comes back."""
    body = {
        "metadata": {
            "name": name_of(canary, revision),
            "namespace": canary.metadata.namespace,
            "labels": {CANARY: canary.metadata.name, REVISION: revision},
            "ownerReferences": [owner(canary)],
        },
        "data": {"template": content},
        "revision": canary.status.step + 1,
    }
    try:
        await kube.create(CONTROLLER_REVISION, body)
    except AlreadyExists:
        return


async def load(kube: Kube, canary: Canary, revision: str, target: Workload | None) -> Mapping[str, Any] | None:
    """The content of ``revision``, a template or the spec of a Service; None if it is lost.

    The live target's own if that is what it runs, else the snapshot's.
    """
    if target is not None and target.revision() == revision:
        return target.content
    found = await kube.find(CONTROLLER_REVISION, canary.metadata.namespace, name_of(canary, revision))
    template: Mapping[str, Any] | None = (found or {}).get("data", {}).get("template")
    return template


async def prune(kube: Kube, canary: Canary, keep: int) -> None:
    """Delete all but the newest ``keep`` and those that the status names."""
    found, _ = await kube.list(
        CONTROLLER_REVISION, canary.metadata.namespace, labels=f"{CANARY}={canary.metadata.name}"
    )
    status = canary.status
    named = {
        name_of(canary, revision)
        for revision in (
            status.canary_revision,
            status.primary_revision,
            status.promoted_revision,
            # what ``rollback`` returns to, however many were analysed since it was first accepted
            status.previous_revision,
        )
    }
    found.sort(key=lambda item: int(item.get("revision", 0)), reverse=True)
    for item in found[keep:]:
        if item["metadata"]["name"] not in named:
            await kube.delete(
                CONTROLLER_REVISION, canary.metadata.namespace, item["metadata"]["name"], uid=item["metadata"]["uid"]
            )
