"""The primary and the target's size: made equal to the status, each behind its fence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from handlers.adapters.errors import AlreadyExists
from handlers.adapters.kube import Kube
from handlers.core import configs, freezing, primary, scaler
from handlers.core.configs import Revision
from handlers.core.gate import makes, target_turn
from handlers.core.inherited import is_inherited
from handlers.core.kinds import Source, kind_of
from handlers.core.observation import Observation
from handlers.objects import copies, snapshots, stored
from handlers.objects.config_copies import ConfigCopies
from schemas.canary import Canary
from schemas.kinds.anatomy import RESTARTED
from schemas.resources import TARGETS, Resource
from schemas.status import CanaryStatus, Phase
from schemas.workload import PRIMARY_STEP, TARGET_STEP, Workload


class Workloads:
    """Routes come first: the target is parked only after routes without it are in force and drained."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._copies = ConfigCopies(kube)

    async def primary(self, canary: Canary, seen: Observation, *, everything: bool = False) -> None:
        """Made, or given the template of its revision; ``canary`` carries the committed status.

        ``everything``: what it reads is looked at as well. Conflicts are raised: the caller looks again.
        """
        target = seen.target_workload
        # what it runs, or returns to, is in its snapshot, whatever the spec says by now
        possible = seen.repairable or canary.status.returning is not None
        if target is None or not possible or not canary.status.primary_step:
            return
        status, existing = canary.status, seen.primary_workload
        missed = configs.is_missed(canary, seen)
        if not _primary_due(status, existing) and not await self._damaged(canary, existing, missed, everything):
            return
        runs = existing is not None and existing.runs(status.primary_revision)
        bare = runs and not missed and not configs.noted_copies(seen.primary)
        revision = None if bare else await snapshots.load(self._kube, canary, status.primary_revision, target)
        if revision is not None:
            await self._run_on_primary(canary, seen, target, revision)
        elif runs and existing is not None:
            # an equal value with an older fence is written all the same: it shuts out delayed writers
            fenced = _annotated(existing, {PRIMARY_STEP: str(status.primary_step)})
            await self._kube.patch(_resource(canary), canary.metadata.namespace, canary.primary, fenced)
        # else there is nothing to make it from; the next decision says so

    async def _damaged(self, canary: Canary, existing: Workload | None, missed: bool, everything: bool) -> bool:
        """What it reads; a primary that a later step has written is none of ours."""
        if existing is None or existing.fence(PRIMARY_STEP) != canary.status.primary_step:
            return False
        return missed or (everything and await self._copies.damaged(canary, existing.item))

    async def _run_on_primary(self, canary: Canary, seen: Observation, target: Workload, revision: Revision) -> None:
        """What it reads first, then the template that reads it."""
        status, existing = canary.status, seen.primary_workload
        names = await self._copies.write(canary, revision, seen)
        note = configs.note(seen.primary, revision, names)
        source = Source(canary, target, status.primary_revision, configs.renamed(revision, names), seen.rules)
        if existing is not None and is_inherited(source, status, existing):
            # its pods are what is wanted: they stay
            taken = _annotated(existing, primary.marks(status, existing.content) | note)
            await self._kube.patch(_resource(canary), canary.metadata.namespace, canary.primary, taken)
            return
        read = configs.renamed(revision, names | await self._copies.absent(canary, revision))
        source = replace(source, content=read)
        body = primary.primary_again(source, status, existing) if existing else primary.primary(source, status)
        body["metadata"]["annotations"] |= note
        if existing is not None:
            await stored.note(self._kube, _resource(canary), await self._kube.replace(_resource(canary), body))
            return
        try:
            made = await self._kube.create(_resource(canary), body)
        except AlreadyExists:
            return
        await stored.note(self._kube, _resource(canary), made)

    async def target(self, canary: Canary, seen: Observation) -> None:
        """Once per transition: afterwards its replicas belong to the HPA, to GitOps, to people."""
        target = seen.target_workload
        if target is None:
            return
        status = canary.status
        fence = target.fence(TARGET_STEP)
        if fence == status.target_step and freezing.is_undone(canary, target):
            # an invalid one, too: its users stay
            marks, spec = freezing.turned(canary, target)
            again = {**_annotated(target, marks), "spec": spec}
            await self._kube.patch(_resource(canary), canary.metadata.namespace, canary.target, again)
            return
        if not (makes(canary, seen) or canary.deleting):
            return
        if not status.target_step or fence == status.target_step or status.target_step < fence <= status.step:
            return
        match target_turn(canary, seen):
            case "run":
                copied = kind_of(canary).brings_services and not canary.deleting
                if copied and not await copies.ensure(self._kube, canary, seen, target):
                    return
                replicas = _more(canary, seen, target)
            case "park":
                replicas = 0
            case "wait":
                return
        await self._kube.patch(
            _resource(canary),
            canary.metadata.namespace,
            canary.target,
            _turned(canary, target, replicas),
        )


def _resource(canary: Canary) -> Resource:
    return TARGETS[canary.spec.target_ref.kind]


def _more(canary: Canary, seen: Observation, target: Workload) -> int | None:
    """What a target that is parked needs; one that runs keeps its size, unless it has to carry as many as the primary.

    That is whoever carries everybody alone, and a new revision whose manifest names the replicas of a quieter day: its
    autoscaler finds the right size from above, not from below.
    """
    own, phase = seen.primary_workload.replicas if seen.primary_workload else 0, canary.status.phase
    begins = phase is Phase.PROGRESSING and canary.spec.autoscaler_ref is not None
    small = target.replicas < own and (begins or phase is Phase.TERMINATING)
    return _size(canary, seen) if small or not target.replicas else None


def _size(canary: Canary, seen: Observation) -> int:
    """As many as the primary has now; users who are sent to the canary find as much room there."""
    own, ref = seen.primary_workload, canary.spec.autoscaler_ref
    if own is not None and own.replicas > 0:
        return own.replicas
    return scaler.least(seen.scaler, ref.kind) if ref else 1


def _primary_due(status: CanaryStatus, existing: Workload | None) -> bool:
    """Missing, behind, or edited by somebody; never over a higher fence that a later step of ours wrote."""
    if existing is None:
        return True
    fence = existing.fence(PRIMARY_STEP)
    if status.primary_step < fence <= status.step:
        return False
    return fence != status.primary_step or not existing.runs(status.primary_revision)


def _annotated(existing: Workload, marks: Mapping[str, str | None]) -> Mapping[str, Any]:
    return {"metadata": {"resourceVersion": existing.resource_version, "annotations": marks}}


def _turned(canary: Canary, target: Workload, replicas: int | None) -> Mapping[str, Any]:
    """The fence with the size; pods that run on (None) start anew if what they have read is another content now."""
    step = canary.status.target_step
    marks, spec = freezing.turned(canary, target)
    if replicas is not None:
        spec |= kind_of(canary).sized(target, replicas)
    if target.replicas and canary.status.restart_step == step:
        spec |= {"template": {"metadata": {"annotations": {RESTARTED: str(step)}}}}
    metadata = {"resourceVersion": target.resource_version, "annotations": {TARGET_STEP: str(step), **marks}}
    return {"metadata": metadata, **({"spec": spec} if spec else {})}
