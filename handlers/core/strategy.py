"""How traffic moves: the next step of each strategy, as absolute values (spec lifecycle 2.4)."""

from __future__ import annotations

from typing import Literal, NamedTuple

from schemas.canary import Analysis, Strategy


class Next(NamedTuple):
    """What a passed tick leads to: ``advance`` to weight and iterations, or ``promote``; ``message`` ends the event."""

    action: Literal["advance", "promote"]
    weight: int = 0
    iterations: int = 0
    message: str = ""


def highest_weight(analysis: Analysis) -> int:
    """The canary's weight at which the analysis is complete: with ``stepWeights`` the last of them, not maxWeight."""
    if not analysis.step_weight and analysis.step_weights:
        return min(100, analysis.step_weights[-1])
    return min(100, analysis.max_weight) if analysis.max_weight > 0 else 100


def next_weight(analysis: Analysis, weight: int) -> int:
    """The weight after ``weight``: plus stepWeight (it may overshoot maxWeight, as with the peer), or the next listed.

    A weight that is not in the list (it was edited) goes on with the first listed one above it.
    """
    if analysis.step_weight > 0:
        return min(100, weight + analysis.step_weight)
    return min(100, next((listed for listed in analysis.step_weights if listed > weight), 100))


def next_step(analysis: Analysis, weight: int, iterations: int) -> Next:
    """What follows when everything passed at ``weight`` and ``iterations``."""
    match analysis.strategy:
        case Strategy.CANARY:
            if weight >= highest_weight(analysis):
                return Next("promote", weight)
            following = next_weight(analysis, weight)
            return Next("advance", following, message=f"canary weight {following}")
        case Strategy.AB_TESTING:
            if iterations >= analysis.iterations:
                return Next("promote", weight, iterations)
            return Next("advance", 100, iterations + 1, f"canary iteration {iterations + 1}/{analysis.iterations}")
        case Strategy.BLUE_GREEN:
            return _blue_green(analysis, weight, iterations)


def _blue_green(analysis: Analysis, weight: int, iterations: int) -> Next:
    """Judged without users first, then once more with all of them."""
    if iterations < analysis.iterations:
        return Next("advance", weight, iterations + 1, f"canary iteration {iterations + 1}/{analysis.iterations}")
    if weight < 100:
        return Next("advance", 100, iterations + 1, "Routing all traffic to canary")
    return Next("promote", weight, iterations)
