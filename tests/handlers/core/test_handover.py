"""Users who come back find a primary that is large enough, with and without an autoscaler."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.core import scaler
from schemas.status import HAND_BACK, CanaryStatus, Phase
from tests.handlers.core.manifests import SUCCESS_RATE, ab_testing, weighted
from tests.handlers.core.switched import arrived, left, named
from tests.handlers.core.test_scaler import HPA, hpa, keda
from tests.handlers.core.world import World
from tests.keda import scaled_object
from tests.peer import Left

DEADLINE = 60


def scaled(spec: dict[str, Any] | None = None, *, most: int = 20) -> World:
    """On an autoscaler of 1 to ``most``, after initialisation; the primary has two pods."""
    wanted = spec or weighted(metrics=[SUCCESS_RATE])
    ref = {"kind": "HorizontalPodAutoscaler", "name": "podinfo"}
    world = World({**wanted, "autoscalerRef": ref, "progressDeadlineSeconds": DEADLINE})
    world.scaler = {**HPA, "spec": {**HPA["spec"], "minReplicas": 1, "maxReplicas": most}}
    return world.until(Phase.INITIALIZED)


def resize(world: World, *, primary: int | None = None, canary: int | None = None) -> None:
    """As an autoscaler does it, within its bounds."""
    if primary is not None:
        assert world.primary is not None
        world.primary["spec"]["replicas"] = max(primary, world.primary_least)
    if canary is not None:
        assert world.target is not None
        world.target["spec"]["replicas"] = canary


def primary_replicas(world: World) -> int:
    assert world.primary is not None
    return int(world.primary["spec"]["replicas"])


def analysed(world: World, weight: int) -> World:
    world.push("podinfo:2")
    while world.weight < weight:
        world.tick()
    return world


# ---- the floor


def test_the_primary_keeps_the_size_that_it_had_when_the_rollout_began_so_that_a_rollback_finds_it() -> None:
    world = scaled(ab_testing())
    resize(world, primary=6)
    analysed(world, 100)
    assert world.primary_least == 6
    resize(world, primary=1, canary=6)
    assert primary_replicas(world) == 6, "all users are on the canary, and the primary does not shrink"
    world.command("abort")
    assert (world.weight, world.phase) == (0, Phase.FAILED)
    assert primary_replicas(world) == 6


def test_the_floor_is_given_back_when_the_scaler_has_seen_the_users_for_a_while() -> None:
    world = scaled()
    resize(world, primary=6)
    analysed(world, 25)
    world.until(Phase.SUCCEEDED)
    world.change()
    assert world.primary_least == 6, "its metrics are of a minute ago"
    world.wait(HAND_BACK)
    world.change()
    assert world.status.primary_floor == 0
    assert world.primary_least == 1
    world.tick()
    assert world.status.settled
    before = world.status.step
    world.change()
    assert world.status.step == before, "once"


def test_a_new_rollout_before_that_has_the_floor_of_its_own_time() -> None:
    world = scaled()
    resize(world, primary=6)
    analysed(world, 25).until(Phase.SUCCEEDED)
    resize(world, primary=8)
    world.push("podinfo:3")
    assert world.primary_least == 8
    resize(world, primary=11)
    world.push("podinfo:4")
    assert world.primary_least == 11, "a push in mid-analysis starts again"


def test_until_the_first_promotion_the_primary_is_as_large_as_the_target_that_it_takes_over_from() -> None:
    world = World({**weighted(), "autoscalerRef": {"kind": "HorizontalPodAutoscaler", "name": "podinfo"}})
    world.scaler = {**HPA, "spec": {**HPA["spec"], "minReplicas": 1}}
    assert world.target is not None
    world.target["spec"]["replicas"] = 4
    world.tick()
    assert (primary_replicas(world), world.primary_least) == (4, 4)


def test_a_canary_without_an_autoscaler_has_no_floor() -> None:
    world = World(weighted()).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    assert (world.status.primary_floor, world.status.scaler_step) == (0, 0)


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


# ---- the floor in the scaler


@pytest.mark.parametrize(("floor", "least"), [(0, 2), (1, 2), (3, 3), (9, 4)])
def test_the_floor_lies_between_the_bounds_of_an_autoscaler(floor: int, least: int) -> None:
    made = scaler.clone(hpa(), CanaryStatus(primary_floor=floor), HPA)["spec"]
    assert (made["minReplicas"], made["maxReplicas"]) == (least, 4)


@pytest.mark.parametrize(
    ("said", "floor", "found"),
    [
        ({"minReplicaCount": 0, "idleReplicaCount": 0}, 3, {"minReplicaCount": 3}),
        ({"minReplicaCount": 2, "idleReplicaCount": 0}, 0, {"minReplicaCount": 2, "idleReplicaCount": 0}),
        ({}, 150, {"minReplicaCount": 100}),
    ],
    ids=["who may sleep does not", "but later", "an unsaid maximum is KEDA's own"],
)
def test_a_scaled_object_may_not_be_idle_below_the_floor(
    said: dict[str, int], floor: int, found: dict[str, int]
) -> None:
    source = scaled_object()
    source["spec"] = {key: source["spec"][key] for key in ("scaleTargetRef", "triggers")} | said
    made = scaler.clone(keda(), CanaryStatus(primary_floor=floor), source)["spec"]
    bounds = ("minReplicaCount", "maxReplicaCount", "idleReplicaCount")
    assert {key: made[key] for key in bounds if key in made} == found


# ---- the target's scaler is gone


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_rollout_whose_target_has_lost_its_scaler_comes_to_rest_and_says_what_is_lost(when: str) -> None:
    world = scaled()
    if when == "before":
        world.scaler = None
    world.push("podinfo:2")
    world.tick()
    world.scaler = None
    world.until(Phase.SUCCEEDED)
    world.tick(40)
    assert world.status.settled
    lost = "spec.autoscalerRef: HorizontalPodAutoscaler podinfo.test is gone, what was copied from it stays"
    assert world.condition().message == f"{lost}; create it again"
    world.edit(service={"port": 9899})
    world.tick(30)
    assert (world.phase, world.status.names and world.status.names.port) == (Phase.INITIALIZED, 9899)


def test_a_scaler_that_comes_back_gets_its_own_minimum_into_the_primarys() -> None:
    world = analysed(scaled(), 25)
    source, world.scaler = world.scaler, None
    world.until(Phase.SUCCEEDED)
    world.tick(60)
    assert world.primary_least == 2
    world.scaler = source
    world.tick(60)
    assert (world.primary_least, world.status.settled, world.condition().status) == (1, True, "True")


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
