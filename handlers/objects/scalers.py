"""The scalers of both sides: the primary's follows the target's, a ScaledObject sleeps while its target is parked."""

from __future__ import annotations

from handlers.adapters.errors import AlreadyExists, Conflict
from handlers.adapters.kube import Kube
from handlers.core import pauses, scaler
from handlers.core.belongings import owned_by
from handlers.core.gate import makes, target_turn
from handlers.core.observation import Observation
from schemas.canary import Canary
from schemas.gloo import fence_of
from schemas.names import Names
from schemas.resources import SCALED_OBJECT, SCALERS
from schemas.workload import SCALER_STEP


class Scalers:
    """Between the primary, which the first scaler is made for, and the target's replicas, which follow the second."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    async def apply(self, canary: Canary, seen: Observation, *, alone: bool = True) -> None:
        """``canary`` carries the committed status; conflicts are raised, the caller looks again.

        A target's scaler that is gone leaves the primary with the one that it has. ``alone``: it has no former one.
        """
        if canary.spec.autoscaler_ref is None or not makes(canary, seen) or seen.scaler is None or seen.target is None:
            return
        if alone or seen.primary_scaler is not None:
            await self._follow(canary, seen)
        await self.pause_or_wake(canary, seen)

    async def pause_or_wake(self, canary: Canary, seen: Observation) -> None:
        """The target's ScaledObject, which would undo every size that the target is given while it is paused."""
        ref, status = canary.spec.autoscaler_ref, canary.status
        if ref is None or seen.scaler is None or ref.kind != SCALED_OBJECT.kind or not status.target_step:
            return
        turn = target_turn(canary, seen)
        patch = pauses.pause_patch(status, seen.scaler, running=turn == "run")
        if turn != "wait" and patch is not None:
            await self._kube.patch(SCALED_OBJECT, canary.metadata.namespace, ref.name, patch)

    async def release(self, canary: Canary) -> bool:
        """What ``autoscalerRef`` names no more is its user's own again, and its copy goes: two scalers would fight.

        Whether it is gone: KEDA lets go of a ScaledObject in its own time, and refuses a second one until then. The
        copy at a primary that is not in force any more serves on, and goes with that.
        """
        gone = True
        for former in canary.status.former_scalers:
            if former.same_scaler(canary.names) or former.scaler_kind not in SCALERS:
                continue
            await self.free(canary.metadata.namespace, former)
            if former.same_target(canary.names):
                gone = await self._drop_copy(canary, former) and gone
        return gone

    async def free(self, namespace: str, names: Names) -> None:
        """The pause and the fence of a target's ScaledObject are taken away, as far as they are ours."""
        if names.scaler_kind != SCALED_OBJECT.kind:
            return
        source = await self._kube.find(SCALED_OBJECT, namespace, names.scaler)
        if source is not None and (patch := pauses.release_patch(source)):
            await self._kube.patch(SCALED_OBJECT, namespace, names.scaler, patch)

    async def _drop_copy(self, canary: Canary, former: Names) -> bool:
        resource, namespace, copy = SCALERS[former.scaler_kind], canary.metadata.namespace, f"{former.scaler}-primary"
        found = await self._kube.find(resource, namespace, copy)
        if found is None or not owned_by(found, canary.metadata.uid):
            return True
        if not found["metadata"].get("deletionTimestamp"):
            await self._kube.delete(resource, namespace, copy, uid=found["metadata"]["uid"])
        return not found["metadata"].get("finalizers")

    async def _follow(self, canary: Canary, seen: Observation) -> None:
        """Whatever changed at the source, at every look; never over a later step of ours."""
        ref, status, existing = canary.spec.autoscaler_ref, canary.status, seen.primary_scaler
        assert ref is not None  # noqa: S101 - the caller has looked
        assert seen.scaler is not None  # noqa: S101 - the caller has looked
        resource, wanted = SCALERS[ref.kind], scaler.clone(canary, status, seen.scaler)
        if existing is None:
            try:
                await self._kube.create(resource, wanted)
            except AlreadyExists as error:
                raise Conflict(f"{ref.kind} {scaler.name(canary)} was made meanwhile") from error
            return
        if status.scaler_step < fence_of(existing, SCALER_STEP) <= status.step:
            return
        if patch := scaler.clone_patch(existing, wanted, ref.kind):
            await self._kube.patch(resource, canary.metadata.namespace, scaler.name(canary), patch)
