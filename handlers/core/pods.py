"""Why pods do not become ready, in the words of whoever keeps them from it: for the reason of a failed deadline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from handlers.core.gate import canary_readiness, primary_readiness
from handlers.core.observation import Observation
from schemas.canary import Canary
from schemas.status import Phase
from schemas.workload import Workload

Pod = Mapping[str, Any]
_ANALYSED = (Phase.PROGRESSING, Phase.WAITING_PROMOTION)
_ON_THEIR_WAY = ("PodInitializing", "ContainerCreating")
_PULLING = ("ErrImagePull", "ImagePullBackOff")
_CRASHING = "CrashLoopBackOff"
_SHOWN = 200
"""Characters of a message."""


def overdue(canary: Canary, seen: Observation) -> tuple[Workload, ...]:
    """Those that this wake may hold to their deadline; nobody else's pods have to be looked at."""
    status, found = canary.status, []
    target, primary = seen.target_workload, seen.primary_workload
    deadline = canary.spec.deadline
    if target is not None and status.phase in _ANALYSED:
        readiness = canary_readiness(canary, seen)
        if not readiness.ready and (readiness.stuck or seen.since(status.not_ready_since) > deadline):
            found.append(target)
    if primary is not None and status.primary_step:
        readiness = primary_readiness(canary, seen)
        if not readiness.ready and (readiness.stuck or seen.since(status.primary_not_ready_since) > deadline):
            found.append(primary)
    return tuple(found)


def trouble_of(workload: Workload, pods: Iterable[Pod]) -> str:
    """Of the newest pod that has any; else why its controller makes none. Empty when nothing is known.

    The sentence stays the same while a pod goes in circles between two states of one trouble.
    """
    newest = sorted(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp")), reverse=True)
    for pod in newest:
        if not pod["metadata"].get("deletionTimestamp") and (why := _trouble(pod)):
            return f"pod {pod['metadata']['name']}: {why}"
    conditions = workload.status.get("conditions") or ()
    failure: Mapping[str, Any] = next(
        (item for item in conditions if item["type"] == "ReplicaFailure" and item["status"] == "True"), {}
    )
    return _told(str(failure.get("reason", "")), failure.get("message"))


def _trouble(pod: Pod) -> str:
    status = pod.get("status") or {}
    if status.get("reason"):
        # evicted, or refused by its node
        return _told(str(status["reason"]), status.get("message"))
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return _told(str(condition.get("reason", "Unschedulable")), condition.get("message"))
    containers = (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))
    return next((why for container in containers if (why := _of_container(container))), "")


def _of_container(container: Mapping[str, Any]) -> str:
    where = f"container {container['name']}"
    state, last = container.get("state") or {}, container.get("lastState") or {}
    waiting = state.get("waiting") or {}
    reason = str(waiting.get("reason", ""))
    if reason in _PULLING:
        return f"ImagePullBackOff, image {container.get('image', '')} of {where}"
    if reason and reason not in (*_ON_THEIR_WAY, _CRASHING):
        return f"{_told(reason, waiting.get('message'))}, {where}"
    ended = state.get("terminated") or last.get("terminated") or {}
    if container.get("ready") or not (reason == _CRASHING or ended.get("exitCode")):
        return "" if container.get("ready") or "running" not in state else f"{where} runs and does not become ready"
    how = f"{ended.get('reason', 'Error')}, exit code {ended.get('exitCode', 'unknown')}"
    return f"{_CRASHING}, {where} ends with {how}"


def _told(reason: str, message: object) -> str:
    words = " ".join(str(message or "").split())[:_SHOWN]
    return f"{reason}: {words}" if words else reason
