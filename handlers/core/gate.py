"""What keeps a rollout from advancing: pods, routes, soak. Each answer is the sentence that says so, or None."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from handlers.core import pauses
from handlers.core.desired import canary_wanted
from handlers.core.kinds import kind_of
from handlers.core.observation import SLACK, Gateway, Observation
from schemas.canary import Canary
from schemas.gloo import Verdict
from schemas.resources import SCALED_OBJECT
from schemas.status import IDLE, CanaryStatus, Phase, Reason, WaitingFor
from schemas.workload import PRIMARY_STEP, TARGET_STEP, Readiness, Workload


def canary_readiness(canary: Canary, seen: Observation) -> Readiness:
    """Ready means: running our size (the fence says it is ours), at least one pod, enough of them available."""
    target = seen.target_workload
    if target is None:
        return Readiness(False, False, f"{canary.spec.target_ref.kind} {canary.target} not found")
    if target.fence(TARGET_STEP) != canary.status.target_step:
        return Readiness(False, False, "waiting for rollout to finish: replicas not set yet")
    threshold, since = canary.spec.analysis.canary_ready_threshold, canary.status.not_ready_since
    found = _readiness(canary, target, threshold, since, seen)
    if found.ready and target.available < 1:
        return Readiness(False, False, "waiting for rollout to finish: no available replicas")
    return found


def target_gone(canary: Canary, seen: Observation) -> str:
    """What somebody did to the target that should run, in a sentence; empty while nobody did."""
    target, status = seen.target_workload, canary.status
    place = f"{canary.spec.target_ref.kind} {canary.target}.{canary.metadata.namespace}"
    if target is None:
        return f"{place} is gone"
    parked = target.replicas == 0 and target.fence(TARGET_STEP) == status.target_step
    if not parked or not canary_wanted(status):
        return ""
    why = pauses.may_sleep(seen.scaler) if _by_keda(canary) and seen.scaler else ""
    return f"{place} was scaled to zero ({why})" if why else f"{place} was scaled to zero"


def _by_keda(canary: Canary) -> bool:
    ref = canary.spec.autoscaler_ref
    return ref is not None and ref.kind == SCALED_OBJECT.kind


def primary_readiness(canary: Canary, seen: Observation) -> Readiness:
    """Ready means: carrying the template of ``primaryRevision`` (fence), at least one pod, enough of them available.

    Of a primary whose revision is not known (no ``primaryStep``) only its pods are looked at.
    """
    primary = seen.primary_workload
    if primary is None:
        return Readiness(False, False, f"{canary.spec.target_ref.kind} {canary.primary} not found")
    if canary.status.primary_step and primary.fence(PRIMARY_STEP) != canary.status.primary_step:
        return Readiness(False, False, "waiting for rollout to finish: template not copied yet")
    threshold, since = canary.spec.analysis.primary_ready_threshold, canary.status.primary_not_ready_since
    found = _readiness(canary, primary, threshold, since, seen)
    if found.ready and primary.available < 1:
        return Readiness(
            False, False, f"waiting for rollout to finish: no available replicas{_asleep(canary, primary)}"
        )
    return found


def _asleep(canary: Canary, primary: Workload) -> str:
    """It gets none by itself; its copy of a ScaledObject has a minimum while it is waited for."""
    ref = canary.spec.autoscaler_ref
    if primary.replicas or ref is None:
        return ""
    if not _by_keda(canary):
        return f"; no autoscaler scales up from zero: scale {primary.name} up"
    clone = f"ScaledObject {ref.name}-primary"
    return f"; KEDA scales it up from zero after {clone}, else look at the conditions of that"


def _readiness(
    canary: Canary, workload: Workload, threshold: int, since: datetime | None, seen: Observation
) -> Readiness:
    deadline = canary.spec.deadline
    share = min(100, max(0, threshold))
    found = workload.readiness(threshold=share, deadline=deadline, now=seen.now, since=since)
    trouble = "" if found.ready else seen.pod_trouble.get(workload.name, "")
    return found._replace(message=f"{found.message}; {trouble}") if trouble else found


def canary_not_ready(canary: Canary, found: Readiness) -> str:
    return kind_of(canary).canary_not_ready(f"{canary.target}.{canary.metadata.namespace}", found)


def primary_not_ready(canary: Canary, found: Readiness) -> str:
    return kind_of(canary).primary_not_ready(f"{canary.primary}.{canary.metadata.namespace}", found)


def gateway(canary: Canary, seen: Observation) -> Gateway:
    """The verdict of the gateway on the routes of the committed status (design section 5)."""
    status = canary.status
    report = seen.report
    if report is None or not seen.route_current or seen.route_fence != status.route_step:
        return Gateway(False, words="the routes are not written yet")
    match report.verdict:
        case Verdict.ACCEPTED:
            return Gateway(True)
        case Verdict.REJECTED | Verdict.WARNING:
            return Gateway(False, True, report.words or report.verdict)
        case Verdict.PENDING:
            return Gateway(False, words="the gateway has not applied the routes yet")
        case Verdict.SILENT:
            if status.gateway_silent and seen.since(status.weight_since) >= seen.rules.gateway_settle:
                return Gateway(True)
            late = seen.since(status.weight_since) >= seen.rules.gateway_settle
            hint = "; does a VirtualService delegate to them?" if late else ""
            return Gateway(False, words=f"the gateway has not reported on the routes yet{hint}")


def makes(canary: Canary, seen: Observation) -> bool:
    """Whether objects are made equal to the status. At rest also those of a Canary that could not be judged."""
    return seen.renderable or (canary.status.phase in IDLE and seen.repairable)


def target_turn(canary: Canary, seen: Observation) -> Literal["run", "park", "wait"]:
    """What the target is to do; it is parked only after routes without it were seen in force and have drained.

    Nor does one whose pods were frozen for its users roll out the next revision before that.
    """
    status = canary.status
    since = status.verdict_since
    drained = gateway(canary, seen).applied and since is not None and seen.since(since) >= seen.rules.drain
    if canary_wanted(status):
        begun = status.phase not in (Phase.INITIALIZING, Phase.TERMINATING)
        target = seen.target_workload
        leaving = begun and target is not None and target.frozen is not None and not status.canary_weight
        return "wait" if leaving and not drained else "run"
    return "park" if drained else "wait"


def canary_blocked(canary: Canary, seen: Observation) -> tuple[Reason, str, WaitingFor] | None:
    """Why the canary must not get more traffic now, and what has to change for that."""
    found = canary_readiness(canary, seen)
    if not found.ready:
        return Reason.NOT_READY, canary_not_ready(canary, found), "target"
    found = primary_readiness(canary, seen)
    if not found.ready:
        return Reason.NOT_READY, primary_not_ready(canary, found), "primary"
    behind = gateway(canary, seen)
    if not behind.applied:
        return _not_in_force(canary, behind)
    return None


def _not_in_force(canary: Canary, behind: Gateway) -> tuple[Reason, str, WaitingFor]:
    return Reason.GATEWAY_BEHIND, f"RouteTable {canary.service}.{canary.metadata.namespace}: {behind.words}", "gateway"


def _served(status: CanaryStatus, seen: Observation) -> bool:
    """Whether the routes that are there, ours, were in force at some time."""
    return seen.route_current and seen.route_fence == status.route_step == status.served_step


def analysis_blocked(canary: Canary, seen: Observation) -> tuple[Reason, str, WaitingFor] | None:
    """Why metrics say nothing about this weight yet: routes not in force, or not for a whole interval.

    What the gateway says of them afterwards keeps the rollout from advancing, never from failing.
    """
    behind = gateway(canary, seen)
    if not behind.applied and not _served(canary.status, seen):
        return _not_in_force(canary, behind)
    tick, slot = seen.tick, seen.slot
    if tick is None or slot is None or canary.status.weight_since is None:
        return None
    soaked = (slot - canary.status.weight_since).total_seconds()
    if soaked < min(tick.interval, canary.spec.analysis.interval_seconds(seen.rules.min_interval)) - 0.001:
        return Reason.SOAKING, "the weight has not served a whole interval yet", ""
    applied_since = canary.status.verdict_since or seen.now
    # of routes that were in force, and are not now, nobody knows since when: a late tick judges what one on time does
    if behind.applied and (applied_since - slot).total_seconds() > SLACK:
        return Reason.SOAKING, "the routes came into force after this slot began", ""
    return None
