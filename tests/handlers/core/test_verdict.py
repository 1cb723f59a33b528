"""Values and limits become verdicts, with the sentences that people's filters match."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.core.observation import Observation, Rules
from handlers.core.verdict import judge_metric, limits
from schemas.canary import Canary
from schemas.events import Change, ChangeReason
from schemas.measurement import BOUNDLESS, Measurement
from schemas.status import CheckResult
from tests.handlers.core.cluster import START
from tests.handlers.core.manifests import weighted

CHANGE = Change(namespace="test", name="podinfo", uid="u", reason=ChangeReason.READY)
RATE, DURATION = "request-success-rate", "request-duration"
NO_TRAFFIC = "is not receiving traffic: no values found"
TEMPLATE = {"templateRef": {"name": "t"}}


def judged(name: str, metric: dict[str, Any], **measured: Any) -> CheckResult:
    metadata = {"name": "podinfo", "namespace": "test"}
    ours = Canary.from_object({"metadata": metadata, "spec": weighted(metrics=[{"name": name, **metric}])})
    answer = Measurement.model_validate({"name": name, "outcome": "value", **measured})
    return judge_metric(ours, ours.spec.analysis.checks[-1], answer, Observation(now=START, stimulus=CHANGE))


@pytest.mark.parametrize(
    ("name", "metric", "value", "verdict"),
    [
        (RATE, {"threshold": 99}, 99, "pass"),
        (RATE, {"threshold": 99}, 98.99, "fail"),
        (RATE, {"thresholdRange": {"min": 99}, "threshold": 1000}, 99, "pass"),
        (RATE, {"thresholdRange": {"max": 99}}, 99.5, "fail"),
        (RATE, {}, 0, "pass"),
        (DURATION, {"threshold": 500}, 500, "pass"),
        (DURATION, {"threshold": 500}, 501, "fail"),
        (DURATION, {}, 1, "fail"),
        ("mine", {"query": "q", "threshold": 5}, 5, "pass"),
        ("mine", {"query": "q", "threshold": 5}, 5.01, "fail"),
        ("mine", {"query": "q", "thresholdRange": {"min": 1, "max": 2}}, 0.9, "fail"),
        ("mine", {"query": "q", "thresholdRange": {"min": 1, "max": 2}}, 2, "pass"),
        ("mine", {"query": "q", "thresholdRange": {}}, 1e9, "pass"),
        (RATE, {**TEMPLATE, "threshold": 5}, 6, "fail"),
    ],
)
def test_bounds_are_inclusive_and_the_range_wins(name: str, metric: dict[str, Any], value: float, verdict: str) -> None:
    assert judged(name, metric, value=value).verdict == verdict


@pytest.mark.parametrize(
    ("name", "metric", "value", "message"),
    [
        (RATE, {"threshold": 99}, 69.1666, "Halt podinfo.test advancement success rate 69.17% < 99%"),
        (RATE, {"thresholdRange": {"max": 50}}, 69, "Halt podinfo.test advancement success rate 69.00% > 50%"),
        (DURATION, {"threshold": 500}, 1200.9, "Halt podinfo.test advancement request duration 1.2s > 500ms"),
        (DURATION, {"thresholdRange": {"min": 10}}, 5.5, "Halt podinfo.test advancement request duration 5ms < 10ms"),
        (DURATION, {"threshold": 500}, 61000, "Halt podinfo.test advancement request duration 1m1s > 500ms"),
        ("mine", {"query": "q", "threshold": 5}, 7, "Halt podinfo.test advancement mine 7.00 > 5"),
        ("mine", {**TEMPLATE, "thresholdRange": {"min": 0.5}}, 0.1, "Halt podinfo.test advancement mine 0.10 < 0.5"),
    ],
)
def test_a_failed_check_says_the_value_and_its_limit(
    name: str, metric: dict[str, Any], value: float, message: str
) -> None:
    check = judged(name, metric, value=value)
    assert (check.verdict, check.message) == ("fail", message)


@pytest.mark.parametrize(
    ("name", "metric", "value", "words"),
    [
        (DURATION, {"threshold": 500}, BOUNDLESS, "request duration +Inf > 500ms"),
        (RATE, {"thresholdRange": {"max": 50}}, BOUNDLESS, "success rate +Inf% > 50%"),
        ("mine", {"query": "q", "threshold": 5}, BOUNDLESS, "mine +Inf > 5"),
        ("mine", {"query": "q", "thresholdRange": {"min": 1}}, -BOUNDLESS, "mine -Inf < 1"),
        (DURATION, {"thresholdRange": {"min": 1}}, -BOUNDLESS, "request duration -Inf < 1ms"),
    ],
)
def test_a_value_without_bounds_is_beyond_every_limit_and_the_same_when_it_is_read_again(
    name: str, metric: dict[str, Any], value: float, words: str
) -> None:
    check = judged(name, metric, value=value)
    assert (check.verdict, check.message) == ("fail", f"Halt podinfo.test advancement {words}")
    assert CheckResult.model_validate_json(check.model_dump_json()) == check
    measured = Measurement(name=name, outcome="value", value=value)
    again = Measurement.model_validate_json(measured.model_dump_json())
    assert judged(name, metric, value=again.value) == check


@pytest.mark.parametrize(
    ("name", "metric", "measured", "message"),
    [
        (
            RATE,
            {},
            {"outcome": "empty", "detail": "no values found"},
            f"Halt advancement no values found for gloo metric {RATE} probably podinfo.test {NO_TRAFFIC}",
        ),
        (
            "mine",
            {"query": "q"},
            {"outcome": "empty"},
            "Halt advancement no values found for metric: mine",
        ),
        (
            "mine",
            TEMPLATE,
            {"outcome": "empty"},
            "Halt advancement no values found for custom metric: mine: no values found",
        ),
        (RATE, {}, {"outcome": "error", "detail": "bad query"}, "Prometheus query failed: bad query"),
        (
            "mine",
            {"query": "q"},
            {"outcome": "unreachable", "detail": "gone"},
            "Prometheus query failed for mine: gone",
        ),
        ("mine", TEMPLATE, {"outcome": "unreachable", "detail": "gone"}, "Metric query failed for mine: gone"),
    ],
)
def test_an_answer_without_a_value_is_told_with_the_peers_words(
    name: str, metric: dict[str, Any], measured: dict[str, Any], message: str
) -> None:
    check = judged(name, metric, **measured)
    assert (check.verdict, check.message) == ("insufficient", message)
    assert check.unreachable is (measured["outcome"] != "empty")


def test_of_a_service_the_peer_names_another_source_of_metrics() -> None:
    spec = weighted(metrics=[{"name": RATE}]) | {"targetRef": {"kind": "Service", "name": "podinfo"}}
    ours = Canary.from_object({"metadata": {"name": "podinfo", "namespace": "test"}, "spec": spec})
    seen = Observation(now=START, stimulus=CHANGE)
    check = judge_metric(ours, ours.spec.analysis.checks[0], Measurement(name=RATE, outcome="empty"), seen)
    assert f"no values found for gloo:service metric {RATE} probably podinfo.test" in check.message


def test_a_value_that_is_missing_is_no_value_whatever_the_outcome_says() -> None:
    assert judged(RATE, {}, value=None).verdict == "insufficient"


@pytest.mark.parametrize(("policy", "verdict"), [("hold", "insufficient"), ("fail", "fail"), ("pass", "pass")])
def test_the_metrics_policy_wins_over_the_settings(policy: str, verdict: str) -> None:
    metadata = {"name": "podinfo", "namespace": "test"}
    spec = weighted(metrics=[{"name": RATE, "noData": policy}])
    ours = Canary.from_object({"metadata": metadata, "spec": spec})
    for rule in ("hold", "fail", "pass"):
        seen = Observation(now=START, stimulus=CHANGE, rules=Rules(no_data=rule))
        metric = ours.spec.analysis.checks[0]
        assert judge_metric(ours, metric, Measurement(name=RATE, outcome="empty"), seen).verdict == verdict


def test_a_check_keeps_value_limits_and_query_for_the_record() -> None:
    check = judged(RATE, {"threshold": 99}, value=99.5, samples=340, query="q", endpoint="http://p")
    assert (check.value, check.min, check.max, check.samples) == (99.5, 99, None, 340)
    assert (check.query, check.endpoint) == ("q", "http://p")


def test_a_templated_metric_of_a_built_in_name_has_a_maximum_like_any_other() -> None:
    ours = Canary.from_object(
        {
            "metadata": {"name": "podinfo"},
            "spec": weighted(metrics=[{"name": RATE, "threshold": 5}, {"name": RATE, **TEMPLATE, "threshold": 5}]),
        }
    )
    built_in, _, templated = ours.spec.analysis.checks
    assert limits(built_in) == (5, None)
    assert limits(templated) == (None, 5)
