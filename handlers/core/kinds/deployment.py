"""Deployments (spec targets 3.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from handlers.core.kinds import pods
from handlers.core.kinds.anatomy import Inherited, Object, Selectors, Source
from handlers.core.observation import Rules
from schemas.canary import Canary
from schemas.status import CanaryStatus, Phase
from schemas.workload import Readiness, Workload

_COPIED = ("strategy", "minReadySeconds", "progressDeadlineSeconds", "revisionHistoryLimit")
"""``paused`` is not among them: who stops the target's rollout does not stop what serves users."""


class DeploymentTarget:
    brings_services = False

    def problems(
        self, canary: Canary, target: Workload, rules: Rules, primary: Workload | None = None
    ) -> Iterator[str]:
        return pods.problems(canary, target, rules, primary)

    def selectors(self, target: Workload, keys: Sequence[str], primary: Workload | None = None) -> Selectors:
        return pods.selectors(target, keys, primary)

    def inherited(self, source: Source) -> Inherited:
        return pods.inherited(source)

    def content(self, source: Source) -> Object:
        made = pods.template(source)
        _spread(made.get("spec") or {}, source.canary.target, source.canary.primary, source.rules)
        return made

    def origin(self, canary: Canary, primary: Workload, rules: Rules) -> Object:
        made = pods.origin(primary, rules)
        _spread(made.get("spec") or {}, canary.primary, canary.target, rules)
        return made

    def spec(self, source: Source, existing: Workload | None) -> Object:
        """A new primary has the target's size, or the one that the primary had which it replaces; later it follows the
        target's with a promotion, without a scaler, if it is not parked. A repair, or the way back, leaves it the size
        that its users need.
        """
        made = pods.spec(source, existing, _COPIED, self.content(source))
        size = source.target.replicas
        if existing is None:
            made["replicas"] = max(size, source.canary.status.primary_replicas) or 1
        elif size and source.canary.spec.autoscaler_ref is None and _sized_anew(source.canary.status):
            made["replicas"] = size
        return made

    def sized(self, target: Workload, size: int) -> Object:  # noqa: ARG002 - whatever it is now
        return {"replicas": size}

    def frozen(self, target: Workload) -> Object:
        """Whoever has paused it himself goes on himself."""
        return {} if target.item["spec"].get("paused") else dict(target.keeps)

    def primary_not_ready(self, place: str, found: Readiness) -> str:
        return f"{place} not ready: {found.message}"

    def canary_not_ready(self, place: str, found: Readiness) -> str:
        return f"canary deployment {place} not ready: {found.message}"


def _sized_anew(status: CanaryStatus) -> bool:
    return status.phase in (Phase.INITIALIZING, Phase.PROMOTING) and status.returning is None


def _spread(spec: Object, old: str, new: str, rules: Rules) -> None:
    """Anti-affinity and topology spread that name the pods of one side name the other's instead."""
    affinity = (spec.get("affinity") or {}).get("podAntiAffinity") or {}
    terms = list(affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or ())
    terms += [item["podAffinityTerm"] for item in affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or ()]
    for term in [*terms, *(spec.get("topologySpreadConstraints") or ())]:
        _select(term.get("labelSelector") or {}, old, new, rules.selector_labels)


def _select(selector: Object, old: str, new: str, keys: Sequence[str]) -> None:
    """Only by the keys that may select pods, and once an expression."""
    for expression in selector.get("matchExpressions") or ():
        values: Sequence[str] = expression.get("values") or ()
        if expression.get("key") in keys and old in values:
            at = list(values).index(old)
            expression["values"] = [*values[:at], new, *values[at + 1 :]]
    labels: Mapping[str, Any] = selector.get("matchLabels") or {}
    if labels:
        selector["matchLabels"] = {key: new if key in keys and value == old else value for key, value in labels.items()}
