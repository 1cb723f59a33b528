"""Old errors never fail a new revision, old successes never pass it: a window waits until it is the revision's own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from handlers.core.observation import Answers
from handlers.core.verdict import judge
from schemas.measurement import Measurement
from schemas.status import CheckResult, Phase
from tests.handlers.core.manifests import SUCCESS_RATE, blue_green, weighted
from tests.handlers.core.rollouts import progressing
from tests.handlers.core.world import World

RATE = "request-success-rate"
LONG = {**SUCCESS_RATE, "interval": "30s"}
"""Three times the analysis interval."""


def last(world: World) -> CheckResult:
    assert world.status.last_step is not None
    return world.status.last_step.checks[0]


def long_window() -> World:
    """Under way, with a window that is three intervals long."""
    world = World(weighted(metrics=[LONG])).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick()
    return world


def held(world: World) -> list[int]:
    """Seconds to go of each slot in which the window was another revision's, up to the first that counts."""
    found = []
    for _ in range(12):
        world.tick()
        if (checks := world.status.last_step.checks if world.status.last_step else ()) and checks[0].clears_in:
            found.append(round(checks[0].clears_in))
            sentence = f"the window of {RATE} still reaches into another revision's traffic, {found[-1]} s to go"
            assert checks[0].message == f"Halt podinfo.test advancement {sentence}"
        elif checks:
            return found
    raise AssertionError("never judged")


@pytest.mark.parametrize(("value", "verdict"), [(1, "fail"), (100, "pass")])
def test_after_a_restart_in_mid_analysis_nothing_counts_until_the_window_is_the_new_revisions(
    value: float, verdict: str
) -> None:
    world = progressing(25, maxWeight=100)
    world.edit_analysis(metrics=[LONG])
    world.push("podinfo:3")
    world.answer(RATE, value)
    weights = len(world.weights)
    assert held(world) == [20, 10]
    assert last(world).verdict == verdict
    assert world.weights[weights:] == [25, 50][: 1 if verdict == "fail" else 2]
    assert world.status.failed_checks == (1 if verdict == "fail" else 0)
    assert all(severity == "info" for severity, _ in world.alerts), "nobody is alarmed by a window"


def test_the_window_counts_from_when_the_gateway_took_the_old_revision_off_not_from_when_it_was_told_to() -> None:
    world = progressing(25, maxWeight=100)
    world.edit_analysis(metrics=[LONG])
    world.verdict = None
    world.push("podinfo:3")
    world.answer(RATE, 1)
    world.tick(5)
    assert (world.weight, world.status.failed_checks) == (0, 0), "the old revision's users are still there"
    world.says("Accepted")
    assert held(world)[-2:] == [20, 10]


def test_what_was_under_way_when_the_routes_changed_has_the_drain_to_end() -> None:
    world = progressing(25, maxWeight=100)
    world.rules = world.rules.model_copy(update={"drain": 5})
    world.edit_analysis(metrics=[LONG])
    world.push("podinfo:3")
    assert held(world) == [25, 15, 5]


def test_a_promotion_just_before_is_another_revisions_traffic_too() -> None:
    world = long_window()
    while world.phase is not Phase.SUCCEEDED:
        world.tick()
    world.push("podinfo:3")
    ended = world.status.traffic_until
    world.answer(RATE, 1)
    assert held(world) == [9]
    assert ended is not None
    assert (world.status.failed_checks, world.now - ended) == (1, timedelta(seconds=31))


def test_a_rollout_long_after_the_last_one_waits_for_no_window() -> None:
    world = long_window().until(Phase.SUCCEEDED)
    world.wait(60)
    world.push("podinfo:3")
    assert held(world) == []


def test_the_first_rollout_waits_for_no_window() -> None:
    assert held(long_window()) == []


def test_load_tests_of_a_blue_green_canary_are_old_traffic_as_well_although_it_has_no_weight() -> None:
    spec = blue_green(5, metrics=[LONG]) | {"progressDeadlineSeconds": 600}
    world = World(spec).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick(3)
    assert (world.weight, world.status.iterations) == (0, 3)
    world.push("podinfo:3")
    world.answer(RATE, 1)
    assert held(world) == [10]
    assert last(world).verdict == "fail"


@pytest.mark.parametrize(
    "answer",
    [
        {"outcome": "value", "value": 1.0},
        {"outcome": "verdict", "passed": False},
        {"outcome": "verdict", "passed": True},
    ],
)
def test_values_and_judges_alike_wait_and_no_deadline_runs_meanwhile(answer: dict[str, Any]) -> None:
    world = progressing(25, maxWeight=100)
    world.edit_analysis(metrics=[{**SUCCESS_RATE, "interval": "5m"}])
    world.push("podinfo:3")
    world.measured[RATE] = Measurement(name=RATE, **answer)
    world.tick(20)
    assert (world.phase, world.weight, world.status.failed_checks) == (Phase.PROGRESSING, 25, 0)
    assert world.status.no_data_since is None, "there is data, only not of this revision"


def test_a_value_that_reaches_back_further_than_the_interval_waits_for_as_long() -> None:
    world = progressing(25, maxWeight=100)
    world.push("podinfo:3")
    world.tick(2)
    canary, seen = world.look_now()

    def clears_in(reach: float) -> float:
        measured = Measurement(name=RATE, outcome="value", value=100, reach=reach)
        return judge(canary, seen, Answers(measurements=(measured,)))[0].clears_in

    assert clears_in(0) == 0
    assert clears_in(100) == 90
