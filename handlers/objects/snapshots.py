"""Revisions are objects: one ControllerRevision for each that was accepted, named by its hash (design section 6).

Content-addressed, so that writing one early or twice does no harm; promotion copies a snapshot, never what is live.
It owns immutable copies of the ConfigMaps and Secrets that belong to the revision, which go with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from handlers.adapters.errors import AlreadyExists, Conflict
from handlers.adapters.kube import Kube, Object
from handlers.core.belongings import owner
from handlers.core.configs import Config, Revision, absent
from handlers.objects import configs
from handlers.together import together
from schemas.canary import Canary
from schemas.configs import references, resource_of
from schemas.names import LABEL_VALUE, OBJECT_NAME, fitted
from schemas.resources import CONTROLLER_REVISION, Resource
from schemas.revision import CANARY, REVISION, digest
from schemas.workload import Workload

_KEY = 9
"""Characters by which the names of a snapshot's copies are longer than its own."""


def name_of(canary: Canary, revision: str) -> str:
    return fitted(canary.metadata.name, OBJECT_NAME - _KEY, end=f"-{revision}")


def _whose(canary: Canary) -> str:
    """The label by which its snapshots are found; a Canary's name may be longer than that may be."""
    return fitted(canary.metadata.name, LABEL_VALUE)


async def store(kube: Kube, canary: Canary, revision: str, kept: Revision, label_prefixes: Sequence[str] = ()) -> None:
    """Keep it as ``revision``. It is there already when the same revision comes back."""
    body = {
        "metadata": {
            "name": name_of(canary, revision),
            "namespace": canary.metadata.namespace,
            "labels": {CANARY: _whose(canary), REVISION: revision},
            "ownerReferences": [owner(canary)],
        },
        "data": {
            "template": kept.content,
            **({"configs": kept.checksums} if kept.configs else {}),
            **({"absent": kept.absent} if kept.absent else {}),
        },
        "revision": canary.status.step + 1,
    }
    try:
        snapshot = await kube.create(CONTROLLER_REVISION, body)
    except AlreadyExists:
        snapshot = await kube.get(CONTROLLER_REVISION, canary.metadata.namespace, name_of(canary, revision))
        await _belong(kube, CONTROLLER_REVISION, snapshot, owner(canary))
    await together(*(_keep(kube, snapshot, config, label_prefixes) for config in kept.configs))


async def load(kube: Kube, canary: Canary, revision: str, target: Workload | None) -> Revision | None:
    """What ``revision`` is made of: its snapshot, or what is live if that hashes to the same; None if it is lost."""
    if target is not None and target.revision() == revision and not any(references(target.content).values()):
        return Revision(target.content)
    namespace = canary.metadata.namespace
    found = await kube.find(CONTROLLER_REVISION, namespace, name_of(canary, revision))
    if found is not None and (kept := await _kept(kube, found)) is not None:
        return kept
    if target is None:
        return None
    live = await configs.read(kube, namespace, target.template)
    made = Revision(target.content, live.configs, absent(target.content, live.versions))
    return made if target.revision(live.checksums) == revision else None


async def _kept(kube: Kube, snapshot: Object) -> Revision | None:
    """None when a copy is missing, or is not what was kept."""
    data = snapshot.get("data") or {}
    content: Mapping[str, Any] | None = data.get("template")
    wanted: Mapping[str, str] = data.get("configs") or {}
    copies = await asyncio.gather(*(_copy(kube, snapshot, key) for key in wanted))
    found = tuple(config for config in copies if config is not None and config.checksum == wanted[config.key])
    if content is None or len(found) < len(wanted):
        return None
    return Revision(content, found, tuple(data.get("absent") or ()))


async def _copy(kube: Kube, snapshot: Object, key: str) -> Config | None:
    resource, _ = resource_of(key)
    item = await kube.find(resource, snapshot["metadata"]["namespace"], _copy_name(snapshot, key))
    return Config(key, item) if item is not None else None


def _copy_name(snapshot: Object, key: str) -> str:
    return f"{snapshot['metadata']['name']}-{digest(key)[: _KEY - 1]}"


async def _keep(kube: Kube, snapshot: Object, config: Config, label_prefixes: Sequence[str]) -> None:
    """Its content cannot be edited; one that a deleted snapshot of the same revision left behind gets the new owner."""
    resource, _ = resource_of(config.key)
    metadata = snapshot["metadata"]
    name = _copy_name(snapshot, config.key)
    body = {
        "metadata": {
            "name": name,
            "namespace": metadata["namespace"],
            "labels": {**config.labels(label_prefixes), **metadata["labels"]},
            "ownerReferences": [_owned_by(snapshot)],
        },
        "immutable": True,
        **config.content,
    }
    try:
        await kube.create(resource, body)
    except AlreadyExists:
        existing = await kube.get(resource, metadata["namespace"], name, metadata_only=True)
        await _belong(kube, resource, existing, _owned_by(snapshot))


async def _belong(kube: Kube, resource: Resource, item: Object, wanted: Object) -> None:
    """What a deleted namesake left behind would be collected with it, sooner or later.

    Raises Conflict when it is going already: it is made anew when it is gone.
    """
    metadata = item["metadata"]
    if metadata.get("deletionTimestamp"):
        raise Conflict(f"{resource.kind} {metadata['name']} is being deleted")
    if metadata.get("ownerReferences") != [wanted]:
        guard = {"resourceVersion": metadata["resourceVersion"]}
        patch = {"metadata": {**guard, "ownerReferences": [wanted]}}
        await kube.patch(resource, metadata["namespace"], metadata["name"], patch)


def _owned_by(snapshot: Object) -> Object:
    reference = {"apiVersion": CONTROLLER_REVISION.api_version, "kind": CONTROLLER_REVISION.kind}
    named = {"name": snapshot["metadata"]["name"], "uid": snapshot["metadata"]["uid"]}
    return {**reference, **named, "controller": True, "blockOwnerDeletion": True}


async def prune(kube: Kube, canary: Canary, keep: int) -> None:
    """Delete all but the newest ``keep`` and those that the status names."""
    found, _ = await kube.list(CONTROLLER_REVISION, canary.metadata.namespace, labels=f"{CANARY}={_whose(canary)}")
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
