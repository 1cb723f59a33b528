"""The pods of a workload that is past its deadline: one list, and only then."""

from __future__ import annotations

from handlers.adapters.errors import PermanentError
from handlers.adapters.kube import Kube
from handlers.core.observation import Observation
from handlers.core.pods import overdue, trouble_of
from schemas.canary import Canary
from schemas.resources import POD
from schemas.workload import Workload


async def look(kube: Kube, canary: Canary, seen: Observation) -> dict[str, str]:
    """What keeps each overdue workload from being ready, by its name; those of which nothing is known are left out."""
    found = {workload.name: await _trouble(kube, canary, workload) for workload in overdue(canary, seen)}
    return {name: why for name, why in found.items() if why}


async def _trouble(kube: Kube, canary: Canary, workload: Workload) -> str:
    labels = (workload.item["spec"].get("selector") or {}).get("matchLabels") or {}
    selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    if not selector:
        return ""
    try:
        pods, _ = await kube.list(POD, canary.metadata.namespace, labels=selector)
    except PermanentError:
        # a role without this right ends no deadline
        pods = []
    return trouble_of(workload, pods)
