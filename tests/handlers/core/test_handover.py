"""Users who come back find a primary that is large enough, with and without an autoscaler."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.status import Phase
from tests.handlers.core.autoscaled import HPA, analysed, primary_replicas, resize, scaled
from tests.handlers.core.manifests import ab_testing, weighted
from tests.handlers.core.rollouts import DEADLINE
from tests.handlers.core.switched import arrived, left, named
from tests.handlers.core.world import World
from tests.peer import Left


def test_without_an_autoscaler_the_primary_has_the_canarys_size_before_traffic_returns() -> None:
    world = World(weighted()).until(Phase.INITIALIZED)
    analysed(world, 50)
    resize(world, canary=5)
    world.room["primary"] = 2
    world.tick(2)
    assert (world.phase, primary_replicas(world), world.weight) == (Phase.PROMOTING, 5, 50)
    world.room.clear()
    world.change()
    assert world.weight == 0


# ---- growing before traffic returns


@pytest.mark.parametrize(
    ("weight", "primary", "canary", "need"),
    [
        (50, 2, 2, 2),  # nobody has more than when it began
        (50, 6, 6, 12),  # half of the users each
        (50, 2, 6, 4),  # two serve half of the users
        (50, 12, 2, 4),  # two serve half of them, as the canary shows
        (100, 2, 9, 9),  # all users are on nine
        (50, 15, 15, 20),  # never more than the scaler may make
    ],
)
def test_the_primary_grows_to_what_its_users_need_before_they_return(
    weight: int, primary: int, canary: int, need: int
) -> None:
    world = analysed(scaled(weighted(maxWeight=weight, stepWeight=weight)), weight)
    resize(world, primary=primary, canary=canary)
    world.room["primary"] = primary
    world.until(Phase.PROMOTING)
    world.change()
    if primary >= need:
        assert world.weight == 0
        return
    assert (world.weight, world.phase) == (weight, Phase.PROMOTING), "traffic waits"
    assert world.primary_least == need
    assert f"podinfo-primary.test grows before traffic returns to it: {primary} of {need}" in world.condition().message
    assert world.status.waiting_for == "primary"
    world.room.clear()
    world.change()
    assert world.weight == 0
    world.until(Phase.SUCCEEDED)


def test_with_steps_the_primary_has_grown_before_the_first_of_them() -> None:
    world = analysed(scaled(weighted(stepWeightPromotion=20)), 50)
    resize(world, primary=6, canary=6)
    world.room["primary"] = 6
    world.tick(3)
    assert world.weight == 50
    world.room.clear()
    weights = []
    while world.phase is Phase.PROMOTING:
        world.tick()
        weights.append(world.weight)
    assert weights == [30, 10, 0]
    assert world.primary_least == 12, "what has grown is enough for every step"


def test_a_primary_that_cannot_grow_is_not_waited_for_without_end_nor_does_its_promotion_fail() -> None:
    world = analysed(scaled(), 50)
    resize(world, primary=6, canary=6)
    world.room["primary"] = 6
    world.tick(3)
    assert world.weight == 50
    world.wait(DEADLINE)
    world.tick()
    assert (world.phase, world.weight) == (Phase.FINALISING, 0)
    said = "podinfo-primary.test gets its traffic with 6 of the 12 replicas that it needs"
    assert world.alerts.count(("warn", said)) == 1
    assert world.until(Phase.SUCCEEDED).primary_image == "podinfo:2"


def test_a_primary_that_cannot_grow_is_said_once_whatever_the_steps() -> None:
    world = analysed(scaled(weighted(stepWeightPromotion=20)), 50)
    resize(world, primary=6, canary=6)
    world.room["primary"] = 6
    world.tick(3)
    world.wait(DEADLINE)
    world.tick(3)
    assert world.weight == 0
    assert len([alert for severity, alert in world.alerts if "of the 12 replicas" in alert]) == 1


def test_a_primary_that_breaks_while_it_grows_keeps_users_on_the_canary() -> None:
    world = analysed(scaled(), 50)
    resize(world, primary=6, canary=6)
    world.room["primary"] = 6
    world.tick(3)
    world.not_ready.add("primary")
    world.tick()
    world.wait(DEADLINE)
    world.tick()
    assert (world.phase, world.weight) == (Phase.PROMOTING, 50)
    assert "PromotionFailed" in world.reasons


def test_nobody_waits_for_a_larger_primary_while_the_canary_is_broken() -> None:
    world = analysed(scaled(), 50)
    resize(world, primary=6, canary=6)
    world.room["primary"] = 6
    world.tick(3)
    assert world.weight == 50
    world.not_ready.add("target")
    world.change()
    assert world.weight == 0
    assert world.primary_least == 12, "but it goes on growing"


def test_a_rollback_waits_for_no_pods_but_the_scaler_hears_at_once_of_the_users_who_return() -> None:
    world = analysed(scaled(), 50)
    resize(world, primary=6, canary=6)
    world.command("abort")
    assert (world.weight, world.phase) == (0, Phase.FAILED)
    assert world.primary_least == 12


# ---- users who are not split by the weight


@pytest.mark.parametrize(
    ("spec", "weight", "canary"),
    [
        (ab_testing(), 100, 15),
        (weighted(maxWeight=50, stepWeight=50, match=[{"headers": {"x-user": {"exact": "insider"}}}]), 50, 11),
    ],
    ids=["A/B", "a weight of those who match"],
)
def test_users_who_match_and_all_others_need_the_pods_of_both_sides_together(
    spec: dict[str, Any], weight: int, canary: int
) -> None:
    """What either side has says nothing about the other's users."""
    world = scaled(spec, most=100)
    resize(world, primary=10)
    analysed(world, weight)
    resize(world, primary=20, canary=canary)
    world.room["primary"] = 20
    world.until(Phase.PROMOTING)
    world.change()
    assert world.weight == weight, "they wait for more"
    assert world.primary_least == 20 + canary


# ---- on every way back


def crowded(found: Left) -> World:
    """Taken over with ten pods on the canary and one on the primary."""
    world = arrived(found)
    world.item["spec"]["autoscalerRef"] = {"kind": "HorizontalPodAutoscaler", "name": "podinfo"}
    world.scaler = {**HPA, "spec": {**HPA["spec"], "minReplicas": 1, "maxReplicas": 20}}
    assert world.target is not None
    assert world.primary is not None
    world.target["spec"]["replicas"], world.primary["spec"]["replicas"] = 10, 1
    world.room["primary"] = 1
    return world


@pytest.mark.parametrize("found", [left("Promoting", weight=100), left("Failed", weight=100)], ids=named)
def test_a_primary_that_the_peer_left_small_grows_before_all_users_come_back_to_it(found: Left) -> None:
    world = crowded(found)
    world.tick(3)
    assert (world.weight, primary_replicas(world)) == (100, 10)
    assert "grows before traffic returns to it: 1 of 10 replicas" in world.condition().message
    world.room.clear()
    world.tick()
    assert world.weight == 0


def test_a_primary_that_goes_back_grows_for_the_users_whom_the_canary_carries_meanwhile() -> None:
    world = analysed(scaled(ab_testing()), 100)
    world.until(Phase.PROMOTING)
    resize(world, canary=9)
    world.not_ready = {"primary"}
    world.command("abort")
    world.not_ready, world.room["primary"] = set(), 2
    world.tick()
    assert (world.phase, world.weight, world.primary_least) == (Phase.PROMOTING, 100, 11)
    assert "grows before traffic returns to it: 2 of 11 replicas" in world.condition().message
    world.room.clear()
    world.tick()
    assert (world.phase, world.weight) == (Phase.FAILED, 0)


def test_users_whom_the_canary_does_not_carry_do_not_wait_for_it_to_grow() -> None:
    world = analysed(scaled(ab_testing()), 100)
    world.until(Phase.PROMOTING)
    resize(world, canary=9)
    world.not_ready = {"primary"}
    world.command("abort")
    world.not_ready, world.room["primary"] = {"target"}, 2
    world.tick()
    assert (world.phase, world.weight) == (Phase.FAILED, 0)
    assert "gets its traffic with 2 of the 11 replicas that it needs" in world.told[-2]
