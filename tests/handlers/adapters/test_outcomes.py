"""What rollouts came to, as a scrape shows it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from handlers.adapters.outcomes import Outcomes
from schemas.canary import Canary
from schemas.status import CanaryStatus, CheckResult, LastStep, Notice, Phase, Reason

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = {"name": "podinfo", "namespace": "test"}


def canary(**status: Any) -> Canary:
    spec = {"targetRef": {"name": "podinfo"}, "service": {"port": 80}, "analysis": {"stepWeight": 10}}
    found = Canary.from_object({"metadata": {"name": "shop", "namespace": "test"}, "spec": spec})
    return found.model_copy(update={"status": CanaryStatus(revision_since=BEGAN, **status)})


def after(phase: Phase, *reasons: Reason, seconds: float = 90, checks: tuple[CheckResult, ...] = ()) -> CanaryStatus:
    notices = tuple(Notice(reason=reason, message="m") for reason in reasons)
    last = LastStep(step=2, time=BEGAN + timedelta(seconds=seconds), notices=notices, checks=checks)
    return CanaryStatus(phase=phase, last_step=last)


def scraped(*steps: tuple[Canary, CanaryStatus]) -> tuple[Outcomes, CollectorRegistry]:
    registry = CollectorRegistry()
    outcomes = Outcomes(registry)
    for before, committed in steps:
        outcomes.step(before, committed, 0.2)
    return outcomes, registry


def test_a_promotion_is_a_success_with_its_duration() -> None:
    _, registry = scraped((canary(phase=Phase.FINALISING), after(Phase.SUCCEEDED, Reason.PROMOTED)))
    labels = NAMES | {"deployment_strategy": "canary", "analysis_status": "completed"}
    assert registry.get_sample_value("flagger_canary_successes_total", labels) == 1
    ours = {"strategy": "canary", "outcome": "promoted"}
    assert registry.get_sample_value("canarybus_rollouts_total", ours) == 1
    assert registry.get_sample_value("canarybus_rollout_duration_seconds_sum", ours) == 90


@pytest.mark.parametrize("how", ["promotion", "skipAnalysis"])
def test_a_skipped_analysis_is_told_apart(how: str) -> None:
    before = canary(phase=Phase.FINALISING, skip_to=how)
    _, registry = scraped((before, after(Phase.SUCCEEDED, Reason.PROMOTED)))
    labels = NAMES | {"deployment_strategy": "canary", "analysis_status": "skipped"}
    assert registry.get_sample_value("flagger_canary_successes_total", labels) == 1


@pytest.mark.parametrize(("phase", "analysis"), [(Phase.PROGRESSING, "skipped"), (Phase.PROMOTING, "completed")])
def test_what_the_spec_says_of_the_analysis_counts_until_the_primary_takes_over(phase: Phase, analysis: str) -> None:
    before = canary(phase=phase)
    edited = before.model_copy(update={"spec": before.spec.model_copy(update={"skip_analysis": True})})
    _, registry = scraped((edited, after(Phase.FAILED, Reason.ROLLED_BACK)))
    labels = NAMES | {"deployment_strategy": "canary", "analysis_status": analysis}
    assert registry.get_sample_value("flagger_canary_failures_total", labels) == 1


def test_a_rollback_and_a_failed_promotion_are_failures_and_a_revert_is_neither() -> None:
    _, registry = scraped(
        (canary(phase=Phase.PROGRESSING), after(Phase.FAILED, Reason.THRESHOLD_REACHED, Reason.ROLLED_BACK)),
        (canary(phase=Phase.PROMOTING), after(Phase.FAILED, Reason.ROLLED_BACK)),
        (canary(phase=Phase.PROGRESSING), after(Phase.SUCCEEDED, Reason.REVERTED)),
    )
    labels = NAMES | {"deployment_strategy": "canary", "analysis_status": "completed"}
    assert registry.get_sample_value("flagger_canary_failures_total", labels) == 2
    assert registry.get_sample_value("flagger_canary_successes_total", labels) is None
    assert registry.get_sample_value("canarybus_rollouts_total", {"strategy": "canary", "outcome": "reverted"}) == 1


def test_what_is_no_end_counts_nothing() -> None:
    _, registry = scraped(
        (canary(phase=Phase.SUCCEEDED), after(Phase.SUCCEEDED, Reason.DRIFT)),
        (canary(phase=Phase.WAITING), after(Phase.SUCCEEDED, Reason.REVERTED)),
        (canary(phase=Phase.PROGRESSING), after(Phase.PROMOTING, Reason.PROMOTING)),
    )
    assert not [metric for metric in registry.collect() if metric.name == "canarybus_rollouts" and metric.samples]


def test_a_rollback_days_after_a_promotion_ends_no_rollout_a_second_time() -> None:
    days = 3 * 24 * 3600.0
    _, registry = scraped(
        (canary(phase=Phase.FINALISING), after(Phase.SUCCEEDED, Reason.PROMOTED)),
        (canary(phase=Phase.SUCCEEDED), after(Phase.FAILED, Reason.ROLLED_BACK, seconds=days)),
    )
    samples = [sample for metric in registry.collect() for sample in metric.samples]
    ends = [sample for sample in samples if sample.name == "canarybus_rollouts_total"]
    assert [(sample.labels["outcome"], sample.value) for sample in ends] == [("promoted", 1)]
    assert [sample.value for sample in samples if sample.name == "canarybus_rollout_duration_seconds_sum"] == [90]


def test_verdicts_and_the_time_of_a_judged_step_are_counted() -> None:
    checks = (CheckResult(name="a", verdict="pass"), CheckResult(name="b", verdict="insufficient"))
    _, registry = scraped(
        (canary(phase=Phase.PROGRESSING), after(Phase.PROGRESSING, checks=checks)),
        (canary(phase=Phase.PROGRESSING), after(Phase.PROGRESSING)),
    )
    assert registry.get_sample_value("canarybus_verdicts_total", {"verdict": "insufficient"}) == 1
    assert registry.get_sample_value("flagger_canary_duration_seconds_count", NAMES) == 1


def test_a_series_ends_with_its_canary() -> None:
    checks = (CheckResult(name="a", verdict="pass"),)
    outcomes, registry = scraped(
        (canary(phase=Phase.FINALISING), after(Phase.SUCCEEDED, Reason.PROMOTED, checks=checks)),
        (canary(phase=Phase.PROGRESSING), after(Phase.FAILED, Reason.ROLLED_BACK)),
    )
    outcomes.forget({("podinfo", "test")})
    assert registry.get_sample_value("flagger_canary_duration_seconds_count", NAMES) == 1
    outcomes.forget(set())
    left = [sample.labels for metric in registry.collect() for sample in metric.samples if "name" in sample.labels]
    assert left == []


def test_alerts_are_counted_by_type_and_result() -> None:
    outcomes, registry = scraped()
    outcomes.alert("slack", "failed")
    assert registry.get_sample_value("canarybus_alerts_total", {"type": "slack", "result": "failed"}) == 1
