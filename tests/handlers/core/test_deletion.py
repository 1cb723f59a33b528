"""Deletion with revertOnDeletion: users are brought back to the target, wherever the Canary was."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest

from handlers.core.step import step
from schemas.events import Tick
from schemas.status import Phase
from tests.handlers.core.manifests import ab_testing, hook, weighted
from tests.handlers.core.reverting import at_rest, reverting, shares
from tests.handlers.core.rollouts import DEADLINE, progressing
from tests.handlers.core.shapes import is_parked, of_kind
from tests.handlers.core.world import World

STAYS = (
    "RouteTable podinfo, Upstream test-podinfo-canaryupstream-9898, Service podinfo-canary, Service podinfo stay "
    "behind and lead to Deployment podinfo.test; they are yours now"
)


def test_a_deleted_canary_leads_its_users_back_to_the_target_step_by_step() -> None:
    world = at_rest()
    world.not_ready = {"target"}
    world.delete()
    assert (world.phase, world.canary_replicas, world.weight) == (Phase.TERMINATING, 2, 0)
    assert world.condition("Promoted").reason == "Terminating"
    world.change()
    assert world.weight == 0, "nobody is sent to pods that are not ready"
    world.not_ready = set()
    world.change()
    assert shares(world) == [("canaryupstream", 100)], "what goes with the Canary is not named any more"
    assert world.status.waiting_for == "gateway"
    world.change()
    assert world.phase is Phase.TERMINATED
    assert world.phases[-2:] == [Phase.TERMINATING, Phase.TERMINATED]
    texts = ["Terminating canary podinfo.test", "Routing all traffic to Deployment podinfo.test"]
    assert [text for text in world.told if text in texts] == texts
    assert world.told[-2:] == [STAYS, "Terminated canary podinfo.test"]
    assert world.condition("Promoted").message == "Canary deleted, Deployment restored."


def test_the_conditions_of_a_deletion_say_what_is_going_on() -> None:
    world = at_rest()
    world.not_ready = {"target"}
    world.delete()
    assert world.condition("Promoted").message == "Canary deleted, restoring the Deployment."
    assert world.condition("Promoted").reason == "Terminating"
    world.tick()
    assert world.condition().message.startswith("canary not ready during finalizing: ")


def test_the_target_is_made_as_big_as_the_primary_before_it_carries_everybody() -> None:
    world = progressing()
    world.item["spec"]["revertOnDeletion"] = True
    assert world.target is not None
    assert world.primary is not None
    world.target["spec"]["replicas"], world.primary["spec"]["replicas"] = 1, 5
    world.delete()
    assert world.canary_replicas == 5


def test_a_bigger_target_keeps_its_size() -> None:
    world = progressing()
    world.item["spec"]["revertOnDeletion"] = True
    assert world.target is not None
    world.target["spec"]["replicas"] = 7
    world.delete()
    assert world.canary_replicas == 7


def test_nothing_is_let_go_before_the_routes_are_in_force_and_drained() -> None:
    world = at_rest()
    world.rules = world.rules.model_copy(update={"drain": 15})
    world.verdict = "Pending"
    world.delete()
    world.change()
    world.tick(3)
    assert world.phase is Phase.TERMINATING
    world.says("Accepted")
    world.tick(2)
    assert world.phase is Phase.TERMINATING
    world.tick()
    assert (world.phase, world.status.restored) == (Phase.TERMINATED, True)


def _pushed(world: World, hooks: dict[str, bool] | None = None, ticks: int = 2) -> World:
    world.until(Phase.INITIALIZED)
    world.hooks |= hooks or {}
    world.push("podinfo:2")
    world.tick(ticks)
    return world


def _failed_promotion() -> World:
    world = _pushed(reverting())
    world.until(Phase.PROMOTING)
    world.not_ready = {"primary"}
    world.wait(DEADLINE + 1)
    world.tick()
    assert world.status.returning is not None
    return world


def _failed() -> World:
    world = _pushed(reverting())
    world.command("abort")
    world.tick(2)
    return world


def _suspended() -> World:
    world = _pushed(reverting())
    world.edit(suspend=True)
    world.tick()
    return world


def _invalid() -> World:
    world = _pushed(reverting())
    world.edit_analysis(stepWeight=0)
    return world


STORIES: dict[str, Callable[[], World]] = {
    "idle": at_rest,
    "initialising": reverting,
    "waiting": lambda: _pushed(reverting({"webhooks": [hook("confirm-rollout")]}), {"confirm-rollout": False}),
    "with users": lambda: _pushed(reverting()),
    "promotion gate": lambda: _pushed(
        reverting({"webhooks": [hook("confirm-promotion")]}), {"confirm-promotion": False}
    ),
    "a/b": lambda: _pushed(World({**ab_testing(), "revertOnDeletion": True, "progressDeadlineSeconds": 60})),
    "promoting": lambda: _pushed(reverting({"stepWeightPromotion": 20}), {}, 4),
    "failed promotion": _failed_promotion,
    "failed": _failed,
    "suspended": _suspended,
    "invalid": _invalid,
}


@pytest.mark.parametrize("name", STORIES)
def test_it_ends_with_the_target_serving_from_wherever_it_was(name: str) -> None:
    world = STORIES[name]()
    if name == "initialising":
        world.tick(2)
    before = copy.deepcopy(world.item["spec"])
    world.delete()
    for _ in range(4):
        world.tick()
    assert (world.phase, world.status.restored) == (Phase.TERMINATED, True), world.told[-3:]
    assert world.canary_replicas >= 2
    assert shares(world) == [("canaryupstream", 100)]
    assert world.item["spec"] == before
    asked = len(world.asked)
    assert not world.tick().changed
    assert len(world.asked) == asked, "ticks of a deleted Canary only finalise"


@pytest.mark.parametrize("kind", ["DaemonSet", "Service"])
def test_targets_of_other_kinds_are_returned_to_as_well(kind: str) -> None:
    world = World(of_kind(kind, {**weighted(), "revertOnDeletion": True})).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick()
    world.delete()
    world.tick(3)
    assert (world.phase, world.status.restored) == (Phase.TERMINATED, True), world.told[-3:]
    assert world.target is not None
    assert not is_parked(world.target)
    assert shares(world) == [("canaryupstream", 100)]


@pytest.mark.parametrize("name", STORIES)
def test_a_worker_that_dies_after_any_commit_of_a_deletion_is_followed_by_one_that_goes_on(name: str) -> None:
    world = STORIES[name]()
    if name == "initialising":
        world.tick(2)
    world.delete(finalizers=("finalizer.flagger.app",))
    for number in range(12):
        world.tick(project=bool(number % 2))
    assert (world.phase, world.status.restored) == (Phase.TERMINATED, True), world.told[-3:]
    assert shares(world) == [("canaryupstream", 100)]


def test_people_are_warned_when_the_target_runs_what_was_never_promoted() -> None:
    world = _failed()
    world.delete()
    text = "Deployment podinfo.test runs a revision that was not promoted; users get it when its pods are ready"
    assert text in world.told
    world = at_rest()
    world.delete()
    assert text not in world.told


def test_commands_are_refused_while_it_goes() -> None:
    world = at_rest()
    world.delete()
    decision = world.command("promote")
    assert decision.reply is not None
    assert decision.reply.message == "promote refused: the Canary is being deleted"


def test_a_push_during_the_deletion_starts_nothing() -> None:
    world = at_rest()
    world.not_ready = {"target"}
    world.delete()
    world.push("podinfo:2")
    assert world.phase is Phase.TERMINATING
    assert world.primary_image == "podinfo:1"


@pytest.mark.parametrize("phase", ["Succeeded", "Failed", "Progressing", "Terminating"])
def test_the_peers_canary_is_reverted_by_us_even_if_it_was_never_seen_before(phase: str) -> None:
    seen = at_rest()
    world = reverting()
    world.target, world.primary, world.route = seen.target, seen.primary, seen.route
    for item in (world.target, world.primary, world.route):
        assert item is not None
        item["metadata"].pop("annotations")
    status = {"phase": phase, "lastAppliedSpec": "5f7b6c8d9", "lastPromotedSpec": "5f7b6c8d9"}
    world.item["status"] = status | {"conditions": [], "lastTransitionTime": "2025-12-31T00:00:00Z"}
    world.delete()
    world.tick(3)
    assert (world.phase, world.status.restored) == (Phase.TERMINATED, True)
    assert shares(world) == [("canaryupstream", 100)]


def test_a_deletion_that_replays_gives_the_same_decision() -> None:
    world = at_rest()
    world.not_ready = {"target"}
    world.delete()
    tick = Tick(namespace="test", name="podinfo", uid="u", slot=world.now, interval=10)
    canary, seen = world.look(tick)
    assert step(canary, seen) == step(canary, type(seen).model_validate_json(seen.model_dump_json()))
