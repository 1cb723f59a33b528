"""Whole rollouts on targets of each kind: what holds of Deployments holds of DaemonSets and Services."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.core.copies import is_current, may_change
from schemas.canary import Canary
from schemas.events import Change, ChangeReason
from schemas.status import Phase
from schemas.workload import TARGET_STEP, Workload
from tests.handlers.core import shapes
from tests.handlers.core.manifests import SUCCESS_RATE, ab_testing, blue_green, weighted
from tests.handlers.core.shapes import image_of, of_kind
from tests.handlers.core.watched import Watched
from tests.handlers.core.world import World

DEADLINE = 60
DRIFT = Change(namespace="test", name="podinfo", uid="u", reason=ChangeReason.DRIFT)
STRATEGIES = {"weights": weighted(), "A/B": ab_testing(), "blue/green": blue_green()}


def world_of(kind: str, spec: dict[str, Any] | None = None, **analysis: Any) -> World:
    wanted = spec or weighted(**analysis)
    return World(of_kind(kind, wanted) | {"progressDeadlineSeconds": DEADLINE}).until(Phase.INITIALIZED)


def canary_image(world: World) -> str:
    """What the canary's share of the traffic meets."""
    side = world.target if world.canary_copy is None else world.canary_copy
    assert side is not None
    return image_of(Workload(side).content)


def at(weight: int, kind: str, **analysis: Any) -> World:
    world = world_of(kind, metrics=[SUCCESS_RATE], **analysis)
    world.push("podinfo:2")
    while world.weight < weight:
        world.tick()
    return world


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet", "Service"])
def test_a_rollout_of_each_strategy_promotes_each_kind(kind: str, strategy: str) -> None:
    world = Watched(of_kind(kind, STRATEGIES[strategy]))
    world.until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.until(Phase.SUCCEEDED)
    assert world.promoted == ["podinfo:1", "podinfo:2"]
    assert world.weights[-1] == 0
    assert max(world.weights) == (50 if strategy == "weights" else 100)


# ---- DaemonSets


def test_a_daemonset_is_parked_when_idle_and_runs_on_its_nodes_during_a_rollout() -> None:
    world = world_of("DaemonSet")
    assert world.canary_replicas == 0
    world.push("podinfo:2")
    assert world.phase is Phase.PROGRESSING
    world.change()
    assert world.target is not None
    assert not shapes.is_parked(world.target)


def test_a_daemonset_is_never_parked_while_routes_lead_to_it() -> None:
    world = at(25, "DaemonSet")
    world.verdict = "Pending"
    world.command("abort")
    world.tick(3)
    assert world.phase is Phase.FAILED
    assert world.target is not None
    assert not shapes.is_parked(world.target), "the gateway still sends users there"
    world.says("Accepted")
    world.tick(2)
    assert shapes.is_parked(world.target)


def test_a_daemonset_that_never_gets_ready_fails_at_its_deadline_and_not_before() -> None:
    world = world_of("DaemonSet")
    world.not_ready = {"target"}
    world.push("podinfo:2")
    world.tick(DEADLINE // 10)
    assert world.phases[-1] is Phase.PROGRESSING
    assert world.condition().message == (
        "canary damonset podinfo.test not ready with retryable true: "
        "waiting for rollout to finish: 0 of 3 (readyThreshold 100%) updated pods are available"
    )
    world.tick()
    assert world.phase is Phase.FAILED
    why = "canary damonset podinfo.test not ready with retryable false: exceeded its progressDeadlineSeconds: 60"
    assert world.alerts[-1] == ("error", f"Progress deadline exceeded {why}")


def test_steps_of_a_rollout_do_not_give_a_broken_daemonset_more_time() -> None:
    """The peer measures from its last write of the status (spec B19)."""
    world = at(25, "DaemonSet", threshold=100)
    world.not_ready = {"target"}
    world.answer("request-success-rate", 1)
    world.tick(DEADLINE // 10)
    assert world.phases[-1] is Phase.PROGRESSING
    assert world.status.failed_checks > 3, "a status was written at each of them"
    world.tick(2)
    assert world.phase is Phase.FAILED


def test_a_daemonset_that_got_ready_in_between_has_the_whole_deadline_again() -> None:
    world = at(25, "DaemonSet")
    for _ in range(2):
        world.not_ready = {"target"}
        world.tick(DEADLINE // 10 - 1)
        world.not_ready = set()
        world.change()
    assert world.phase is Phase.PROGRESSING


def test_a_primary_daemonset_that_breaks_in_mid_rollout_ends_it_only_if_it_can_serve() -> None:
    world = at(25, "DaemonSet")
    world.not_ready = {"primary"}
    world.tick(DEADLINE // 10 + 2)
    assert world.phase is Phase.PROGRESSING
    assert world.weight == 25, "nobody is sent to a primary without pods"
    assert world.condition().reason == "DeadlineExceeded"
    assert world.condition().message.startswith("primary daemonset podinfo-primary.test not ready: exceeded its")


def test_a_daemonset_without_nodes_is_not_ready_however_much_it_agrees_with_itself() -> None:
    world = world_of("DaemonSet")
    world.nodes = 0
    world.push("podinfo:2")
    world.tick(3)
    assert (world.phase, world.weight) == (Phase.PROGRESSING, 0)
    assert world.condition().message.endswith("waiting for rollout to finish: no available replicas")


def test_somebody_parks_a_daemonset_in_mid_rollout() -> None:
    world = at(25, "DaemonSet")
    assert world.target is not None
    shapes.park(world.target)
    world.change(ChangeReason.REVISION)
    assert (world.phase, world.weight) == (Phase.FAILED, 0)
    assert world.told[-2] == "Rolling back podinfo.test: DaemonSet podinfo.test was scaled to zero"


@pytest.mark.parametrize("kind", ["DaemonSet", "Service"])
def test_a_target_deleted_in_mid_rollout_ends_it_and_leaves_users_with_the_primary(kind: str) -> None:
    world = at(25, kind)
    world.target = None
    world.change(ChangeReason.REVISION)
    assert (world.phase, world.weight, world.primary_image) == (Phase.FAILED, 0, "podinfo:1")
    assert world.told[-2] == f"Rolling back podinfo.test: {kind} podinfo.test is gone"


def test_a_failed_promotion_gives_a_primary_daemonset_its_old_revision_back_before_traffic() -> None:
    world = at(50, "DaemonSet")
    world.tick()
    assert world.phase is Phase.PROMOTING
    world.not_ready = {"primary"}
    world.tick(DEADLINE // 10 + 2)
    assert world.primary_image == "podinfo:1"
    assert (world.phase, world.weight) == (Phase.PROMOTING, 50), "users stay on the healthy canary"
    world.not_ready = set()
    world.until(Phase.FAILED)
    world.tick(2)
    assert world.weight == world.canary_replicas == 0
    assert world.alerts[-1][0] == "error"


@pytest.mark.parametrize("kind", ["DaemonSet", "Service"])
def test_an_abort_while_promoting_brings_the_old_revision_back(kind: str) -> None:
    world = at(50, kind)
    world.tick(project=False)
    assert world.phases[-1] is Phase.PROMOTING
    world.change(project=False)
    world.command("abort")
    world.until(Phase.FAILED)
    assert (world.primary_image, world.weight) == ("podinfo:1", 0)
    world.tick(3)
    assert world.phase is Phase.FAILED, "the refused revision does not start again by itself"


@pytest.mark.parametrize("kind", ["DaemonSet", "Service"])
def test_the_threshold_rolls_back_in_the_tick_that_reaches_it(kind: str) -> None:
    world = at(25, kind, threshold=2)
    world.answer("request-success-rate", 1)
    world.tick(2)
    assert (world.phase, world.weight) == (Phase.FAILED, 0)
    assert world.primary_image == "podinfo:1"


@pytest.mark.parametrize("kind", ["DaemonSet", "Service"])
def test_going_back_to_the_promoted_revision_ends_the_analysis_at_once(kind: str) -> None:
    world = at(25, kind)
    world.push("podinfo:1")
    assert (world.phase, world.weight, world.status.failed_checks) == (Phase.SUCCEEDED, 0, 0)


# ---- Services


def test_a_service_is_its_users_own_and_only_gets_our_mark() -> None:
    world = at(25, "Service")
    pushed = shapes.make("Service", "podinfo:2")
    assert world.target is not None
    assert world.target["spec"] == pushed["spec"]
    marks = world.target["metadata"]["annotations"]
    assert marks.keys() == {"canarybus.dev/target-step"}


def test_the_canarys_share_meets_the_revision_that_is_analysed() -> None:
    world = world_of("Service")
    assert canary_image(world) == "podinfo:1"
    world.push("podinfo:2")
    assert (world.weight, canary_image(world), world.primary_image) == (0, "podinfo:2", "podinfo:1")
    world.until(Phase.SUCCEEDED)
    assert world.primary_image == "podinfo:2"


def test_a_push_in_mid_rollout_reaches_nobody_before_the_routes_are_back() -> None:
    world = at(25, "Service")
    world.verdict = "Pending"
    world.push("podinfo:3")
    world.tick()
    assert canary_image(world) == "podinfo:2", "the gateway may still send users there"
    assert world.weight == 0
    world.says("Accepted")
    world.tick()
    assert canary_image(world) == "podinfo:3"
    world.until(Phase.SUCCEEDED)
    assert world.promoted == ["podinfo:1", "podinfo:3"]


def test_a_lost_copy_is_made_again_as_what_was_analysed() -> None:
    world = at(25, "Service")
    world.canary_copy = None
    world.change(ChangeReason.DRIFT)
    assert canary_image(world) == "podinfo:2"
    assert world.canary_copy is not None
    assert is_current(Canary.from_object(world.item), Workload(world.canary_copy))


@pytest.mark.parametrize(("fence", "may"), [(3, True), (4, True), (5, False), (9, False), (10, True)])
def test_a_later_steps_copy_is_never_overwritten_but_a_forged_fence_is(fence: int, may: bool) -> None:
    world = at(25, "Service")
    world.given(step=9, target_step=4)
    canary, seen = world.look(DRIFT)
    assert world.canary_copy is not None
    world.canary_copy["metadata"]["annotations"][TARGET_STEP] = str(fence)
    assert may_change(canary, seen, Workload(world.canary_copy)) is may
