"""What is written on the target's own ScaledObject, and taken away from it again (spec targets 3.4).

While its target is parked, KEDA holds it at zero. While the target runs, KEDA must not scale it in if that may end at
zero: a canary has no traffic before its first step, and one without pods is a rollout without a canary. It is recorded
which of the two we wrote, so that what somebody wrote himself stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from handlers.core.desired import Object
from schemas.gloo import fence_of
from schemas.status import CanaryStatus
from schemas.workload import PAUSE, PAUSED_REPLICAS, PAUSED_SCALE_IN, TARGET_STEP

Pause = Literal["replicas", "scale-in", "none"]


def pause_patch(status: CanaryStatus, source: Mapping[str, Any], *, running: bool) -> Object | None:
    """Pause or wake the target's ScaledObject together with the target, behind the same fence; None: it is done."""
    fence, worn = fence_of(source, TARGET_STEP), _annotations(source)
    if status.target_step < fence <= status.step:
        return None
    wanted = _wanted(source, running=running)
    if fence == status.target_step and _recorded(worn, running=running) == wanted:
        return None
    changed: Object = {TARGET_STEP: str(status.target_step), PAUSE: wanted}
    if fence != status.target_step:
        # once per transition: afterwards it is somebody else's to say
        changed[PAUSED_REPLICAS] = None if running else "0"
    if wanted == "scale-in":
        changed[PAUSED_SCALE_IN] = "true"
    elif _is_ours(worn, PAUSED_SCALE_IN):
        changed[PAUSED_SCALE_IN] = None
    return _guarded(source, changed)


def release_patch(source: Mapping[str, Any]) -> Object | None:
    """Nothing of ours any more; None: there is nothing. Without our fence all that is there is somebody else's."""
    worn = _annotations(source)
    if TARGET_STEP not in worn:
        return None
    ours = [key for key in (PAUSED_REPLICAS, PAUSED_SCALE_IN) if _is_ours(worn, key)]
    return _guarded(source, {key: None for key in (TARGET_STEP, PAUSE, *ours) if key in worn})


def paused_by_us(source: Mapping[str, Any]) -> bool:
    """Whether KEDA holds its workload at zero because we said so."""
    worn = _annotations(source)
    return TARGET_STEP in worn and _is_ours(worn, PAUSED_REPLICAS)


def may_sleep(source: Mapping[str, Any]) -> str:
    """Why KEDA may scale its workload to zero, and what to do about it; empty when it may not."""
    spec, name = source.get("spec") or {}, source["metadata"]["name"]
    if spec.get("idleReplicaCount") is not None:
        return f"ScaledObject {name} has idleReplicaCount {spec['idleReplicaCount']}; take it out"
    if "minReplicaCount" not in spec:
        return f"ScaledObject {name} has no minReplicaCount, which means 0; set 1"
    return "" if spec["minReplicaCount"] else f"ScaledObject {name} has minReplicaCount 0; set 1"


def _wanted(source: Mapping[str, Any], *, running: bool) -> Pause:
    worn = _annotations(source)
    if not running:
        return "replicas"
    theirs = PAUSED_SCALE_IN in worn and not _is_ours(worn, PAUSED_SCALE_IN)
    return "scale-in" if may_sleep(source) and not theirs else "none"


def _recorded(worn: Mapping[str, str], *, running: bool) -> str:
    """An earlier release kept no record: it paused the parked."""
    return worn.get(PAUSE, "none" if running else "replicas")


def _is_ours(worn: Mapping[str, str], key: str) -> bool:
    """Whether it is what we wrote, still as we wrote it."""
    value, wrote = {PAUSED_REPLICAS: ("0", "replicas"), PAUSED_SCALE_IN: ("true", "scale-in")}[key]
    return worn.get(key) == value and worn.get(PAUSE, "replicas") == wrote


def _annotations(source: Mapping[str, Any]) -> Mapping[str, str]:
    return source["metadata"].get("annotations") or {}


def _guarded(source: Mapping[str, Any], annotations: Object) -> Object:
    return {"metadata": {"resourceVersion": source["metadata"]["resourceVersion"], "annotations": annotations}}
