"""The analysis of one revision: Progressing and WaitingPromotion. Judged on ticks; interrupted by any wake."""

from __future__ import annotations

from handlers.core import endings, freezing
from handlers.core.approvals import HELD_IN, hear_gates, hold_closed, hold_paused, is_approved, pass_open
from handlers.core.beginnings import from_zero
from handlers.core.draft import Draft
from handlers.core.gate import (
    analysis_blocked,
    canary_blocked,
    canary_not_ready,
    canary_readiness,
    gateway,
    primary_not_ready,
    primary_readiness,
    target_gone,
)
from handlers.core.observation import Answers
from handlers.core.plan import gates_due, is_fresh, waits_at_gate
from handlers.core.signals import ALERT, signalled, text_of
from handlers.core.strategy import Next, next_step
from handlers.core.texts import held_by
from handlers.core.undecided import undecided
from handlers.core.verdict import judge_hooks, judge_metrics, reason_of
from schemas.canary import HookType
from schemas.status import CheckResult, Phase, Reason, WaitingFor


def progressing(draft: Draft) -> Draft:
    """First what ends the analysis whatever the metrics say, then the analysis."""
    draft = _note_readiness(draft)
    # a signal that is given once is not lost to a push in the same slot: the pushed revision is looked at after it
    ended = _target_gone(draft) or _asked_to_roll_back(draft) or _other_revision(draft)
    ended = ended or _failed_too_often(draft, _failed_before(draft)) or _stuck(draft)
    skips = draft.canary.spec.skip_analysis or draft.status.skip_to
    # whatever is wrong with the primary, what it gets now may be what mends it
    ended = ended or (None if skips else _primary_stuck(draft)) or endings.primary_lost(draft)
    if ended is not None:
        return ended
    if skips:
        return _skip(draft)
    if not is_fresh(draft.canary, draft.seen):
        return _await_first_slot(draft)
    answers = draft.seen.answers
    if answers is not None and answers.moved:
        return draft.hold(Reason.SOAKING, "pods or routes moved while they were judged, judging again", quiet=True)
    if not draft.status.pre_rollout_passed:
        return _begin_analysis(draft, answers or Answers())
    if not draft.status.canary_weight and not draft.status.iterations:
        return _first_step(draft, answers or Answers())
    return _analyse(draft, answers or Answers())


def _note_readiness(draft: Draft) -> Draft:
    """The deadlines run from when the pods were last seen ready, not from when the rollout began."""
    status, now = draft.status, draft.seen.now
    canary, primary = canary_readiness(draft.canary, draft.seen), primary_readiness(draft.canary, draft.seen)
    return draft.set(
        not_ready_since=None if canary.ready else status.not_ready_since or now,
        primary_not_ready_since=None if primary.ready else status.primary_not_ready_since or now,
    )


def _target_gone(draft: Draft) -> Draft | None:
    found = target_gone(draft.canary, draft.seen)
    return endings.target_gone(draft, found) if found else None


def _other_revision(draft: Draft) -> Draft | None:
    """Another template, or another way of judging it: start from zero. The promoted one: nothing left to do."""
    status, seen = draft.status, draft.seen
    strategy = draft.canary.spec.analysis.strategy.value
    if seen.target_revision == status.promoted_revision:
        return endings.revert(draft)
    if seen.target_revision != status.canary_revision:
        text = f"New revision detected! Restarting analysis for {draft.target_place}"
        return from_zero(draft).tell(Reason.NEW_REVISION, text + held_by(draft.status))
    if status.strategy and status.strategy != strategy:
        text = f"Strategy changed from {status.strategy} to {strategy}! Restarting analysis for {draft.target_place}"
        return from_zero(draft).tell(Reason.RESTARTED, text + held_by(draft.status))
    return None


def _asked_to_roll_back(draft: Draft) -> Draft | None:
    told = signalled(draft)
    if told is None:
        return None
    return endings.roll_back(told, Reason.ROLLBACK_REQUESTED, text_of(draft), alert=ALERT, severity="warn")


def _stuck(draft: Draft) -> Draft | None:
    """Canary pods past their deadline end the rollout."""
    canary, seen = draft.canary, draft.seen
    found = canary_readiness(canary, seen)
    late = seen.since(draft.status.not_ready_since) > canary.spec.deadline
    if not found.ready and (found.stuck or (late and not draft.status.pre_rollout_passed)):
        why = canary_not_ready(canary, found)
        text = f"Rolling back {draft.place} progress deadline exceeded {why}"
        return endings.roll_back(draft, Reason.DEADLINE_EXCEEDED, text, alert=f"Progress deadline exceeded {why}")
    return None


def _primary_stuck(draft: Draft) -> Draft | None:
    """Past its deadline it ends the rollout when it can still serve."""
    canary, seen = draft.canary, draft.seen
    primary = primary_readiness(canary, seen)
    if primary.ready or not primary.stuck:
        return None
    text = primary_not_ready(canary, primary)
    workload = seen.primary_workload
    if workload is not None and workload.available > 0:
        return endings.roll_back(draft, Reason.DEADLINE_EXCEEDED, f"Rolling back {draft.place} {text}", alert=text)
    return draft.hold(Reason.DEADLINE_EXCEEDED, text, waiting_for="primary", alert=text, severity="error")


def _skip(draft: Draft) -> Draft:
    """No analysis: once the canary is ready, the revision goes to production."""
    found = canary_readiness(draft.canary, draft.seen)
    if draft.status.paused:
        return hold_paused(draft)
    if not found.ready:
        return _not_ready(draft, canary_not_ready(draft.canary, found), waiting_for="target")
    return promote(draft.set(skip_to="skipAnalysis") if draft.canary.spec.skip_analysis else draft)


def _await_first_slot(draft: Draft) -> Draft:
    """Whatever is still missing wakes us when it comes: the first slot begins then, and its tick comes at once."""
    status = draft.status
    if status.slots_from is not None and draft.canary.status.slots_from is None:
        return draft.go_on().because(Reason.STARTED, f"{draft.target_place} is ready, its first slot begins")
    begun = status.pre_rollout_passed or status.slots_from is not None
    blocked = None if begun else canary_blocked(draft.canary, draft.seen)
    if blocked is None or blocked[2] == status.waiting_for:
        return draft
    reason, text, waiting_for = blocked
    if draft.held_for == Reason.DEADLINE_EXCEEDED.value:
        # people were alerted of that
        return draft.set(waiting_for=waiting_for)
    return draft.hold(reason, text, waiting_for=waiting_for, quiet=True)


def _begin_analysis(draft: Draft, answers: Answers) -> Draft:
    """The first slot, with ready pods: acceptance tests, then the first step at once."""
    if blocked := canary_blocked(draft.canary, draft.seen):
        return _behind(draft, *blocked)
    started = draft
    if draft.status.failed_checks == 0:
        started = started.tell(Reason.STARTED, f"Starting canary analysis for {draft.target_place}")
    if failed := answers.failed(HookType.PRE_ROLLOUT):
        text = f"Halt {draft.place} advancement pre-rollout check {failed.name} failed {failed.text}".rstrip()
        return _count_failure(started, Reason.HOOK_FAILED, text)
    for answer in answers.of(HookType.PRE_ROLLOUT):
        started = started.tell(Reason.HOOK_PASSED, f"Pre-rollout check {answer.name} passed")
    return _advance(started.set(pre_rollout_passed=True), answers)


def _first_step(draft: Draft, answers: Answers) -> Draft:
    """Acceptance tests passed earlier and a gate kept the first step: without traffic only the gate is asked again."""
    if blocked := canary_blocked(draft.canary, draft.seen):
        return _behind(draft, *blocked)
    return _advance(draft, answers)


def _analyse(draft: Draft, answers: Answers) -> Draft:
    if late := _refused_too_long(draft):
        return late
    if blocked := analysis_blocked(draft.canary, draft.seen):
        return _behind(draft, *blocked)
    hooks, metrics = judge_hooks(draft.canary, answers), judge_metrics(draft.canary, draft.seen, answers)
    checks = hooks + metrics
    in_a_row, often = _in_a_row(draft, metrics)
    judged = draft.with_checks(checks).set(in_a_row=in_a_row)
    if decisive := next((hook for hook in hooks if hook.verdict == "fail"), often):
        return _count_failure(judged, reason_of(decisive), decisive.message)
    if halting := next((check for check in checks if check.verdict != "pass"), None):
        if waits_at_gate(draft.canary):
            judged = hear_gates(judged, gates_due(draft.canary), answers)
        return undecided(judged, halting)
    judged = judged.set(no_data_since=None)
    if blocked := canary_blocked(draft.canary, draft.seen):
        return _behind(judged, *blocked)
    return _advance(judged, answers)


def _refused_too_long(draft: Draft) -> Draft | None:
    """Routes that the gateway does not take within the deadline end the rollout, whatever the metrics say."""
    found, deadline = gateway(draft.canary, draft.seen), draft.canary.spec.deadline
    if found.applied or draft.seen.since(draft.status.behind_since) <= deadline:
        return None
    text = f"RouteTable {draft.canary.service}.{draft.canary.metadata.namespace}: {found.words}"
    return endings.roll_back(draft, Reason.GATEWAY_BEHIND, f"Rolling back {draft.place} {text}", alert=text)


def _behind(draft: Draft, reason: Reason, text: str, waiting_for: WaitingFor = "") -> Draft:
    """Soaking is no news. Pods that come back before the next slot are of use only until the first one."""
    if reason is Reason.NOT_READY:
        return _not_ready(draft, text, waiting_for="" if draft.status.slots_from else waiting_for)
    if reason is Reason.GATEWAY_BEHIND and (late := _refused_too_long(draft)):
        return late
    return draft.hold(reason, text, waiting_for=waiting_for, quiet=reason is Reason.SOAKING)


def _not_ready(draft: Draft, text: str, *, waiting_for: WaitingFor = "") -> Draft:
    """Pods are missing while others serve: nothing to roll back for by itself, but after one deadline people know."""
    status, seen = draft.status, draft.seen
    missing = max(seen.since(status.not_ready_since), seen.since(status.primary_not_ready_since))
    if missing > draft.canary.spec.deadline:
        return draft.hold(Reason.DEADLINE_EXCEEDED, text, waiting_for=waiting_for, alert=text, severity="warn")
    return draft.hold(Reason.NOT_READY, text, waiting_for=waiting_for)


def _in_a_row(draft: Draft, checks: tuple[CheckResult, ...]) -> tuple[dict[str, int], CheckResult | None]:
    """Failures in a row by metric, and the first that has failed often enough (``consecutive``) to count.

    Only a pass ends a row: no data is neither pass nor failure, nor is what a failed hook kept from being asked.
    """
    failing = [check for check in checks if check.verdict == "fail"]
    wanted = {metric.key: metric.consecutive for metric in draft.canary.spec.analysis.checks}
    before, passed = draft.status.in_a_row, {check.name for check in checks if check.verdict == "pass"}
    kept = {key: count for key, count in before.items() if key in wanted and key not in passed}
    in_a_row = kept | {check.name: before.get(check.name, 0) + 1 for check in failing}
    return in_a_row, next((check for check in failing if in_a_row[check.name] >= wanted[check.name]), None)


def _count_failure(draft: Draft, reason: Reason, text: str) -> Draft:
    """One failed check a tick; the threshold takes effect in the tick that reaches it."""
    failed = draft.status.failed_checks + 1
    told = draft.set(failed_checks=failed, no_data_since=None).tell(reason, text, warn=True)
    return _failed_too_often(told, f": {text}") or told.hold(reason, text, quiet=True)


def _failed_too_often(draft: Draft, why: str) -> Draft | None:
    """Also what was counted under a higher threshold, or by another controller."""
    failed = draft.status.failed_checks
    if failed < draft.canary.spec.analysis.failures_allowed:
        return None
    return endings.roll_back(
        draft,
        Reason.THRESHOLD_REACHED,
        f"Rolling back {draft.place} failed checks threshold reached {failed}",
        alert=f"Failed checks threshold reached {failed}{why}",
    )


def _failed_before(draft: Draft) -> str:
    last = draft.status.last_step
    return f": {last.message}" if last is not None and last.reason in (Reason.CHECK_FAILED, Reason.HOOK_FAILED) else ""


def _advance(draft: Draft, answers: Answers) -> Draft:
    """Everything passed; only people and gates can still hold it."""
    if draft.status.paused:
        return hold_paused(draft)
    due = {hook.hook_type for hook in gates_due(draft.canary)}
    for kind, phase in HELD_IN.items():
        if kind not in due:
            continue
        if not is_approved(draft.status, kind):
            if closed := answers.failed(kind):
                return hold_closed(draft.enter(phase), kind, closed)
            if not answers.of(kind):
                # resumed while the rest was asked: the gate has its turn in the next slot
                return draft.go_on("gate")
        draft = pass_open(draft, kind, answers)
    analysis = draft.canary.spec.analysis
    return _take(
        draft.set(approved=None, closed_gate=None),
        next_step(analysis, draft.status.canary_weight, draft.status.iterations),
    )


def _take(draft: Draft, following: Next) -> Draft:
    if following.action == "promote":
        return promote(draft)
    # a step is always taken from Progressing: blue/green comes back from its gate here
    moved = draft.enter(Phase.PROGRESSING).weigh(following.weight, iterations=following.iterations)
    text = following.message
    if text.startswith("canary "):
        text = f"Advance {draft.place} {text}"
    return moved.go_on().tell(Reason.STEP_TAKEN, text)


def promote(draft: Draft) -> Draft:
    """Copy the analysed revision to the primary: its snapshot, never the live target."""
    promoted = draft.enter(Phase.PROMOTING, returning=None, approved=None).run_on_primary(draft.status.canary_revision)
    text = f"Copying {draft.target_place} template spec to {draft.primary_place}"
    return freezing.begun(promoted).go_on("primary").tell(Reason.PROMOTING, text)
