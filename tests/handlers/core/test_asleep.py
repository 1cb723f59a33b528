"""A ScaledObject that may put its workload to sleep: what that does to a rollout, and what is said of it."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.core.gate import primary_readiness
from schemas.status import HAND_BACK, Phase
from tests.handlers.core.manifests import hook, weighted
from tests.handlers.core.world import World
from tests.keda import scaled_object

KEDA = {"kind": "ScaledObject", "name": "podinfo"}


def scaled(*, without: str = "", spec: dict[str, Any] | None = None, **said: Any) -> World:
    """On a ScaledObject, at rest for so long that the primary's is its own again."""
    world = World({**weighted(), "autoscalerRef": KEDA, "progressDeadlineSeconds": 60, **(spec or {})})
    world.scaler = scaled_object(**{"minReplicaCount": 0, **said})
    world.scaler["spec"].pop(without, None)
    world.until(Phase.INITIALIZED)
    return at_rest(world)


def at_rest(world: World) -> World:
    world.wait(HAND_BACK)
    world.tick(2)
    assert (world.status.primary_floor, world.status.settled) == (0, True)
    return world


def sleeps(world: World) -> World:
    """Without traffic KEDA puts the primary to zero, as its copy of the ScaledObject lets it."""
    assert world.primary is not None
    assert world.primary_least == 0
    world.primary["spec"]["replicas"] = 0
    return world


def scale_to_zero(world: World) -> None:
    assert world.target is not None
    world.target["spec"]["replicas"] = 0
    world.tick()


# ---- the target


@pytest.mark.parametrize(
    ("said", "without", "why"),
    [
        ({}, "", " (ScaledObject podinfo has minReplicaCount 0; set 1)"),
        ({}, "minReplicaCount", " (ScaledObject podinfo has no minReplicaCount, which means 0; set 1)"),
        (
            {"minReplicaCount": 2, "idleReplicaCount": 0},
            "",
            " (ScaledObject podinfo has idleReplicaCount 0; take it out)",
        ),
        ({"minReplicaCount": 1}, "", ""),
    ],
    ids=["zero", "nothing said", "idle", "somebody else"],
)
def test_a_canary_that_keda_puts_to_sleep_says_whose_setting_it_was_and_what_to_do(
    said: dict[str, Any], without: str, why: str
) -> None:
    world = scaled(without=without, **said)
    world.push("podinfo:2")
    world.tick()
    scale_to_zero(world)
    text = f"Rolling back podinfo.test: Deployment podinfo.test was scaled to zero{why}"
    assert (world.phase, world.alerts[-1]) == (Phase.FAILED, ("error", text))
    assert text in world.told


def test_an_autoscaler_is_not_suspected_of_what_only_keda_does() -> None:
    world = scaled()
    world.push("podinfo:2")
    world.tick()
    world.item["spec"]["autoscalerRef"] = None
    scale_to_zero(world)
    assert world.alerts[-1][1].endswith("was scaled to zero")


# ---- the primary


def test_a_revision_for_a_primary_that_sleeps_wakes_it_and_goes_to_its_end() -> None:
    world = sleeps(scaled())
    world.push("podinfo:2")
    assert world.primary_least == 1
    assert world.until(Phase.SUCCEEDED).primary_image == "podinfo:2"


@pytest.mark.parametrize("spec", [{"skipAnalysis": True}, {}], ids=["skipAnalysis", "promote"])
def test_a_revision_that_is_not_analysed_wakes_the_primary_as_well(spec: dict[str, Any]) -> None:
    world = sleeps(scaled(spec=spec))
    world.push("podinfo:2")
    if not spec:
        world.command("promote")
    assert world.until(Phase.SUCCEEDED).primary_image == "podinfo:2"


def test_a_rollback_of_a_primary_that_sleeps_wakes_it_and_comes_to_rest() -> None:
    world = scaled()
    world.push("podinfo:2")
    sleeps(at_rest(world.until(Phase.SUCCEEDED)))
    world.command("rollback")
    world.tick(3)
    assert (world.phase, world.status.settled, world.primary_image) == (Phase.FAILED, True, "podinfo:1")
    at_rest(world)


def test_new_names_wait_for_no_primary_that_sleeps() -> None:
    world = sleeps(scaled())
    world.edit(service={"port": 80})
    world.until(Phase.INITIALIZED)
    at_rest(world)
    assert world.status.observed_generation == world.item["metadata"]["generation"]


def test_users_who_were_left_on_the_canary_find_a_primary_that_slept_meanwhile() -> None:
    """Nobody sends it anything, so nothing but a minimum wakes it."""
    world = scaled()
    world.push("podinfo:2")
    while world.weight < 50:
        world.tick()
    world.given(phase=Phase.FAILED, primary_floor=0, settled=False)
    assert world.primary is not None
    world.primary["spec"]["replicas"] = 0
    world.scaler, source = None, world.scaler
    world.tick()
    assert world.weight == 50
    world.scaler = source
    world.tick(4)
    assert world.weight == 0


def test_keda_that_does_not_wake_the_primary_is_named_in_what_holds_the_rollout() -> None:
    world = sleeps(scaled())
    world.push("podinfo:2")
    assert world.primary is not None
    world.primary["spec"]["replicas"] = 0
    canary, seen = world.look_now()
    assert primary_readiness(canary, seen).message == (
        "waiting for rollout to finish: no available replicas; KEDA scales it up from zero after ScaledObject "
        "podinfo-primary, else look at the conditions of that"
    )


def test_a_primary_that_somebody_has_put_to_zero_beside_an_autoscaler_is_to_be_scaled_up() -> None:
    world = World({**weighted(), "autoscalerRef": {"kind": "HorizontalPodAutoscaler", "name": "podinfo"}})
    assert world.target is not None
    world.scaler = {
        "metadata": {"name": "podinfo", "resourceVersion": "1"},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "podinfo"}, "minReplicas": 1, "maxReplicas": 4},
    }
    world.until(Phase.INITIALIZED)
    assert world.primary is not None
    world.primary["spec"]["replicas"] = 0
    canary, seen = world.look_now()
    assert primary_readiness(canary, seen).message.endswith(
        "; no autoscaler scales up from zero: scale podinfo-primary up"
    )


def test_a_scaler_that_comes_in_mid_rollout_does_not_put_to_sleep_a_primary_that_has_no_users() -> None:
    """A rollback would send them all to nobody."""
    world = World({**weighted(), "progressDeadlineSeconds": 60}).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick()
    world.scaler = scaled_object(minReplicaCount=0)
    world.edit(autoscalerRef=KEDA)
    assert (world.phase, world.primary_least) == (Phase.PROGRESSING, 2), "what it has now"
    at_rest(world.until(Phase.SUCCEEDED))


def test_a_scaler_that_comes_at_rest_may_do_as_it_likes() -> None:
    world = World(weighted()).until(Phase.INITIALIZED)
    world.scaler = scaled_object(minReplicaCount=0)
    world.edit(autoscalerRef=KEDA)
    world.tick()
    assert world.primary_least == 0


def test_a_gate_that_stays_closed_for_long_leaves_the_primary_its_pods() -> None:
    world = scaled(spec={"analysis": {**weighted()["analysis"], "webhooks": [hook("confirm-traffic-increase")]}})
    world.hooks["confirm-traffic-increase"] = False
    world.push("podinfo:2")
    world.tick(60)
    assert (world.phase, world.primary_least) == (Phase.PROGRESSING, 2)
