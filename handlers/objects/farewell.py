"""What is left to say when a Canary is gone: its target may run no pods, and nobody would scale it up again."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from handlers.adapters.errors import Forbidden, NotFound
from handlers.adapters.kube import Kube
from handlers.core import pauses
from handlers.core.receivers import KUBERNETES
from handlers.core.texts import left_at_zero
from schemas.events import Change, StepResult
from schemas.resources import DAEMON_SET, DEPLOYMENT, SCALED_OBJECT
from schemas.status import Notice, Phase, Reason
from schemas.workload import FROZEN, TARGET_STEP, Workload

_SCALED = {resource.kind: resource for resource in (DEPLOYMENT, DAEMON_SET)}


async def farewell(kube: Kube, change: Change, now: datetime) -> StepResult | None:
    """``change.object`` names the target. None when that runs, or was never parked by us.

    Pods of it that were kept as they are for their users are nobody's to keep any more.

    The step is 0, which no commit has: said twice, it is told once.
    """
    kind, _, name = change.object.partition("/")
    item = await kube.find(_SCALED[kind], change.namespace, name) if kind in _SCALED else None
    target = Workload(item) if item else None
    if target is not None and target.frozen is not None:
        await _thaw(kube, change.namespace, target)
    if target is None or target.replicas or not target.fence(TARGET_STEP):
        return None
    primary = await kube.find(_SCALED[kind], change.namespace, f"{name}-primary")
    scaler = await _paused(kube, change.namespace, target)
    text = left_at_zero(change.ref, target, Workload(primary).replicas if primary else 1, scaler)
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


async def _paused(kube: Kube, namespace: str, target: Workload) -> str:
    """The ScaledObject that we have paused with the target; nobody is left who could say its name."""
    # most clusters have no KEDA, and a role of an earlier release does not list
    with suppress(NotFound, Forbidden):
        found, _ = await kube.list(SCALED_OBJECT, namespace)
        for item in found:
            scaled = (item.get("spec") or {}).get("scaleTargetRef") or {}
            same = (scaled.get("kind", DEPLOYMENT.kind), scaled.get("name")) == (target.kind, target.name)
            if same and pauses.paused_by_us(item):
                return str(item["metadata"]["name"])
    return ""


async def _thaw(kube: Kube, namespace: str, target: Workload) -> None:
    metadata = {"resourceVersion": target.resource_version, "annotations": {FROZEN: None}}
    patch = {"metadata": metadata, "spec": dict(target.frozen or {})}
    await kube.patch(_SCALED[target.kind], namespace, target.name, patch)
