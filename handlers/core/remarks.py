"""What is not taken as it is written: the default or the nearest that makes sense, and a sentence with the remedy.

These manifests run with the peer, which says nothing of what it takes in their place. What cannot run is refused
(:mod:`handlers.core.validate`).
"""

from __future__ import annotations

from collections.abc import Iterator

from handlers.core.validate import is_needed, is_pasted
from schemas.canary import Canary, Strategy
from schemas.duration import is_duration, lasting

_WRITE = "write it as 30s, 1m or 1m30s"


def remarks(canary: Canary) -> tuple[str, ...]:
    """Empty when everything is taken as it is written."""
    if canary.problems:
        return ()
    kinds = (_deadline, _interval, _thresholds, _weights, _match, _metrics, _hooks)
    return tuple(remark for kind in kinds for remark in kind(canary))


def _deadline(canary: Canary) -> Iterator[str]:
    written, taken = canary.spec.progress_deadline_seconds, canary.spec.deadline
    if written != taken:
        yield f"spec.progressDeadlineSeconds: {written} is no time to wait, {taken} is taken; give it some seconds"


def _interval(canary: Canary) -> Iterator[str]:
    written = canary.spec.analysis.interval
    if written and not is_duration(written):
        yield f"spec.analysis.interval: {written!r} is not a duration, a minute is taken; {_WRITE}"


def _thresholds(canary: Canary) -> Iterator[str]:
    analysis = canary.spec.analysis
    for side, share in (("primary", analysis.primary_ready_threshold), ("canary", analysis.canary_ready_threshold)):
        if not 0 <= share <= 100:
            taken = 100 if share > 100 else 0
            yield f"spec.analysis.{side}ReadyThreshold: {share} is no percentage, {taken} is taken; use 0 to 100"


def _weights(canary: Canary) -> Iterator[str]:
    """Promoted at the first weight that is as high as the last."""
    analysis = canary.spec.analysis
    weights = analysis.step_weights
    if analysis.strategy is not Strategy.CANARY or analysis.step_weight or not weights or weights[-1] <= 0:
        return
    reached = next(place for place, weight in enumerate(weights) if weight >= min(100, weights[-1]))
    if left := list(weights[reached + 1 :]):
        yield (
            f"spec.analysis.stepWeights: {list(weights)} are as high as the last at {weights[reached]}, where the "
            f"revision is promoted, and {left} are left out; sort them"
        )


def _match(canary: Canary) -> Iterator[str]:
    analysis = canary.spec.analysis
    if analysis.match and not analysis.selects:
        yield (
            "spec.analysis.match: no item names a header, and Gloo matches by nothing else, so everybody is matched; "
            "give headers to one"
        )


def _metrics(canary: Canary) -> Iterator[str]:
    for number, metric in enumerate(canary.spec.analysis.metrics):
        if metric.interval and not lasting(metric.interval, 0) and not is_pasted(metric):
            yield (
                f"spec.analysis.metrics[{number}].interval: {metric.interval!r} is not a duration; a query gets it as "
                f"it is, and is taken to look back a minute; {_WRITE}"
            )


def _hooks(canary: Canary) -> Iterator[str]:
    for number, hook in enumerate(canary.spec.analysis.webhooks):
        field = f"spec.analysis.webhooks[{number}]"
        if hook.timeout and not lasting(hook.timeout, 0):
            yield f"{field}.timeout: {hook.timeout!r} is not a duration, ten seconds are taken; {_WRITE}"
        if not hook.addressed and not is_needed(canary, hook):
            yield f"{field}.url: {hook.shown_url!r} is no address, nobody is asked; start it with http://, https:// or nats://"
