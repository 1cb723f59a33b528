"""Making the cluster equal the committed status: routes first, then workloads, again until nobody interferes."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import NamedTuple

from handlers.adapters.errors import Conflict, NotFound, TransientError
from handlers.adapters.kube import Kube
from handlers.core.observation import Observation
from handlers.core.renaming import may_tidy
from handlers.objects import orphans, snapshots
from handlers.objects.config_copies import ConfigCopies
from handlers.objects.keeper import Keeper
from handlers.objects.routing import Router
from handlers.objects.scalers import Scalers
from handlers.objects.workloads import Workloads
from handlers.observe import Observer, Sight
from schemas.canary import Canary
from schemas.events import COMPARE_ALL, Change, Stimulus
from schemas.gloo import Verdict
from schemas.settings import Settings
from schemas.status import Phase, Reason

log = logging.getLogger("canarybus.project")
_TRIES = 5
"""Gloo writes a RouteTable's status for some seconds after each change: conflicts come in bursts."""


class Projected(NamedTuple):
    """What was made true, and by which look; ``whole``: nothing around the Canary was left out."""

    canary: Canary
    seen: Observation
    whole: bool


class Projector:
    """Absolute values behind fences: anybody may repeat it at any time."""

    def __init__(self, kube: Kube, settings: Settings, observer: Observer) -> None:
        self._kube = kube
        self._observer = observer
        self._router = Router(kube, settings)
        self._workloads = Workloads(kube)
        self._scalers = Scalers(kube)
        self._keeper = Keeper(kube)
        self._copies = ConfigCopies(kube)
        self._kept_revisions = settings.revision_history + 1

    async def project(self, sight: Sight, canary: Canary, stimulus: Stimulus) -> Projected:
        """``sight`` is what was read before ``canary``'s status was committed; on a conflict both are read again.

        Raises :class:`TransientError` when objects keep moving, and what the API server refuses for good.
        """
        seen, whole = sight.seen, False
        everything = _everything(canary, stimulus) or _refused(seen)
        if sight.canary.names != (canary.status.names or canary.names):
            # committed under the former names: the objects of the new ones were not looked at
            again = await self._observer.look(canary.ref, stimulus)
            if again is None:
                return Projected(canary, seen, whole=False)
            canary, seen = again.canary, again.seen
        for attempt in range(_TRIES):
            try:
                canary = await self._keeper.prepare(canary, seen, everything=everything)
                if canary.deleting:
                    whole = await self._terminate(sight.canary, canary, seen)
                elif not _hands_off(canary):
                    whole = await self._make(sight.canary, canary, seen, everything=everything)
            except Conflict:
                await asyncio.sleep(0.05 * 2**attempt)
                again = await self._observer.look(canary.ref, stimulus)
                if again is None:
                    return Projected(canary, seen, whole=False)
                canary, seen = again.canary, again.seen
            except NotFound as error:
                # deleted between the read and the write: the next wake sees it as missing
                log.info("gone while it was written", extra={"canary": str(canary.ref), "error": str(error)})
                return Projected(canary, seen, whole=False)
            else:
                return Projected(canary, seen, whole)
        raise TransientError(f"objects of {canary.ref} keep changing; left to the next wake")

    async def _make(self, before: Canary, canary: Canary, seen: Observation, *, everything: bool) -> bool:
        """Whether nothing was left out."""
        whole = await self._router.apply(canary, seen, everything=everything)
        await self._workloads.primary(canary, seen, everything=everything)
        released = await self._scalers.release(canary)
        await self._scalers.apply(canary, seen, alone=released)
        await self._workloads.target(canary, seen)
        if canary.status.phase is Phase.SUCCEEDED and before.status.phase is Phase.FINALISING:
            await self._clear_away(canary, seen)
        if may_tidy(canary, seen):
            await orphans.clear(self._kube, canary, seen, partial(self._copies.abandon, primary=seen.primary))
        return whole and released

    async def _terminate(self, before: Canary, canary: Canary, seen: Observation) -> bool:
        """Nothing is made and nothing repaired, but for what brings users back to the target: whether that was done."""
        if not canary.finalising:
            return False
        await self._scalers.release(canary)
        if canary.status.phase is Phase.TERMINATING:
            await self._keeper.secure(canary, seen)
            await self._scalers.pause_or_wake(canary, seen)
            await self._workloads.target(canary, seen)
            await self._router.return_to_target(canary, seen)
        elif canary.status.phase is Phase.TERMINATED:
            await self._keeper.bequeath(canary)
            if canary.status.restored:
                await self._keeper.release(canary)
            elif _is_users_own(canary):
                await self._scalers.free(canary.metadata.namespace, canary.names)
            if before.status.phase is Phase.TERMINATED:
                # this wake has told what the last one did; afterwards there is nobody left to tell it
                await self._keeper.let_go(canary)
        return True

    async def _clear_away(self, canary: Canary, seen: Observation) -> None:
        """After a promotion: what the primary read before it, and revisions that are old enough."""
        if seen.primary is not None:
            await self._copies.release(canary, seen.primary)
        await snapshots.prune(self._kube, canary, self._kept_revisions)


def _everything(canary: Canary, stimulus: Stimulus) -> bool:
    """Services and upstreams are compared while the status says that they are owed, on drift and resync.

    Not in a tick: whoever edits one wakes its Canary at once, so that a tick has nothing to look for.
    """
    asked = isinstance(stimulus, Change) and stimulus.reason in COMPARE_ALL
    return asked or canary.status.surroundings_owed > 0


def _is_users_own(canary: Canary) -> bool:
    """A deletion that did not bring users back: the target's scaler is let go, unless it is another Canary's as well.

    A target that is left at zero stays so, as with the peer: its scaler, too.
    """
    ending = canary.status.returning
    return ending is not None and ending.reason in (Reason.TARGET_MISSING, Reason.DEADLINE_EXCEEDED)


def _refused(seen: Observation) -> bool:
    """A gateway that does not follow may miss an upstream, and says so for as long as nobody makes it again."""
    return seen.report is not None and seen.report.verdict in (Verdict.WARNING, Verdict.REJECTED)


def _hands_off(canary: Canary) -> bool:
    """Nothing decided yet (a command may come before that), or suspended and settled."""
    status = canary.status
    if not status.step or status.phase is Phase.NEW:
        return True
    return canary.spec.suspend and status.settled
