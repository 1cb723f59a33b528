"""What is left to say when a Canary is gone: its target may run no pods, and nobody would scale it up again."""

from __future__ import annotations

from datetime import datetime

from handlers.adapters.kube import Kube
from handlers.core.receivers import KUBERNETES
from handlers.core.texts import left_at_zero
from schemas.events import Change, StepResult
from schemas.resources import DAEMON_SET, DEPLOYMENT
from schemas.status import Notice, Phase, Reason
from schemas.workload import TARGET_STEP, Workload

_SCALED = {resource.kind: resource for resource in (DEPLOYMENT, DAEMON_SET)}


async def farewell(kube: Kube, change: Change, now: datetime) -> StepResult | None:
    """``change.object`` names the target. None when that runs, or was never parked by us.

    The step is 0, which no commit has: said twice, it is told once.
    """
    kind, _, name = change.object.partition("/")
    item = await kube.find(_SCALED[kind], change.namespace, name) if kind in _SCALED else None
    target = Workload(item) if item else None
    if target is None or target.replicas or not target.fence(TARGET_STEP):
        return None
    primary = await kube.find(_SCALED[kind], change.namespace, f"{name}-primary")
    text = left_at_zero(change.ref, target, Workload(primary).replicas if primary else 1)
    return StepResult(
        namespace=change.namespace,
        name=change.name,
        uid=change.uid,
        step=0,
        stimulus=change.label,
        time=now,
        phase=Phase.TERMINATED.value,
        weight=0,
        reason=Reason.DELETED.value,
        message=text,
        notices=(Notice(type="Warning", reason=Reason.DELETED, message=text),),
        receivers=(KUBERNETES,),
    )
