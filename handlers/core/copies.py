"""``N-canary``, the copy of a Service target that the canary's share of the traffic goes to (spec targets 3.3).

It is the canary as a Deployment is one, so it changes at the same moments: when a revision is accepted, behind a fence.
"""

from __future__ import annotations

from handlers.core.belongings import owners
from handlers.core.desired import Object
from handlers.core.gate import gateway
from handlers.core.kinds import Source, kind_of
from handlers.core.observation import Observation
from handlers.core.primary import marked
from schemas.canary import Canary
from schemas.revision import REVISION
from schemas.workload import TARGET_STEP, Workload


def name_of(canary: Canary) -> str:
    return f"{canary.target}-canary"


def copy(source: Source, existing: Workload | None) -> Object:
    """The copy as ``canaryRevision``; an existing one keeps its addresses."""
    canary, kind = source.canary, kind_of(source.canary)
    spec = kind.spec(source, existing)
    before = existing.item["metadata"] if existing else {}
    names = {
        "name": name_of(canary),
        "namespace": canary.metadata.namespace,
        "ownerReferences": owners(canary),
    }
    fence = TARGET_STEP, canary.status.target_step
    return {"metadata": {**before, **names, **marked(source, spec, kind.inherited(source), fence)}, "spec": spec}


def is_current(canary: Canary, existing: Workload | None) -> bool:
    status = canary.status
    return (
        existing is not None
        and existing.fence(TARGET_STEP) == status.target_step
        and existing.runs(status.canary_revision)
    )


def may_change(canary: Canary, seen: Observation, existing: Workload | None) -> bool:
    """Never over a later step's; another revision only when the routes in force send nobody there any more."""
    if existing is None:
        return True
    status = canary.status
    if status.target_step < existing.fence(TARGET_STEP) <= status.step:
        return False
    same = existing.annotations.get(REVISION) == status.canary_revision
    return same or status.canary_weight > 0 or gateway(canary, seen).applied
