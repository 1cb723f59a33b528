"""While a rollout runs the primary's scaler may not go below a floor, and gives it back afterwards."""

from __future__ import annotations

import pytest

from handlers.core import scaler
from schemas.status import HAND_BACK, CanaryStatus, Phase
from tests.handlers.core.autoscaled import HPA, analysed, hpa, keda, primary_replicas, resize, scaled
from tests.handlers.core.manifests import ab_testing, weighted
from tests.handlers.core.world import World
from tests.keda import scaled_object

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
    assert (world.primary_least, world.status.settled, world.condition().status) == (1, True, "False")
