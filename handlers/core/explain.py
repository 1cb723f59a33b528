"""A Canary in sentences, for a person who asks why it is not further: what it does, what holds it, what comes next."""

from __future__ import annotations

from datetime import timedelta

from handlers.core.remarks import remarks
from handlers.core.strategy import next_step
from handlers.core.summary import summary
from handlers.core.verdict import limits
from schemas.answers import Explanation
from schemas.base import format_time
from schemas.canary import Canary
from schemas.status import IDLE, CheckResult, Phase

_ANALYSED = (Phase.PROGRESSING, Phase.WAITING_PROMOTION)
_DOING = {
    Phase.NEW: "nothing has been made for it yet",
    Phase.INITIALIZING: "makes the primary, Services and routes",
    Phase.INITIALIZED: "waits for a new revision; all users are on the primary",
    Phase.WAITING: "a new revision waits for its gate; all users are on the primary",
    Phase.PROGRESSING: "analyses revision {revision} with {weight} % of the users",
    Phase.WAITING_PROMOTION: "revision {revision} waits for its gate, with {weight} % of the users",
    Phase.PROMOTING: "gives revision {revision} to the primary",
    Phase.FINALISING: "sends all users to the primary, which runs revision {revision}",
    Phase.SUCCEEDED: "waits for a new revision; revision {revision} was promoted",
    Phase.FAILED: "waits for a new revision; revision {revision} was refused",
    Phase.TERMINATING: "gives the target back its users, because the Canary is being deleted",
    Phase.TERMINATED: "the target serves without it; the Canary is being deleted",
}
_CAN: dict[Phase, tuple[str, ...]] = {
    Phase.WAITING: ("approve", "promote", "abort", "pause"),
    Phase.PROGRESSING: ("promote", "abort", "pause", "restart"),
    Phase.WAITING_PROMOTION: ("approve", "promote", "abort", "pause", "restart"),
    Phase.PROMOTING: ("abort",),
    Phase.FINALISING: ("abort",),
    Phase.INITIALIZED: ("pause",),
    Phase.SUCCEEDED: ("pause",),
    Phase.FAILED: ("restart", "pause"),
}


def explain(canary: Canary, shortest: float) -> Explanation:
    """Nothing is read but the Canary itself. ``shortest``: the least interval of this installation, in seconds."""
    told = summary(canary)
    return Explanation(
        **{**told.model_dump(), "message": ""},
        doing=_DOING[canary.status.phase].format(revision=canary.status.canary_revision, weight=told.weight),
        why=told.message,
        checks=_checks(canary),
        following=_following(canary, shortest),
        commands=_commands(canary),
        remarks=remarks(canary),
    )


def _checks(canary: Canary) -> tuple[CheckResult, ...]:
    """As they were judged last; what was not asked yet has its limits all the same."""
    last = canary.status.last_step
    judged = last.checks if last is not None else ()
    names = {check.name for check in judged}
    if canary.status.phase not in _ANALYSED:
        return judged
    missing = [metric for metric in canary.spec.analysis.checks if metric.key not in names]
    return judged + tuple(
        CheckResult(name=metric.key, verdict="insufficient", message="not asked in the last step", min=low, max=high)
        for metric in missing
        for low, high in (limits(metric),)
    )


def _following(canary: Canary, shortest: float) -> str:
    """What happens by itself, and when."""
    status, analysis = canary.status, canary.spec.analysis
    if canary.spec.suspend:
        return "nothing until suspend is taken back"
    if status.phase is Phase.FAILED:
        return "nothing by itself: push another revision, or restart the analysis of this one"
    if status.phase in IDLE:
        return "nothing until the target has a new revision"
    if status.phase not in _ANALYSED:
        return f"goes on as soon as {status.waiting_for or 'its pods and routes'} allow it"
    found = next_step(analysis, status.canary_weight, status.iterations)
    step = "promotion" if found.action == "promote" else found.message
    at = ""
    if status.last_tick is not None:
        due = status.last_tick + timedelta(seconds=analysis.interval_seconds(shortest))
        at = f" at {format_time(due)}"
    deadline = ""
    if status.no_data_since is not None:
        end = status.no_data_since + timedelta(seconds=canary.spec.deadline)
        deadline = f"; rolled back if there is no data until {format_time(end)}"
    left = analysis.failures_allowed - status.failed_checks
    return f"judged again{at}; {step} when everything passes, rolled back after {left} more failed checks{deadline}"


def _commands(canary: Canary) -> tuple[str, ...]:
    """What a person can ask for now, in words to paste."""
    status, place = canary.status, f"{canary.metadata.namespace}.{canary.metadata.name}"
    # while waiting it says only where a revision that is taken back came from: nothing returns
    returns = status.returning and status.phase is not Phase.WAITING
    verbs = [] if returns else list(_CAN.get(status.phase, ()))
    if status.paused:
        verbs = ["resume", *(verb for verb in verbs if verb != "pause")]
    if status.closed_gate and "approve" not in verbs:
        verbs.insert(0, "approve")
    if status.previous_revision and status.phase in (Phase.INITIALIZED, Phase.SUCCEEDED):
        verbs.append("rollback")
    return tuple(f"nats req canary.api.{verb}.{place} '{{}}'" for verb in verbs)
