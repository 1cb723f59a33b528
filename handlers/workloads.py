"""The primary, the target's size and the primary's scaler: made equal to the status, each behind its fence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from handlers import snapshots
from handlers.adapters.errors import AlreadyExists
from handlers.adapters.kube import Kube
from handlers.core import desired, primary
from handlers.core.gate import gateway
from handlers.core.kinds import Source, kind_of
from handlers.core.observation import Observation
from schemas.canary import Canary
from schemas.resources import HORIZONTAL_POD_AUTOSCALER, TARGETS
from schemas.settings import Settings
from schemas.status import CanaryStatus, Phase
from schemas.workload import PRIMARY_STEP, TARGET_STEP, Workload


class Workloads:
    """Routes come first: the target is parked only after routes without it are in force and drained."""

    def __init__(self, kube: Kube, settings: Settings) -> None:
        self._kube = kube
        self._drain = settings.drain

    async def apply(self, canary: Canary, seen: Observation, *, everything: bool) -> None:
        """``canary`` carries the committed status; conflicts are raised, the caller looks again."""
        target = seen.target_workload
        if target is None or seen.problems:
            return
        await self._primary(canary, seen, target)
        if everything or canary.status.phase is Phase.PROMOTING:
            await self._scaler(canary)
        await self._target(canary, seen, target)

    async def _primary(self, canary: Canary, seen: Observation, target: Workload) -> None:
        status, existing = canary.status, seen.primary_workload
        if not status.primary_step or not _primary_due(status, existing):
            return
        resource = TARGETS[canary.spec.target_ref.kind]
        if existing is not None and existing.runs(status.primary_revision):
            # an equal value with an older fence is written all the same: it shuts out delayed writers
            await self._kube.patch(resource, canary.metadata.namespace, canary.primary, _fenced(existing, status))
            return
        content = await snapshots.load(self._kube, canary, status.primary_revision, target)
        if content is None:
            # nothing to make it from; the next decision says so
            return
        source = Source(canary, target, status.primary_revision, content, seen.rules)
        if existing is not None:
            await self._kube.replace(resource, primary.primary_again(source, status, existing))
            return
        try:
            await self._kube.create(resource, primary.primary(source, status))
        except AlreadyExists:
            return

    async def _scaler(self, canary: Canary) -> None:
        """Follows the target's scaler; ScaledObjects are left alone."""
        ref = canary.spec.autoscaler_ref
        if ref is None or ref.kind != "HorizontalPodAutoscaler":
            return
        namespace = canary.metadata.namespace
        source = await self._kube.find(HORIZONTAL_POD_AUTOSCALER, namespace, ref.name)
        if source is None:
            # gone since it was found: the primary keeps the scaler that it has
            return
        wanted = primary.scaler(canary, source)
        try:
            await self._kube.create(HORIZONTAL_POD_AUTOSCALER, wanted)
        except AlreadyExists:
            name = wanted["metadata"]["name"]
            existing = await self._kube.get(HORIZONTAL_POD_AUTOSCALER, namespace, name)
            differs = {key: value for key, value in wanted["spec"].items() if existing["spec"].get(key) != value}
            if differs:
                guard = {"resourceVersion": existing["metadata"]["resourceVersion"]}
                await self._kube.patch(HORIZONTAL_POD_AUTOSCALER, namespace, name, {"metadata": guard, "spec": differs})

    async def _target(self, canary: Canary, seen: Observation, target: Workload) -> None:
        """Once per transition: afterwards its replicas belong to the HPA, to GitOps, to people."""
        status = canary.status
        fence = target.fence(TARGET_STEP)
        if not status.target_step or fence == status.target_step or status.target_step < fence <= status.step:
            return
        if desired.canary_wanted(status):
            replicas = None if target.replicas else await self._size(canary, seen)
        elif self._drained(canary, seen):
            replicas = 0
        else:
            return
        await self._kube.patch(
            TARGETS[canary.spec.target_ref.kind],
            canary.metadata.namespace,
            canary.target,
            _sized(canary, target, status.target_step, replicas),
        )

    def _drained(self, canary: Canary, seen: Observation) -> bool:
        """Seen in force in an earlier wake, and long enough ago for requests in flight to end."""
        since = canary.status.verdict_since
        return gateway(canary, seen).applied and since is not None and seen.since(since) >= self._drain

    async def _size(self, canary: Canary, seen: Observation) -> int:
        """As many as the primary has now; users who are sent to the canary find as much room there."""
        own = seen.primary_workload
        if own is not None and own.replicas > 0:
            return own.replicas
        ref = canary.spec.autoscaler_ref
        if ref is not None and ref.kind == "HorizontalPodAutoscaler":
            found = await self._kube.find(HORIZONTAL_POD_AUTOSCALER, canary.metadata.namespace, ref.name)
            return max(1, int(((found or {}).get("spec") or {}).get("minReplicas") or 1))
        return 1


def _primary_due(status: CanaryStatus, existing: Workload | None) -> bool:
    """Missing, behind, or edited by somebody; never over a higher fence that a later step of ours wrote."""
    if existing is None:
        return True
    fence = existing.fence(PRIMARY_STEP)
    if status.primary_step < fence <= status.step:
        return False
    return fence != status.primary_step or not existing.runs(status.primary_revision)


def _fenced(existing: Workload, status: CanaryStatus) -> Mapping[str, Any]:
    marks = {PRIMARY_STEP: str(status.primary_step)}
    return {"metadata": {"resourceVersion": existing.resource_version, "annotations": marks}}


def _sized(canary: Canary, target: Workload, step: int, replicas: int | None) -> Mapping[str, Any]:
    metadata = {"resourceVersion": target.resource_version, "annotations": {TARGET_STEP: str(step)}}
    return {"metadata": metadata, **({} if replicas is None else {"spec": kind_of(canary).sized(target, replicas)})}
