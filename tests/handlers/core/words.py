"""Whoever is held, or stands still, says so, and what for: the status is all that people see."""

from __future__ import annotations

from datetime import datetime

from handlers.core.draft import Decision
from handlers.core.observation import Observation
from schemas.canary import Canary
from schemas.events import Command
from schemas.status import IDLE, CanaryStatus, Condition, Phase, Reason
from tests.handlers.core.witness import Traffic, Witness

RUNNING = (Phase.PROGRESSING, Phase.WAITING_PROMOTION, Phase.PROMOTING, Phase.FINALISING)
ALWAYS = (Phase.INITIALIZING, Phase.WAITING, Phase.FINALISING)
"""Phases that wait for something in every moment."""

UNALARMING = {reason.value for reason in (Reason.CHECK_FAILED, Reason.HOOK_FAILED, Reason.SOAKING)}
"""What is counted, and ends a rollout by that, and what passes with time."""


class Alarms:
    def __init__(self) -> None:
        self.last: datetime | None = None
        """When people were told last that something is wrong."""

    def judge(self, found: Witness, decision: Decision) -> None:
        """Longer than the deadline by one and the same reason, and somebody has been alerted of it."""
        if any(notice.severity in ("warn", "error") for notice in decision.notices):
            self.last = found.now
        after, ready = decision.status, held_of(decision.status)
        judged = after.phase in RUNNING and found.decides and found.slot is not None
        if not judged or ready is None or ready.status != "True" or ready.reason in UNALARMING:
            return
        since = _held_since(after, ready)
        if (found.now - since).total_seconds() > found.canary.spec.deadline and not after.paused:
            assert self.last is not None, f"nobody knows: {ready.message}"
            assert self.last >= since, f"nobody knows since {since}: {ready.message}"


def judge(found: Witness, after: CanaryStatus, traffic: Traffic) -> None:
    before, held = found.before, is_held(after)
    if isinstance(found.stimulus, Command):
        # it may be refused; whatever holds the Canary is told by the next wake
        return
    says = held or bool(after.waiting_for)
    if after.phase in ALWAYS:
        assert says, f"{after.phase} waits for nothing"
    if after.phase in IDLE and after.canary_weight and before.route_step and after.phase is not Phase.TERMINATED:
        assert says, f"users are left on the canary in {after.phase}, and nobody knows why"
    if after.phase is Phase.TERMINATING and found.canary.finalising and before.route_step:
        drains = after.returned and traffic.share == 100
        assert says or drains, "the deletion waits for nothing"
    if not found.decides or after.phase not in RUNNING or _position(before) != _position(after):
        return
    if found.slot is not None:
        assert says or after.paused, f"{after.phase} stands still: {after.last_step}"
    if after.phase is Phase.PROMOTING and after.primary_step == before.primary_step and not found.primary_serves:
        assert held, "the primary is not ready, and nobody is told"
    if after.phase is Phase.PROGRESSING and found.slot is not None and not found.canary_serves:
        assert held, "the canary is not ready, and nobody is told"
    if after.phase is Phase.FINALISING and not found.gateway_follows:
        assert held or after.waiting_for == "gateway", "the gateway does not follow, and nobody is told"


def is_held(status: CanaryStatus) -> bool:
    ready = held_of(status)
    held = ready is not None and ready.status == "True"
    assert not held or (ready is not None and ready.message), "held without a word"
    return held


def held_of(status: CanaryStatus) -> Condition | None:
    return next((item for item in status.conditions if item.type == "Held"), None)


def _held_since(status: CanaryStatus, ready: Condition) -> datetime:
    """The reason may stay where what it is about came back in between."""
    gate = status.closed_gate if status.waiting_for == "gate" else None
    pods = (status.not_ready_since, status.primary_not_ready_since) if ready.reason == Reason.NOT_READY else ()
    data = status.no_data_since if ready.reason == Reason.NO_DATA else None
    routes = status.behind_since if ready.reason == Reason.GATEWAY_BEHIND else None
    began = gate.since if gate is not None else ready.last_transition_time
    assert began is not None
    latest: datetime = max([began, *(since for since in (data, routes, *pods) if since is not None)])
    return latest


def waits_for_a_gate_that_there_is(canary: Canary, seen: Observation, after: CanaryStatus) -> None:
    closed, undecided = after.closed_gate, canary.spec.suspend or seen.problems
    gates = {(hook.hook_type.value, hook.name) for hook in canary.spec.analysis.webhooks}
    assert closed is None or undecided or (closed.gate, closed.hook) in gates, f"{closed} is in the spec no more"


def _position(status: CanaryStatus) -> tuple[object, ...]:
    counted = (status.canary_weight, status.iterations, status.failed_checks, status.pre_rollout_passed)
    return (status.phase, status.canary_revision, status.primary_revision, *counted)
