"""What rollouts came to, counted where they are decided: the peer's series by its names, and our own without names.

A series with a Canary's name ends with the Canary (:meth:`Outcomes.forget`); the peer's stay for ever (spec B26).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.metrics import MetricWrapperBase

from schemas.canary import Canary
from schemas.status import CanaryStatus, CheckResult, LastStep, Phase, Reason

_ENDS = {
    Reason.PROMOTED: "promoted",
    Reason.REVERTED: "reverted",
    Reason.ROLLED_BACK: "failed",
    Reason.PROMOTION_FAILED: "failed",
}
_NO_ROLLOUT = (Phase.WAITING, Phase.NEW, Phase.INITIALIZING, Phase.INITIALIZED, Phase.SUCCEEDED)
_MINUTE = 60.0
_DURATIONS = tuple(_MINUTE * minutes for minutes in (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 240, 720, 1440))


class Outcomes:
    """``count`` hears of every commit; nothing here changes what is decided."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "flagger_canary_duration_seconds",
            "Seconds spent on one analysis step.",
            ["name", "namespace"],
            registry=registry,
        )
        labels = ["name", "namespace", "deployment_strategy", "analysis_status"]
        self._successes = Counter("flagger_canary_successes", "Rollouts promoted.", labels, registry=registry)
        self._failures = Counter("flagger_canary_failures", "Rollouts failed.", labels, registry=registry)
        self._rollouts = Counter(
            "canarybus_rollouts", "Rollouts ended, by outcome.", ["strategy", "outcome"], registry=registry
        )
        self._rollout_seconds = Histogram(
            "canarybus_rollout_duration_seconds",
            "From the acceptance of a revision to the end of its rollout.",
            ["strategy", "outcome"],
            buckets=_DURATIONS,
            registry=registry,
        )
        self._verdicts = Counter("canarybus_verdicts", "Checks judged, by verdict.", ["verdict"], registry=registry)
        self._alerts = Counter(
            "canarybus_alerts", "Alerts, by provider and result.", ["type", "result"], registry=registry
        )

    def alert(self, kind: str, result: str) -> None:
        """``result``: sent or failed."""
        self._alerts.labels(kind, result).inc()

    def step(self, canary: Canary, after: CanaryStatus, seconds: float) -> None:
        """One commit: ``canary`` with the status before it, and how long the wake took."""
        last = after.last_step or LastStep()
        if last.checks:
            self._seconds.labels(canary.target, canary.metadata.namespace).observe(seconds)
            self._judged(last.checks)
        if outcome := ended(canary.status, after):
            self._ended(canary, after, outcome)

    def forget(self, known: Collection[tuple[str, str]]) -> None:
        """Drop the series of all but these, target name and namespace."""
        for family in (self._seconds, self._successes, self._failures):
            for labels in _labels_of(family):
                if labels[:2] not in known:
                    family.remove(*labels)

    def _judged(self, checks: Iterable[CheckResult]) -> None:
        for check in checks:
            self._verdicts.labels(check.verdict).inc()

    def _ended(self, canary: Canary, after: CanaryStatus, outcome: str) -> None:
        strategy = canary.status.strategy or canary.spec.analysis.strategy.value
        # an edit of the spec while the primary takes over changes nothing any more
        undecided = canary.status.phase not in (Phase.PROMOTING, Phase.FINALISING)
        skipped = bool(canary.status.skip_to) or (undecided and canary.spec.skip_analysis)
        family = self._failures if outcome == "failed" else self._successes
        if outcome != "reverted":
            analysis = "skipped" if skipped else "completed"
            family.labels(canary.target, canary.metadata.namespace, strategy, analysis).inc()
        self._rollouts.labels(strategy, outcome).inc()
        began, last = canary.status.revision_since, after.last_step
        if began is not None and last is not None and last.time is not None:
            self._rollout_seconds.labels(strategy, outcome).observe((last.time - began).total_seconds())


def ended(before: CanaryStatus, after: CanaryStatus) -> str:
    """How the rollout ended in this step: promoted, reverted or failed; empty when it did not."""
    if before.phase is after.phase or after.phase not in (Phase.SUCCEEDED, Phase.FAILED):
        return ""
    if before.phase in _NO_ROLLOUT:
        # also a rollback from what was promoted: that rollout had its end
        return ""
    reasons = [notice.reason for notice in after.last_step.notices] if after.last_step else []
    known = [_ENDS[reason] for reason in reasons if reason in _ENDS]
    return known[-1] if known else ("failed" if after.phase is Phase.FAILED else "promoted")


def _labels_of(family: MetricWrapperBase) -> list[tuple[str, ...]]:
    # the library has no other way to list them
    names = family._labelnames
    found = (tuple(sample.labels[name] for name in names) for metric in family.collect() for sample in metric.samples)
    return list(dict.fromkeys(found))
