"""The peer's sentences in conditions and alerts: people's filters match them (spec 1.1.6, 2.11)."""

from __future__ import annotations

from typing import Literal

from schemas.base import format_time
from schemas.canary import Analysis, Canary, Ref, Strategy
from schemas.kinds.daemonset import SCALE_TO_ZERO
from schemas.resources import DAEMON_SET
from schemas.status import CanaryStatus, Condition, Paused, Phase, Reason
from schemas.workload import Workload

_UNKNOWN: dict[Phase, str] = {
    Phase.NEW: "New {kind} detected, starting initialization.",
    Phase.INITIALIZING: "New {kind} detected, starting initialization.",
    Phase.WAITING: "Waiting for approval.",
    Phase.WAITING_PROMOTION: "Waiting for approval.",
    Phase.PROGRESSING: "New revision detected, progressing canary analysis.",
    Phase.PROMOTING: "Canary analysis completed, starting primary rolling update.",
    Phase.FINALISING: "Canary analysis completed, routing all traffic to primary.",
    Phase.TERMINATING: "Canary deleted, restoring the {kind}.",
    Phase.TERMINATED: "Canary deleted, {kind} restored.",
}
_TRUE: dict[Phase, str] = {
    Phase.INITIALIZED: "{kind} initialization completed.",
    Phase.SUCCEEDED: "Canary analysis completed successfully, promotion finished.",
}


def condition_of(phase: Phase, canary: Canary, status: CanaryStatus) -> Condition:
    """The condition ``Promoted``, which ``kubectl wait --for=condition=promoted`` looks at."""
    kind = canary.spec.target_ref.kind
    value: Literal["True", "False", "Unknown"]
    if phase is Phase.FAILED:
        value, text = "False", _failure(status)
    elif phase in _TRUE:
        value, text = "True", _TRUE[phase]
    elif phase is Phase.TERMINATED and status.returning and not status.restored:
        value, text = "Unknown", "Canary deleted, {kind} left as it is."
    else:
        value, text = "Unknown", _UNKNOWN[phase]
    return Condition(type="Promoted", status=value, reason=phase.value or "New", message=text.format(kind=kind))


def _failure(status: CanaryStatus) -> str:
    ending = status.returning
    if ending and ending.reason is Reason.PROMOTION_FAILED:
        return "Promotion failed, {kind} scaled to zero and primary returned to the last promoted revision."
    if ending and ending.reason is Reason.ROLLED_BACK:
        return "Rolled back on command, primary returned to the revision promoted before."
    return "Canary analysis failed, {kind} scaled to zero."


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


def silent_gateway(canary: Canary, settle: float) -> str:
    """Why weights are believed without a report; ``settle`` in seconds."""
    route = f"RouteTable {canary.service}.{canary.metadata.namespace}"
    return (
        f"{route} gets no status from the gateway: no VirtualService delegates to it, or Gloo does not write statuses; "
        f"weights are believed {settle:g} s after they are written"
    )


def left_at_zero(ref: Ref, target: Workload, replicas: int) -> str:
    """A Canary is gone, its target is parked, and nobody will scale it up; ``replicas`` are the primary's."""
    place = f"{target.kind} {target.name}.{ref.namespace}"
    remedy = f"kubectl -n {ref.namespace} scale {target.kind.lower()}/{target.name} --replicas={max(1, replicas)}"
    if target.kind == DAEMON_SET.kind:
        remedy = f"take {SCALE_TO_ZERO} out of its nodeSelector"
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
