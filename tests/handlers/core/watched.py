"""A world that checks, after every wake, what must hold whatever happened before."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from handlers.core.draft import Decision
from handlers.core.observation import Observation
from handlers.core.step import step
from schemas.canary import Canary
from schemas.events import Stimulus, Tick
from schemas.revision import REVISION
from schemas.status import CanaryStatus, Phase
from schemas.workload import Workload
from tests.handlers.core.oracle import Oracle
from tests.handlers.core.repeats import Repeats
from tests.handlers.core.shapes import copied
from tests.handlers.core.words import waits_for_a_gate_that_there_is
from tests.handlers.core.world import World

LEGAL: dict[Phase, set[Phase]] = {
    Phase.NEW: {Phase.INITIALIZING},
    Phase.INITIALIZING: {Phase.INITIALIZED},
    # Failed at once: a promotion is taken back
    Phase.INITIALIZED: {Phase.WAITING, Phase.PROGRESSING, Phase.FAILED},
    Phase.SUCCEEDED: {Phase.WAITING, Phase.PROGRESSING, Phase.FAILED},
    Phase.FAILED: {Phase.WAITING, Phase.PROGRESSING},
    Phase.WAITING: {Phase.PROGRESSING, Phase.INITIALIZED, Phase.SUCCEEDED, Phase.FAILED},
    Phase.PROGRESSING: {Phase.WAITING_PROMOTION, Phase.PROMOTING, Phase.SUCCEEDED, Phase.FAILED},
    Phase.WAITING_PROMOTION: {Phase.PROGRESSING, Phase.PROMOTING, Phase.SUCCEEDED, Phase.FAILED},
    Phase.PROMOTING: {Phase.FINALISING, Phase.PROGRESSING, Phase.SUCCEEDED, Phase.FAILED},
    Phase.FINALISING: {Phase.SUCCEEDED, Phase.PROMOTING},
    Phase.TERMINATING: set(),
    Phase.TERMINATED: set(),
}
for _phase in (Phase.INITIALIZED, Phase.SUCCEEDED, Phase.FAILED, Phase.WAITING):
    # under other names
    LEGAL[_phase] |= {Phase.INITIALIZING}
for _phase in [*LEGAL, Phase.NEW]:
    LEGAL[_phase] = LEGAL[_phase] | {Phase.TERMINATING, Phase.TERMINATED}
LEGAL[Phase.TERMINATING] = {Phase.TERMINATED}
LEGAL[Phase.TERMINATED] = set()
AT_FIRST_SIGHT = {(Phase.FINALISING, Phase.FAILED)}
"""Of what another controller left: an abort, where somebody led users to the target meanwhile."""


class Watched(World):
    """Raises AssertionError in the wake that breaks a promise."""

    def __init__(self, spec: dict[str, Any], *, drain: float = 0) -> None:
        super().__init__({"progressDeadlineSeconds": 60, **spec}, drain=drain)
        self.oracle = Oracle()
        self.repeats = Repeats()
        self.late: tuple[Canary, Observation] | None = None
        """What a worker that stalled after its commit is about to write."""
        self.dies = False
        """Whether the worker dies after its commit."""

    def wake(self, stimulus: Stimulus, *, project: bool = True) -> Decision:
        self.repeats.arrive(self)
        before, told = self.status, len(self.notices)
        decision = super().wake(stimulus, project=project and not self.dies)
        self.repeats.judge(stimulus, before, self.status, self.notices[told:])
        self.repeats.leave(self, died=self.dies or not project)
        self.oracle.carried_out(self)
        self._routes_are_whole()
        return decision

    def decide(self, canary: Canary, seen: Observation) -> Decision:
        found = self.oracle.look(self, canary, seen)
        decision = step(canary, seen)
        again = Observation.model_validate(json.loads(seen.model_dump_json()))
        assert step(canary, again) == decision, "the flight record does not replay"
        before, after = canary.status, decision.status
        begins_again = not before.route_step and seen.primary is None and after.phase is Phase.INITIALIZING
        if not begins_again:
            _moves_legally(before, after, self.now)
        _keeps_its_slots(before, after, seen)
        waits_for_a_gate_that_there_is(canary, seen, after)
        self.oracle.judge(self, found, decision)
        return decision

    def stall(self) -> None:
        """A worker stops after its commit; what it saw and decided is still to be written."""
        self.now += timedelta(seconds=10)
        tick = Tick(namespace="test", name="podinfo", uid="u", slot=self.now, interval=10)
        seen = self.observe(Canary.from_object(copied(self.item)), tick)
        self.wake(tick, project=False)
        self.late = (Canary.from_object(copied(self.item)), seen)

    def write_late(self) -> None:
        """Each write is guarded by the version that was read: over what has moved on, everything is read again."""
        if self.late is None:
            return
        (canary, seen), self.late = self.late, None
        if (seen.route, seen.target, seen.primary) != (self.route, self.shown("target"), self.shown("primary")):
            canary = Canary.from_object(copied(self.item))
            seen = self.observe(canary, seen.stimulus)
        self.project(canary, seen)
        self.oracle.carried_out(self)
        self._routes_are_whole()

    def _project_target(self, canary: Canary, seen: Observation) -> None:
        before, frozen = self.canary_replicas, self._is_frozen()
        super()._project_target(canary, seen)
        self.oracle.traffic.follow(self)
        released = frozen and not self._is_frozen()
        if released and canary.status.phase not in (Phase.INITIALIZING, Phase.TERMINATING):
            self.oracle.parks(self)
        if before and not self.canary_replicas:
            self.oracle.parks(self)

    def _is_frozen(self) -> bool:
        return self.target is not None and Workload(self.target).frozen is not None

    def _project_copy(self, canary: Canary, seen: Observation) -> bool:
        before = self.canary_copy
        done = super()._project_copy(canary, seen)
        if before is not None and self.canary_copy is not before:
            revisions = [Workload(item).annotations.get(REVISION) for item in (before, self.canary_copy) if item]
            assert self.weight == 0 or len(set(revisions)) == 1, "another revision under users' feet"
        return done

    def _routes_are_whole(self) -> None:
        routes = self.route["spec"]["routes"] if self.route else []
        for number in range(len(routes)):
            shares = [item.get("weight", 0) for item in self.destinations(number)]
            assert sum(shares) == 100
            assert min(shares) >= 0


def _moves_legally(before: CanaryStatus, after: CanaryStatus, now: datetime) -> None:
    # a deletion that another controller began begins again, and so does its deadline
    if before.phase is after.phase is Phase.TERMINATING and after.target_step > before.target_step == 0:
        assert after.last_transition_time == now.replace(microsecond=0)
    elif before.phase is after.phase:
        assert after.last_transition_time == before.last_transition_time
    else:
        moved = (before.phase, after.phase)
        known = after.phase in LEGAL[before.phase] or (before.observed_generation == 0 and moved in AT_FIRST_SIGHT)
        assert known, f"{before.phase} -> {after.phase}"
        assert after.last_transition_time == now.replace(microsecond=0)
    promoted = next((item for item in after.conditions if item.type == "Promoted"), None)
    if promoted is not None and promoted.reason == "NewRevision":
        assert after.phase in (Phase.INITIALIZED, Phase.SUCCEEDED)
        assert promoted.status == "Unknown"
    else:
        assert promoted is None or promoted.reason == (after.phase.value or "Initializing")


def _keeps_its_slots(before: CanaryStatus, after: CanaryStatus, seen: Observation) -> None:
    if before.last_tick is not None and not seen.ahead(before.last_tick):
        assert after.last_tick is not None
        assert after.last_tick >= before.last_tick
