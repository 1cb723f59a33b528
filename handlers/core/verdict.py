"""A measured value and its limits, or a judge's word, become pass, fail or insufficient, with the sentence for people.

The texts are the peer's (spec lifecycle 2.7); that an empty answer is neither pass nor fail is ours, unless the user
says otherwise (``noData``).
"""

from __future__ import annotations

from collections.abc import Iterable

from handlers.core.observation import Answers, Observation
from schemas.analysis import DURATION, SUCCESS_RATE, Check
from schemas.canary import Canary, HookType
from schemas.duration import format_duration
from schemas.measurement import BOUNDLESS, HookAnswer, Measurement, number
from schemas.status import CheckResult, Reason


def judge(canary: Canary, seen: Observation, answers: Answers) -> tuple[CheckResult, ...]:
    """All checks of a tick in the order in which they decide: rollout hooks, built-in and inline metrics, templates."""
    return judge_hooks(canary, answers) + judge_metrics(canary, seen, answers)


def judge_hooks(canary: Canary, answers: Answers) -> tuple[CheckResult, ...]:
    return tuple(_judge_hook(canary, answer) for answer in answers.of(HookType.ROLLOUT))


def judge_metrics(canary: Canary, seen: Observation, answers: Answers) -> tuple[CheckResult, ...]:
    measured = {item.name: item for item in answers.measurements}
    asked = [metric for metric in in_order(canary.spec.analysis.checks) if metric.key in measured]
    return tuple(judge_metric(canary, metric, measured[metric.key], seen) for metric in asked)


def in_order(metrics: Iterable[Check]) -> tuple[Check, ...]:
    """As they decide: built-in and inline ones before those of templates, else as they are listed."""
    return tuple(sorted(metrics, key=lambda metric: metric.template_ref is not None))


def counts(canary: Canary, metric: Check, measured: Measurement, seen: Observation) -> bool:
    """Whether this answer is a failed check, whatever the others say: often enough in a row."""
    if judge_metric(canary, metric, measured, seen).verdict != "fail":
        return False
    return canary.status.in_a_row.get(metric.key, 0) + 1 >= metric.consecutive


def some_count(canary: Canary, seen: Observation, answers: Answers) -> bool:
    """Whether a metric among the answers is a failed check."""
    asked = {metric.key: metric for metric in canary.spec.analysis.checks}
    return any(counts(canary, asked[item.name], item, seen) for item in answers.measurements if item.name in asked)


def everything_passed(checks: tuple[CheckResult, ...]) -> bool:
    return all(check.verdict == "pass" for check in checks)


def _judge_hook(canary: Canary, answer: HookAnswer) -> CheckResult:
    if answer.passed:
        return CheckResult(name=answer.name, verdict="pass")
    text = f"Halt {canary.ref} advancement external check {answer.name} failed {answer.text}".rstrip()
    return CheckResult(name=answer.name, verdict="fail", message=text)


def judge_metric(canary: Canary, metric: Check, measured: Measurement, seen: Observation) -> CheckResult:
    low, high = limits(metric)
    check = CheckResult(
        name=metric.key,
        verdict="pass",
        min=low,
        max=high,
        value=measured.value,
        samples=measured.samples,
        query=measured.query,
        endpoint=measured.endpoint,
    )
    decided = measured.outcome == "verdict" and measured.passed is not None
    if decided or (measured.outcome == "value" and measured.value is not None):
        if wait := _foreign_traffic(canary, max(metric.window, measured.reach), seen):
            text = f"the window of {metric.name} still reaches into another revision's traffic, {wait:.0f} s to go"
            waiting = {"verdict": "insufficient", "clears_in": wait}
            return check.model_copy(update=waiting | {"message": f"Halt {canary.ref} advancement {text}"})
        return _judge_verdict(canary, metric, check, measured) if decided else _judge_value(canary, metric, check)
    if measured.outcome != "empty":
        # nobody can tell whether the canary is bad: hold, however long it takes
        failing = {"verdict": "insufficient", "message": _query_failed(metric, measured), "unreachable": True}
        return check.model_copy(update=failing)
    policy = metric.no_data or seen.rules.no_data
    verdict = {"hold": "insufficient", "fail": "fail", "pass": "pass"}[policy]
    return check.model_copy(update={"verdict": verdict, "message": _no_values(canary, metric, measured)})


def limits(metric: Check) -> tuple[float | None, float | None]:
    """Inclusive bounds: the range wins over ``threshold``, which is a minimum for the success rate, else a maximum."""
    if metric.threshold_range is not None:
        return metric.threshold_range.min, metric.threshold_range.max
    if metric.name == SUCCESS_RATE and metric.built_in:
        return metric.threshold, None
    return None, metric.threshold


def _judge_verdict(canary: Canary, metric: Check, check: CheckResult, measured: Measurement) -> CheckResult:
    """A judge has decided by limits of its own; the value that it may give is for people."""
    own = check.model_copy(update={"min": None, "max": None, "message": measured.detail})
    if measured.passed:
        return own
    why = f": {measured.detail}" if measured.detail else ""
    return own.model_copy(
        update={"verdict": "fail", "message": f"Halt {canary.ref} advancement {metric.name} failed{why}"}
    )


def _judge_value(canary: Canary, metric: Check, check: CheckResult) -> CheckResult:
    value = check.value or 0.0
    text = ""
    if check.min is not None and value < check.min:
        text = _out_of_range(canary, metric, value, "<", check.min)
    elif check.max is not None and value > check.max:
        text = _out_of_range(canary, metric, value, ">", check.max)
    return check.model_copy(update={"verdict": "fail", "message": text}) if text else check


def _foreign_traffic(canary: Canary, reach: float, seen: Observation) -> float:
    """Seconds until a value that reaches back so far holds this revision's traffic alone: old errors are not ours.

    What was under way when the routes changed has its answer, or its error, within the drain.
    """
    if canary.status.traffic_until is None:
        return 0.0
    return max(0.0, reach + seen.rules.drain - seen.since(canary.status.traffic_until))


def _out_of_range(canary: Canary, metric: Check, value: float, sign: str, limit: float) -> str:
    start = f"Halt {canary.ref} advancement"
    if metric.built_in and metric.name == SUCCESS_RATE:
        return f"{start} success rate {number(value, '.2f')}% {sign} {_plain(limit)}%"
    if metric.built_in and metric.name == DURATION:
        # the histogram is in milliseconds and the peer shows whole ones
        shown = format_duration(int(value) / 1000) if abs(value) < BOUNDLESS else number(value, "g")
        bound = format_duration(int(limit) / 1000)
        return f"{start} request duration {shown} {sign} {bound}"
    return f"{start} {metric.name} {number(value, '.2f')} {sign} {_plain(limit)}"


def _plain(limit: float) -> str:
    """As many digits as it has, and no exponent that nobody wrote."""
    return str(int(limit)) if limit.is_integer() else repr(limit)


def _no_values(canary: Canary, metric: Check, measured: Measurement) -> str:
    if metric.template_ref is not None:
        return (
            f"Halt advancement no values found for custom metric: {metric.name}: {measured.detail or 'no values found'}"
        )
    if metric.built_in:
        place = f"{canary.target}.{canary.metadata.namespace}"
        # the peer names another source of metrics for a Service, and asks the same (spec targets 3.3)
        provider = (canary.spec.provider or "gloo") + (":service" if canary.spec.target_ref.kind == "Service" else "")
        # the peer gives the cause for one of the two only
        end = f": {measured.detail or 'no values found'}" if metric.name == SUCCESS_RATE else ""
        return (
            f"Halt advancement no values found for {provider} metric {metric.name} "
            f"probably {place} is not receiving traffic{end}"
        )
    return f"Halt advancement no values found for metric: {metric.name}"


def _query_failed(metric: Check, measured: Measurement) -> str:
    if metric.template_ref is not None:
        return f"Metric query failed for {metric.name}: {measured.detail}"
    where = "" if metric.built_in else f" for {metric.name}"
    return f"Prometheus query failed{where}: {measured.detail}"


def reason_of(check: CheckResult) -> Reason:
    return Reason.CHECK_FAILED if check.verdict == "fail" else Reason.NO_DATA
