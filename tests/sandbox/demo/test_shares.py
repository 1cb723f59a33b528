"""What counts as the canary's share of the traffic, and when it is off."""

from __future__ import annotations

import pytest

from deploy.sandbox.demo.shares import Served, Shares, words
from deploy.sandbox.load import Load
from deploy.sandbox.load.client import Answer
from schemas.status import CanaryStatus, Phase

URL = "http://127.0.0.1:9"


def progressing(weight: int, step: int, phase: Phase = Phase.PROGRESSING) -> CanaryStatus:
    return CanaryStatus(phase=phase, canary_weight=weight, route_step=step, strategy="canary")


def answered(load: Load, old: int, new: int) -> None:
    for version, number in (("1", old), ("2", new)):
        for _ in range(number):
            load.since_mark.add(Answer(200, version, 0.01, None))


def test_a_weight_is_counted_from_the_gateways_verdict_to_the_next_weight() -> None:
    load = Load(URL)
    shares = Shares(load)
    shares.version = "2"

    shares(progressing(10, step=4), 0)
    answered(load, old=50, new=0)  # before the verdict: not counted
    shares(progressing(10, step=4), 4)
    answered(load, old=90, new=10)
    shares(progressing(20, step=5), 4)

    assert shares.steps == [Served("2", 10, 100, 10.0)]


def test_a_verdict_on_older_routes_starts_no_count() -> None:
    shares = Shares(Load(URL))

    shares(progressing(10, step=5), 4)
    shares(progressing(20, step=6), 4)

    assert shares.steps == []


def test_the_count_ends_with_the_analysis() -> None:
    load = Load(URL)
    shares = Shares(load)
    shares.version = "2"

    shares(progressing(50, step=5), 5)
    answered(load, old=49, new=51)
    shares(progressing(50, step=5, phase=Phase.PROMOTING), 5)
    answered(load, old=0, new=100)  # the primary runs it now

    assert [step.share for step in shares.steps] == [51.0]


@pytest.mark.parametrize(
    ("weight", "requests", "share", "fair"),
    [
        (50, 10_000, 52.9, True),
        (50, 10_000, 53.1, False),
        (5, 10_000, 8.1, False),
        (50, 600, 56.0, True),  # three of a die's standard deviations
        (50, 600, 60.0, False),
        (5, 600, 0.0, False),
    ],
)
def test_a_share_is_fair_within_three_points_or_within_chance(
    weight: int, requests: int, share: float, fair: bool
) -> None:
    assert Served("2", weight, requests, share).fair is fair


def test_the_summary_leaves_out_steps_with_few_requests() -> None:
    steps = [Served("2", 10, 1000, 12.0), Served("2", 20, 3000, 20.0), Served("2", 30, 10, 90.0)]

    assert words(steps).startswith("2 of 2 steps with 500 requests or more within 3 points; furthest 12.0 % at 10 %")
    assert "all together +0.50 points" in words(steps)
    assert words(steps[2:]) == ""
