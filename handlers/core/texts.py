"""Sentences that are said in more than one place; the peer's are matched by people's filters (spec 2.11)."""

from __future__ import annotations

from schemas.asked import Paused
from schemas.base import format_time
from schemas.canary import Analysis, Canary, Ref, Strategy
from schemas.kinds.daemonset import SCALE_TO_ZERO
from schemas.resources import DAEMON_SET
from schemas.status import CanaryStatus
from schemas.workload import PAUSED_REPLICAS, Workload


def describe_routing(analysis: Analysis) -> str:
    """The alert field "Traffic routing"; empty when there is nothing to say."""
    match analysis.strategy:
        case Strategy.AB_TESTING:
            return "A/B Testing"
        case Strategy.BLUE_GREEN:
            return "Blue/Green"
        case Strategy.CANARY if analysis.step_weight:
            return f"Weight step: {analysis.step_weight} max: {analysis.max_weight}"
        case Strategy.CANARY if analysis.step_weights:
            return f"Weight steps: {','.join(map(str, analysis.step_weights))} max: {analysis.max_weight}"
        case Strategy.CANARY:
            return ""


def suspended(weight: int) -> str:
    return f"skipping canary run as object is suspended, canary weight stays at {weight}"


def silent_gateway(canary: Canary, settle: float) -> str:
    """Why weights are believed without a report; ``settle`` in seconds."""
    route = f"RouteTable {canary.service}.{canary.metadata.namespace}"
    return (
        f"{route} gets no status from the gateway: no VirtualService delegates to it, or Gloo does not write statuses; "
        f"weights are believed {settle:g} s after they are written"
    )


def left_at_zero(ref: Ref, target: Workload, replicas: int, scaled_object: str = "") -> str:
    """A Canary is gone, its target is parked, and nobody will scale it up; ``replicas`` are the primary's.

    ``scaled_object``: the name of the one that we have paused, which would undo any other size.
    """
    place = f"{target.kind} {target.name}.{ref.namespace}"
    remedy = f"kubectl -n {ref.namespace} scale {target.kind.lower()}/{target.name} --replicas={max(1, replicas)}"
    if target.kind == DAEMON_SET.kind:
        remedy = f"take {SCALE_TO_ZERO} out of its nodeSelector"
    if scaled_object:
        paused = f"kubectl -n {ref.namespace} annotate scaledobject/{scaled_object} {PAUSED_REPLICAS}-"
        remedy = f"ScaledObject {scaled_object} is paused at zero: {paused}, then {remedy}"
    return f"Canary {ref} was deleted without revertOnDeletion: {place} runs no pods, and its primary goes; {remedy}"


def paused_by(status: CanaryStatus) -> str:
    """Who holds it, since when and why, for every sentence about something that a pause holds."""
    paused = status.paused or Paused()
    since = f" since {format_time(paused.since)}" if paused.since else ""
    why = f": {paused.reason}" if paused.reason else ""
    return f"paused by {paused.by or 'somebody'}{since}{why}"


def held_by(status: CanaryStatus) -> str:
    """The end of a sentence about something new that a pause holds; empty without one."""
    return f"; {paused_by(status)}" if status.paused else ""
