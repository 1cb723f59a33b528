"""Writes ``N-canary`` of a Service target: before an upstream names it, and when a revision is accepted."""

from __future__ import annotations

from handlers.adapters.errors import AlreadyExists, Conflict
from handlers.adapters.kube import Kube
from handlers.core import copies
from handlers.core.kinds import Source
from handlers.core.observation import Observation
from handlers.objects import snapshots, stored
from schemas.canary import Canary
from schemas.resources import SERVICE
from schemas.workload import Workload


async def ensure(kube: Kube, canary: Canary, seen: Observation, target: Workload) -> bool:
    """Whether the copy is ``canaryRevision`` now. Raises Conflict when it has moved on since it was read."""
    found = await kube.find(SERVICE, canary.metadata.namespace, copies.name_of(canary))
    existing = Workload(found) if found else None
    if copies.is_current(canary, existing):
        return True
    revision = canary.status.canary_revision
    kept = await snapshots.load(kube, canary, revision, target)
    if kept is None or not copies.may_change(canary, seen, existing):
        return False
    body = copies.copy(Source(canary, target, revision, kept.content, seen.rules), existing)
    if existing is not None:
        await stored.note(kube, SERVICE, await kube.replace(SERVICE, body))
        return True
    try:
        made = await kube.create(SERVICE, body)
    except AlreadyExists:
        return False
    await stored.note(kube, SERVICE, made)
    if canary.status.canary_weight:
        # creating has no guard: whether this status still holds is looked at before users stay on what was made
        raise Conflict(f"Service {copies.name_of(canary)} is made, the status is to be read again")
    return True
