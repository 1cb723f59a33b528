"""How traffic moves: by weight, by user, all at once."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.core.strategy import highest_weight, next_step, next_weight
from schemas.analysis import Analysis
from schemas.status import Phase
from tests.handlers.core.manifests import ab_testing, blue_green, hook, stepped, weighted
from tests.handlers.core.world import World


@pytest.mark.parametrize(
    ("analysis", "weights"),
    [
        ({"stepWeight": 25, "maxWeight": 50}, [25, 50]),
        ({"stepWeight": 20, "maxWeight": 50}, [20, 40, 60]),
        ({"stepWeight": 60}, [60, 100]),
        ({"stepWeight": 100}, [100]),
        ({"stepWeight": 40, "maxWeight": 500}, [40, 80, 100]),
        ({"stepWeight": 50, "maxWeight": -1}, [50, 100]),
        ({"stepWeights": [1, 2, 10, 80]}, [1, 2, 10, 80]),
        ({"stepWeights": [5, 90], "maxWeight": 10}, [5, 90]),
        ({"stepWeight": 50, "stepWeights": [1, 2]}, [50, 100]),
    ],
)
def test_the_weights_of_a_rollout_follow_from_its_steps(analysis: dict[str, Any], weights: list[int]) -> None:
    wanted = Analysis.model_validate(analysis)
    taken, weight = [], 0
    while (following := next_step(wanted, weight, 0)).action == "advance":
        weight = following.weight
        taken.append(weight)
        assert following.message == f"canary weight {weight}"
    assert taken == weights
    assert weight >= highest_weight(wanted)


def test_a_weight_that_is_not_listed_goes_on_with_the_next_one_above_it() -> None:
    assert next_weight(Analysis(step_weights=(5, 30, 60)), 40) == 60
    assert next_weight(Analysis(step_weights=(5, 30, 60)), 60) == 100


def test_step_weights_end_to_end() -> None:
    world = World(stepped(10, 70)).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.until(Phase.SUCCEEDED)
    assert world.weights == [0, 10, 70, 0]


def test_a_lowered_maximum_promotes_only_after_a_pass_at_the_weight_that_is_on() -> None:
    world = World(weighted(stepWeight=20, maxWeight=80, webhooks=[])).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick(2)
    world.edit_analysis(maxWeight=30)
    assert (world.phase, world.weight) == (Phase.PROGRESSING, 40)
    world.tick()
    assert world.phase is Phase.PROMOTING


def test_the_way_back_in_steps_serves_each_weight_for_one_slot() -> None:
    world = World(weighted(stepWeight=50, maxWeight=100, stepWeightPromotion=40)).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.until(Phase.PROMOTING)
    world.change()
    assert world.weight == 100, "only a slot moves weight back"
    world.until(Phase.SUCCEEDED)
    assert world.weights == [0, 50, 100, 60, 20, 0]
    assert [text for text in world.told if "primary weight" in text] == [
        f"Advance podinfo.test primary weight {weight}" for weight in (40, 80, 100)
    ]
    assert world.primary_image == "podinfo:2"


def test_steps_back_wait_for_the_gateway_and_say_so() -> None:
    world = World(weighted(stepWeightPromotion=10)).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.until(Phase.PROMOTING)
    world.verdict = "Warning"
    world.tick()
    assert world.weight == 40
    world.tick(3)
    assert world.weight == 40
    assert world.condition().message == "RouteTable podinfo.test: its words"
    assert world.status.waiting_for == "gateway"
    world.says("Accepted")
    world.tick()
    assert world.weight == 30


def test_a_way_back_with_nothing_to_shift_ends_at_once() -> None:
    world = World(weighted(stepWeightPromotion=10)).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.command("promote")
    world.until(Phase.SUCCEEDED)
    assert world.weights == [0]
    assert world.primary_image == "podinfo:2"


def test_ab_testing_sends_matched_users_to_the_canary_for_all_iterations() -> None:
    world = World(ab_testing(3)).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick()
    assert world.weight == 100
    assert [item["weight"] for item in world.destinations(route=1)] == [100, 0], "everybody else"
    world.until(Phase.SUCCEEDED)
    assert [text for text in world.told if "iteration" in text] == [
        f"Advance podinfo.test canary iteration {number}/3" for number in (1, 2, 3)
    ]
    assert world.weights == [0, 100, 0]
    assert world.status.iterations == 0


def test_ab_testing_routes_everybody_to_the_primary_when_it_is_over() -> None:
    world = World(ab_testing()).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.until(Phase.SUCCEEDED)
    for route in (0, 1):
        assert [item["weight"] for item in world.destinations(route)] == [100, 0]


def test_blue_green_judges_without_users_then_once_with_all_of_them() -> None:
    world = World(blue_green(2)).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick(2)
    assert (world.weight, world.status.iterations) == (0, 2)
    world.tick()
    assert (world.weight, world.status.iterations) == (100, 3)
    world.tick()
    assert world.phase is Phase.PROMOTING
    world.until(Phase.SUCCEEDED)
    steps = [text for text in world.told if "iteration" in text or "Routing" in text]
    assert steps == [
        "Advance podinfo.test canary iteration 1/2",
        "Advance podinfo.test canary iteration 2/2",
        "Routing all traffic to canary",
        "Routing all traffic to primary",
    ]


def test_a_changed_strategy_starts_again_from_zero() -> None:
    world = World(ab_testing(5)).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick(2)
    assert world.weight == 100
    world.edit_analysis(iterations=0, match=[], stepWeight=50)
    assert (world.weight, world.status.iterations, world.status.strategy) == (0, 0, "canary")
    assert "Strategy changed from ab-testing to canary! Restarting analysis for podinfo.test" in world.told
    world.until(Phase.SUCCEEDED)
    assert world.weights == [0, 100, 0, 50, 100, 0]


def test_matched_users_without_iterations_are_split_by_weight() -> None:
    match = [{"headers": {"x-canary": {"exact": "insider"}}}]
    world = World(weighted(match=match)).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick()
    assert [item["weight"] for item in world.destinations(0)] == [75, 25]
    assert [item["weight"] for item in world.destinations(1)] == [100, 0]


def test_without_metrics_readiness_and_hooks_decide() -> None:
    world = World(weighted(metrics=[])).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.not_ready = {"target"}
    world.tick(3)
    assert world.weight == 0
    world.not_ready = set()
    world.until(Phase.SUCCEEDED)


def test_fewer_iterations_of_a_blue_green_rollout_skip_neither_the_gate_nor_the_users() -> None:
    world = World(blue_green(webhooks=[hook("confirm-promotion")], iterations=10)).until(Phase.INITIALIZED)
    world.hooks["confirm-promotion"] = False
    world.push("podinfo:2")
    while world.status.iterations < 6:
        world.tick()
    world.edit_analysis(iterations=3)
    world.tick(3)
    assert (world.phase, world.weight) == (Phase.WAITING_PROMOTION, 0)
    world.edit_analysis(iterations=2)
    world.tick(3)
    assert (world.phase, world.weight) == (Phase.WAITING_PROMOTION, 0)
    world.hooks["confirm-promotion"] = True
    world.until(Phase.SUCCEEDED)
    assert world.weights == [0, 100, 0]


def test_more_iterations_of_a_blue_green_rollout_that_has_all_users_send_them_nowhere_again() -> None:
    world = World(blue_green(iterations=2)).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    while world.weight < 100:
        world.tick()
    world.edit_analysis(iterations=5)
    world.until(Phase.SUCCEEDED)
    assert world.weights == [0, 100, 0]
