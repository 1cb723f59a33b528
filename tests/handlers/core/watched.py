"""A world that checks, after every wake, what must hold whatever happened before."""

from __future__ import annotations

import copy
import json
from datetime import datetime, timedelta
from typing import Any

from handlers.core.draft import Decision
from handlers.core.gate import canary_readiness, gateway, primary_readiness, target_gone
from handlers.core.inherited import carried_revision
from handlers.core.observation import Observation
from handlers.core.step import step
from handlers.core.strategy import next_step
from schemas.canary import Canary
from schemas.events import Stimulus, Tick
from schemas.status import CanaryStatus, Condition, Phase, Reason
from schemas.workload import Workload
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
DELETED = {Phase.TERMINATING, Phase.TERMINATED}
RUNNING = {Phase.PROGRESSING, Phase.WAITING_PROMOTION, Phase.PROMOTING, Phase.FINALISING}
ANALYSED = {Phase.PROGRESSING, Phase.WAITING_PROMOTION}

UNALARMING = {reason.value for reason in (Reason.CHECK_FAILED, Reason.HOOK_FAILED, Reason.SOAKING)}
"""What is counted, and ends a rollout by that, and what passes with time."""


class Watched(World):
    """Raises AssertionError in the wake that breaks a promise."""

    def __init__(self, spec: dict[str, Any], *, drain: float = 0) -> None:
        super().__init__({"progressDeadlineSeconds": 60, **spec}, drain=drain)
        self.earned: set[str] = set()
        """Revisions that may reach the primary: at first any, after the first promotion what went the whole way."""
        self.late: tuple[Canary, Observation] | None = None
        """What a worker that stalled after its commit is about to write."""
        self.alarmed: datetime | None = None
        """When people were told last that something is wrong."""

    def wake(self, stimulus: Stimulus, *, project: bool = True) -> Decision:
        before = self.status
        canary, seen = self.look(stimulus)
        decision = step(canary, seen)
        after = decision.status
        begins_again = not before.step and seen.primary is None and after.phase is Phase.INITIALIZING
        if not begins_again:
            _moves_legally(before, after, self.now)
        _keeps_its_slots(before, after, seen)
        _says_what_it_waits_for(after)
        _waits_for_a_gate_that_there_is(canary, seen, after)
        if isinstance(stimulus, Tick) and after.last_tick != before.last_tick:
            _stands_still_for_a_reason(before, after)
        self._is_not_held_in_silence(canary, decision)
        if after.phase is Phase.SUCCEEDED and after.primary_step:
            assert after.primary_revision == after.promoted_revision, "promoted, and the primary runs something else"
        adopted = not before.step and bool(before.last_applied_spec)
        if not before.primary_step:
            # whoever takes a primary over does not answer for what it runs, and may give it that again
            self.earned.add(carried_revision(canary, seen))
        if after.canary_weight > before.canary_weight and not adopted:
            _is_allowed_to_rise(canary, seen, decision)
        moved_away = after.canary_weight < before.canary_weight and not begins_again
        if before.phase is Phase.PROMOTING and moved_away:
            forced = seen.snapshot_missing or target_gone(canary, seen)
            assert primary_readiness(canary, seen).ready or forced, "traffic left for a broken primary"
        if after.phase is Phase.PROMOTING and before.phase in ANALYSED:
            if adopted:
                assert after.skip_to or carried_revision(canary, seen) == seen.target_revision, (
                    "taken over, not analysed, promoted"
                )
            else:
                _has_earned_its_promotion(canary, seen, decision)
            self.earned.add(after.primary_revision)
        elif not after.promoted_revision and self.target is not None:
            self.earned.add(seen.target_revision)
        made = super().wake(stimulus, project=project)
        assert made == decision
        self._cluster_is_safe()
        return made

    def _is_not_held_in_silence(self, canary: Canary, decision: Decision) -> None:
        """Longer than the deadline by one and the same reason, and somebody has been alerted of it."""
        if any(notice.severity in ("warn", "error") for notice in decision.notices):
            self.alarmed = self.now
        after = decision.status
        ready = next((item for item in after.conditions if item.type == "Ready"), None)
        judged = after.phase in ANALYSED and after.last_tick != canary.status.last_tick
        if not judged or ready is None or ready.status != "False" or ready.reason in UNALARMING:
            return
        since = _held_since(after, ready)
        if (self.now - since).total_seconds() > canary.spec.deadline and not after.paused:
            assert self.alarmed is not None, f"nobody knows: {ready.message}"
            assert self.alarmed >= since, f"nobody knows since {since}: {ready.message}"

    def look(self, stimulus: Stimulus) -> tuple[Canary, Observation]:
        canary, seen = super().look(stimulus)
        decision = step(canary, seen)
        assert step(canary, seen) == decision, "not a function of its input"
        again = Observation.model_validate(json.loads(seen.model_dump_json()))
        assert step(canary, again) == decision, "the flight record does not replay"
        return canary, seen

    def stall(self) -> None:
        """A worker stops after its commit; what it saw and decided is still to be written."""
        self.now += timedelta(seconds=10)
        tick = Tick(namespace="test", name="podinfo", uid="u", slot=self.now, interval=10)
        seen = self.observe(Canary.from_object(copy.deepcopy(self.item)), tick)
        self.wake(tick, project=False)
        self.late = (Canary.from_object(copy.deepcopy(self.item)), seen)

    def write_late(self) -> None:
        """Each write is guarded by the version that was read: over what has moved on, everything is read again."""
        if self.late is None:
            return
        (canary, seen), self.late = self.late, None
        if (seen.route, seen.target, seen.primary) != self._objects():
            canary = Canary.from_object(copy.deepcopy(self.item))
            seen = self.observe(canary, seen.stimulus)
        self.project(canary, seen)
        self._cluster_is_safe()

    def _objects(self) -> tuple[Any, Any, Any]:
        return self.route, self._with_status(self.target, "target"), self._with_status(self.primary, "primary")

    def _project_target(self, canary: Canary, seen: Observation) -> None:
        before, frozen = self.canary_replicas, self._is_frozen()
        super()._project_target(canary, seen)
        if frozen and not self._is_frozen() and canary.status.phase not in (Phase.INITIALIZING, Phase.TERMINATING):
            assert self.weight == 0, "a revision that nobody analysed was rolled out to users"
            assert gateway(canary, seen).applied, "it was rolled out before the routes were in force"
        if before and not self.canary_replicas:
            assert self.weight == 0, "scaled to zero while routed to"
            assert gateway(canary, seen).applied, "scaled to zero before the routes were in force"

    def _is_frozen(self) -> bool:
        return self.target is not None and Workload(self.target).frozen is not None

    def _project_copy(self, canary: Canary, seen: Observation) -> bool:
        before = self.canary_copy
        done = super()._project_copy(canary, seen)
        if before is not None and self.canary_copy is not before:
            assert self.weight == 0, "another revision under users' feet"
        return done

    def _cluster_is_safe(self) -> None:
        routes = self.route["spec"]["routes"] if self.route else []
        for number in range(len(routes)):
            shares = [item.get("weight", 0) for item in self.destinations(number)]
            assert sum(shares) == 100
            assert min(shares) >= 0
        assert set(self.primary_revisions) <= self.earned, "the primary got what nobody had analysed"


def _moves_legally(before: CanaryStatus, after: CanaryStatus, now: datetime) -> None:
    if before.phase is after.phase:
        assert after.last_transition_time == before.last_transition_time
    else:
        assert after.phase in LEGAL[before.phase] | DELETED, f"{before.phase} -> {after.phase}"
        assert after.last_transition_time == now.replace(microsecond=0)
    promoted = next((item for item in after.conditions if item.type == "Promoted"), None)
    if promoted is not None and promoted.reason == "NewRevision":
        assert after.phase in (Phase.INITIALIZED, Phase.SUCCEEDED)
        assert promoted.status == "Unknown"
    else:
        assert promoted is None or promoted.reason == after.phase.value


def _keeps_its_slots(before: CanaryStatus, after: CanaryStatus, seen: Observation) -> None:
    if before.last_tick is not None and not seen.ahead(before.last_tick):
        assert after.last_tick is not None
        assert after.last_tick >= before.last_tick


def _says_what_it_waits_for(status: CanaryStatus) -> None:
    ready = next((item for item in status.conditions if item.type == "Ready"), None)
    held = ready is not None and ready.status == "False"
    assert not held or (ready is not None and ready.message), "held without a word"
    if status.phase in (Phase.WAITING, Phase.FINALISING, Phase.INITIALIZING):
        assert status.waiting_for or held, f"{status.phase} waits for nothing"


def _waits_for_a_gate_that_there_is(canary: Canary, seen: Observation, after: CanaryStatus) -> None:
    closed, undecided = after.closed_gate, canary.spec.suspend or seen.problems
    gates = {(hook.hook_type.value, hook.name) for hook in canary.spec.analysis.webhooks}
    assert closed is None or undecided or (closed.gate, closed.hook) in gates, f"{closed} is in the spec no more"


def _stands_still_for_a_reason(before: CanaryStatus, after: CanaryStatus) -> None:
    """Whoever has had a tick and is where it was in the middle of a rollout says why."""
    if after.phase not in RUNNING or _position(before) != _position(after):
        return
    ready = next((item for item in after.conditions if item.type == "Ready"), None)
    held = ready is not None and ready.status == "False"
    assert held or after.waiting_for or after.paused, f"{after.phase} stands still: {after.last_step}"


def _held_since(status: CanaryStatus, ready: Condition) -> datetime:
    """The reason may stay where what it is about came back in between."""
    gate = status.closed_gate if status.waiting_for == "gate" else None
    pods = (status.not_ready_since, status.primary_not_ready_since) if ready.reason == Reason.NOT_READY else ()
    data = status.no_data_since if ready.reason == Reason.NO_DATA else None
    began = gate.since if gate is not None else ready.last_transition_time
    assert began is not None
    latest: datetime = max([began, *(since for since in (data, *pods) if since is not None)])
    return latest


def _position(status: CanaryStatus) -> tuple[object, ...]:
    counted = (status.canary_weight, status.iterations, status.failed_checks, status.pre_rollout_passed)
    return (status.phase, status.canary_revision, status.primary_revision, *counted)


def _is_allowed_to_rise(canary: Canary, seen: Observation, decision: Decision) -> None:
    assert canary_readiness(canary, seen).ready
    if canary.finalising:
        # users are led back to the target, which is the one that stays
        assert decision.status.phase is Phase.TERMINATING
        return
    if decision.status.phase is Phase.TERMINATING:
        assert canary_readiness(canary, seen).ready, "users were sent to pods that are not there"
        return
    assert isinstance(seen.stimulus, Tick)
    assert seen.slot is not None
    assert canary.status.last_tick is None or seen.slot > canary.status.last_tick
    assert any(notice.reason is Reason.STEP_TAKEN for notice in decision.notices)
    assert decision.status.last_step is not None
    assert all(check.verdict == "pass" for check in decision.status.last_step.checks)
    assert gateway(canary, seen).applied
    assert not canary.status.paused
    assert not canary.spec.suspend
    assert canary.status.canary_revision == seen.target_revision


def _has_earned_its_promotion(canary: Canary, seen: Observation, decision: Decision) -> None:
    status = canary.status
    assert decision.status.primary_revision == status.canary_revision
    if canary.spec.skip_analysis or decision.status.skip_to or status.skip_to:
        return
    assert isinstance(seen.stimulus, Tick)
    assert next_step(canary.spec.analysis, status.canary_weight, status.iterations).action == "promote"
    assert status.pre_rollout_passed
    assert decision.status.last_step is not None
    assert all(check.verdict == "pass" for check in decision.status.last_step.checks)
    assert len(decision.status.last_step.checks) >= len(canary.spec.analysis.checks)
