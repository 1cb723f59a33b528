"""What is said of a check that does not pass, in the peer's words (spec lifecycle 2.7)."""

from __future__ import annotations

import pytest

from tests.handlers.core.manifests import DURATION, SUCCESS_RATE
from tests.handlers.core.stories import analysing
from tests.handlers.core.world import World

INLINE = {"name": "errors", "query": "sum(errors)", "thresholdRange": {"max": 0.05}}
TEMPLATE = {"name": "404s", "templateRef": {"name": "not-found"}, "thresholdRange": {"min": 1, "max": 5}}
HALT = "Halt podinfo.test advancement"
NO_VALUES = "Halt advancement no values found for"
NOT_RECEIVING = "probably podinfo.test is not receiving traffic"
LATENCY = f"{HALT} request duration"


def measured(metric: dict[str, object], value: float | None = None, outcome: str = "value", detail: str = "") -> World:
    world = analysing(metrics=[{"noData": "fail", **metric}])
    world.answer(str(metric["name"]), value, outcome=outcome, detail=detail)
    world.tick()
    return world


@pytest.mark.parametrize(
    ("metric", "answer", "text"),
    [
        (SUCCESS_RATE, (98.765,), f"{HALT} success rate 98.77% < 99%"),
        ({**SUCCESS_RATE, "thresholdRange": {"max": 50.5}}, (60.0,), f"{HALT} success rate 60.00% > 50.5%"),
        (DURATION, (1200.9,), f"{LATENCY} 1.2s > 500ms"),
        ({**DURATION, "thresholdRange": {"min": 1000}}, (500.0,), f"{LATENCY} 500ms < 1s"),
        (INLINE, (0.5,), f"{HALT} errors 0.50 > 0.05"),
        (TEMPLATE, (7.0,), f"{HALT} 404s 7.00 > 5"),
        (TEMPLATE, (0.5,), f"{HALT} 404s 0.50 < 1"),
        ({**TEMPLATE, "thresholdRange": {"max": 1234567}}, (2e6,), f"{HALT} 404s 2000000.00 > 1234567"),
        (
            SUCCESS_RATE,
            (None, "empty"),
            f"{NO_VALUES} gloo metric request-success-rate {NOT_RECEIVING}: no values found",
        ),
        (
            DURATION,
            (None, "empty"),
            f"{NO_VALUES} gloo metric request-duration {NOT_RECEIVING}",
        ),
        (INLINE, (None, "empty"), f"{NO_VALUES} metric: errors"),
        (TEMPLATE, (None, "empty"), f"{NO_VALUES} custom metric: 404s: no values found"),
        (SUCCESS_RATE, (None, "unreachable", "refused"), "Prometheus query failed: refused"),
        (INLINE, (None, "unreachable", "refused"), "Prometheus query failed for errors: refused"),
        (TEMPLATE, (None, "unreachable", "refused"), "Metric query failed for 404s: refused"),
    ],
    ids=str,
)
def test_a_check_that_does_not_pass_is_told_in_the_peers_words(
    metric: dict[str, object], answer: tuple[float | None, str, str], text: str
) -> None:
    world = measured(metric, *answer)
    found = [notice for notice in world.notices if notice.message == text]
    assert [notice.type for notice in found] == ["Warning"], world.told
