"""What to ask before deciding: rollback hooks, then rollout hooks, then all metrics together, gates last.

Gates are asked only if everything else passed, a closed one also while data are missing; it never keeps the rest from
being asked (design section 4).
"""

from __future__ import annotations

from dataclasses import dataclass

from handlers.core.approvals import is_approved
from handlers.core.gate import analysis_blocked, canary_blocked
from handlers.core.observation import Answers, Observation
from handlers.core.strategy import next_step
from handlers.core.verdict import everything_passed, judge, some_count
from schemas.analysis import Check
from schemas.canary import Canary, HookType, Webhook
from schemas.events import Command
from schemas.status import JUDGED, Phase


@dataclass(frozen=True)
class Plan:
    """``providers``: ask each metric provider whether it is there at all."""

    rollback: tuple[Webhook, ...] = ()
    hooks: tuple[Webhook, ...] = ()
    metrics: tuple[Check, ...] = ()
    gates: tuple[Webhook, ...] = ()
    providers: bool = False

    def __bool__(self) -> bool:
        return bool(self.rollback or self.hooks or self.metrics or self.gates or self.providers)


def plan(canary: Canary, seen: Observation) -> Plan:
    """Nothing for a canary that is suspended, invalid or being deleted; only providers are asked without a tick."""
    if canary.spec.suspend or seen.problems or canary.deleting:
        return Plan()
    match canary.status.phase:
        case Phase.INITIALIZING:
            return Plan(providers=_providers_wanted(canary, seen))
        case phase if phase in JUDGED and not is_fresh(canary, seen):
            return Plan()
        case Phase.WAITING:
            gates = _unapproved(canary, canary.spec.analysis.hooks(HookType.CONFIRM_ROLLOUT))
            return Plan(rollback=_rollback(canary), gates=gates)
        case Phase.PROMOTING:
            unasked = canary.status.returning or canary.status.skip_to == "skipAnalysis"
            return Plan(rollback=() if unasked else canary.spec.analysis.hooks(HookType.ROLLBACK))
        case Phase.PROGRESSING | Phase.WAITING_PROMOTION:
            return _analysis(canary, seen)
        case _:
            return Plan()


def asks_gates(canary: Canary, seen: Observation, answers: Answers) -> bool:
    """Whether it is the turn of ``gates``: everything passed, or one of them may keep what is not decided waiting."""
    if everything_passed(judge(canary, seen, answers)):
        return True
    return waits_at_gate(canary) and not some_count(canary, seen, answers)


def waits_at_gate(canary: Canary) -> bool:
    """As far as is known; where another controller waited nobody knows which hook it was."""
    return canary.status.closed_gate is not None or canary.status.phase is Phase.WAITING_PROMOTION


def opens(canary: Canary, seen: Observation) -> bool:
    """Whether the first slot of an analysis begins now: with its pods ready, whatever woke us, and only once.

    The slots are counted from here, and the tick of the first comes at once: nobody waits for a place in time that
    means nothing to a rollout, and hooks are asked by ticks alone, of which there is one at a time.
    """
    status = canary.status
    if isinstance(seen.stimulus, Command) or status.phase is not Phase.PROGRESSING:
        return False
    skips = canary.spec.skip_analysis or status.skip_to
    begun = status.slots_from is not None or status.pre_rollout_passed
    if skips or begun or seen.target_revision != status.canary_revision:
        return False
    return canary_blocked(canary, seen) is None


def is_fresh(canary: Canary, seen: Observation) -> bool:
    """A tick whose slot has not been judged yet; slots only go forward, but from one that a wrong clock has named."""
    last, slot = canary.status.last_tick, seen.slot
    return slot is not None and (last is None or slot > last or seen.ahead(last))


def _providers_wanted(canary: Canary, seen: Observation) -> bool:
    primary = seen.primary_workload
    return bool(
        canary.spec.analysis.metrics and not canary.spec.skip_analysis and primary is not None and primary.available
    )


def _analysis(canary: Canary, seen: Observation) -> Plan:
    analysis, status = canary.spec.analysis, canary.status
    rollback = _rollback(canary)
    if canary.spec.skip_analysis or status.skip_to or seen.target_revision != status.canary_revision:
        return Plan(rollback=rollback)
    if not status.pre_rollout_passed:
        if canary_blocked(canary, seen):
            return Plan(rollback=rollback)
        gates = _unapproved(canary, gates_due(canary))
        return Plan(rollback=rollback, hooks=analysis.hooks(HookType.PRE_ROLLOUT), gates=gates)
    gates = () if canary_blocked(canary, seen) else _unapproved(canary, gates_due(canary))
    if not status.canary_weight and not status.iterations:
        # the gate before the first step was closed: without traffic there is nothing to measure
        return Plan(rollback=rollback, gates=gates)
    if analysis_blocked(canary, seen):
        return Plan(rollback=rollback)
    return Plan(
        rollback=rollback,
        hooks=analysis.hooks(HookType.ROLLOUT),
        metrics=analysis.checks,
        gates=gates,
    )


def _rollback(canary: Canary) -> tuple[Webhook, ...]:
    """Without an analysis only confirm-rollout, post-rollout and event hooks work (spec lifecycle 2.5)."""
    return () if canary.spec.skip_analysis else canary.spec.analysis.hooks(HookType.ROLLBACK)


def _unapproved(canary: Canary, gates: tuple[Webhook, ...]) -> tuple[Webhook, ...]:
    """A pause asks nobody; a gate that a person opened is not asked what it thinks of that."""
    status = canary.status
    return () if status.paused else tuple(gate for gate in gates if not is_approved(status, gate.hook_type))


def gates_due(canary: Canary) -> tuple[Webhook, ...]:
    """What stands before the next step: the gate before more traffic on the way up, the one before promotion."""
    analysis, status = canary.spec.analysis, canary.status
    following = next_step(analysis, status.canary_weight, status.iterations)
    gates: tuple[Webhook, ...] = ()
    rises = status.phase is Phase.PROGRESSING or following.action == "advance"
    if rises and analysis.strategy == "canary":
        gates = analysis.hooks(HookType.CONFIRM_TRAFFIC_INCREASE)
    if (following.action == "promote" and analysis.strategy != "blue-green") or _switches_all(canary):
        gates += analysis.hooks(HookType.CONFIRM_PROMOTION)
    return gates


def _switches_all(canary: Canary) -> bool:
    """Blue/green asks once, before all users move to the canary (spec B11)."""
    analysis, status = canary.spec.analysis, canary.status
    moves = status.iterations >= analysis.iterations and status.canary_weight < 100
    return analysis.strategy == "blue-green" and moves
