"""Deletion: with revertOnDeletion users are brought back to the target, and it always ends; without, it is told."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from handlers.core.belongings import apex_selector, leads_here, left_behind, made
from handlers.core.desired import selectors
from handlers.core.step import step
from schemas.canary import Canary
from schemas.events import ChangeReason, Tick
from schemas.status import Phase
from schemas.workload import Workload
from tests.handlers.core.cluster import KEYS
from tests.handlers.core.manifests import ab_testing, hook, podinfo, weighted
from tests.handlers.core.rollouts import DEADLINE, progressing
from tests.handlers.core.shapes import is_parked, of_kind
from tests.handlers.core.world import World

STAYS = (
    "RouteTable podinfo, Upstream test-podinfo-canaryupstream-9898, Service podinfo-canary, Service podinfo stay "
    "behind and lead to Deployment podinfo.test; they are yours now"
)


def reverting(analysis: dict[str, Any] | None = None, **spec: Any) -> World:
    return World({**weighted(**(analysis or {})), "revertOnDeletion": True, "progressDeadlineSeconds": 60, **spec})


def at_rest(**spec: Any) -> World:
    return reverting(**spec).until(Phase.INITIALIZED)


def shares(world: World) -> list[tuple[str, int]]:
    return [
        (item["destination"]["upstream"]["name"].split("-")[2], item["weight"])
        for number in range(len(world.route["spec"]["routes"] if world.route else ()))
        for item in world.destinations(number)
    ]


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


def test_a_target_that_never_gets_ready_ends_the_deletion_after_its_deadline_and_takes_nothing_away() -> None:
    world = at_rest()
    world.not_ready = {"target"}
    world.delete()
    world.tick(5)
    assert world.phase is Phase.TERMINATING
    world.wait(DEADLINE)
    world.tick()
    assert (world.phase, world.status.restored, world.weight) == (Phase.TERMINATED, False, 0)
    text = next(text for text in world.told if "was not reverted within 60s" in text)
    assert "canary not ready during finalizing" in text
    assert "ControllerRevision podinfo-revert-on-deletion owns them now" in text
    assert world.alerts[-1] == ("error", text)
    assert world.condition("Promoted").message == "Canary deleted, Deployment left as it is."


def test_a_gateway_that_never_follows_ends_the_deletion_after_its_deadline_and_takes_nothing_away() -> None:
    world = at_rest()
    world.verdict = "Rejected"
    world.delete()
    world.change()
    world.wait(DEADLINE + 1)
    world.tick()
    assert (world.phase, world.status.restored) == (Phase.TERMINATED, False)
    assert "its words" in world.told[-2]


def test_a_gateway_that_never_reports_is_believed_after_a_while() -> None:
    world = reverting()
    world.verdict = None
    world.until(Phase.INITIALIZED)
    assert world.status.gateway_silent
    world.delete()
    world.tick(4)
    assert (world.phase, world.status.restored) == (Phase.TERMINATED, True)


@pytest.mark.parametrize("when", ["before", "while it is scaled up", "after its users are back"])
def test_a_target_that_is_gone_ends_the_deletion_at_once(when: str) -> None:
    """Application and Canary deleted together, or the whole namespace: nothing must hold it."""
    world = at_rest()
    if when == "before":
        world.target = None
    world.not_ready = {"target"}
    world.delete()
    if when == "after its users are back":
        world.verdict = "Pending"
        world.not_ready = set()
        world.change()
        assert world.status.returned
    world.target = None
    world.change()
    assert (world.phase, world.status.restored) == (Phase.TERMINATED, False)
    assert (
        "Deployment podinfo.test is gone: nothing to revert to, podinfo-primary.test goes with the Canary" in world.told
    )


def test_a_target_on_its_way_out_counts_as_gone() -> None:
    world = at_rest()
    assert world.target is not None
    world.target["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    world.delete()
    assert world.phase is Phase.TERMINATED


def test_a_canary_that_was_never_looked_at_goes_without_touching_anything() -> None:
    world = reverting()
    world.delete()
    assert world.phases == [Phase.TERMINATED]
    assert world.told == ["Terminating canary podinfo.test", "Terminated canary podinfo.test"]
    assert world.target == podinfo()


def test_the_younger_of_two_on_one_target_leaves_it_to_the_older() -> None:
    world = reverting()
    world.older_twin = "elder.test"
    world.tick()
    world.delete()
    assert world.phase is Phase.TERMINATED
    assert world.target == podinfo()


def test_a_missing_primary_is_not_made_again_for_a_canary_that_goes() -> None:
    world = at_rest()
    world.primary = None
    world.delete()
    world.tick(3)
    assert world.primary is None
    assert (world.phase, world.canary_replicas) == (Phase.TERMINATED, 1)


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


def test_a_finalizer_without_revert_on_deletion_holds_nothing_and_the_target_at_zero_is_told() -> None:
    """The peer may have left its finalizer behind."""
    world = World().until(Phase.INITIALIZED)
    world.delete()
    assert (world.phase, world.canary_replicas) == (Phase.TERMINATED, 0)
    assert world.told[-2].startswith(
        "Canary podinfo.test was deleted without revertOnDeletion: Deployment podinfo.test"
    )


def test_a_canary_that_does_not_wait_for_us_is_left_to_garbage_collection() -> None:
    world = progressing()
    world.delete(finalizers=("foregroundDeletion",))
    assert not world.change().changed
    assert not world.tick().changed
    assert (world.phase, world.weight, world.told[-1]) == (
        Phase.PROGRESSING,
        25,
        "Advance podinfo.test canary weight 25",
    )


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


def test_a_users_own_route_table_that_was_never_taken_over_is_left_alone() -> None:
    own = {
        "metadata": {"name": "podinfo", "namespace": "test", "resourceVersion": "1"},
        "spec": {"routes": [{"name": "mine"}]},
    }
    world = reverting()
    world.route = copy.deepcopy(own)
    world.not_ready = {"primary"}
    world.tick(2)
    assert world.phase is Phase.INITIALIZING
    world.delete()
    world.tick(3)
    assert (world.phase, world.status.restored) == (Phase.TERMINATED, True)
    assert world.route == own


def test_what_users_added_to_a_route_stays_when_it_leads_to_the_target() -> None:
    world = World({**ab_testing(), "revertOnDeletion": True}).until(Phase.INITIALIZED)
    assert world.route is not None
    world.route["spec"]["routes"][1]["options"] = {"timeout": "5s"}
    world.delete()
    world.tick(2)
    assert [sorted(route) for route in world.route["spec"]["routes"]] == [
        ["inheritablePathMatchers", "options", "routeAction"]
    ]


@pytest.mark.parametrize(
    ("applied", "expected"),
    [
        ("", {"app": "podinfo"}),
        ('{"spec": {"selector": {"app": "podinfo"}}}', {"app": "podinfo"}),
        ('{"spec": {"selector": {"app": "podinfo", "tier": "web"}}}', {"app": "podinfo", "tier": "web"}),
        ('{"spec": {"selector": {"app": "something-else"}}}', {"app": "podinfo"}),
        ("{broken", {"app": "podinfo"}),
        ("[]", {"app": "podinfo"}),
        ('{"spec": {"selector": ["app"]}}', {"app": "podinfo"}),
    ],
)
def test_the_apex_service_selects_the_targets_pods_again(applied: str, expected: dict[str, str]) -> None:
    item = podinfo()
    item["spec"]["template"]["metadata"]["labels"] = {"app": "podinfo", "tier": "web"}
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": applied} if applied else {}
    apex = {"metadata": {"annotations": annotations}, "spec": {"selector": {"app": "podinfo-primary"}}}
    assert apex_selector(apex, Workload(item), selectors(Workload(item), KEYS)) == expected


def test_an_apex_service_that_selects_something_else_is_nobody_of_ours() -> None:
    apex = {"metadata": {}, "spec": {"selector": {"app": "another"}}}
    target = Workload(podinfo())
    assert apex_selector(apex, target, selectors(target, KEYS)) is None


def test_routes_of_somebody_else_do_not_lead_here() -> None:
    world = at_rest()
    canary = Canary.from_object(world.item)
    assert world.route is not None
    assert leads_here(canary, world.route)
    others: list[list[Any]] = [[], [{"redirectAction": {}}], [{"routeAction": {"single": {"upstream": {"name": "x"}}}}]]
    for routes in others:
        assert not leads_here(canary, {"spec": {"routes": routes}})


def test_what_leads_to_the_target_stays_and_all_the_rest_goes() -> None:
    world = at_rest(autoscalerRef={"kind": "HorizontalPodAutoscaler", "name": "podinfo"})
    canary = Canary.from_object(world.item)
    gone = [str(place) for place in made(canary) if place not in left_behind(canary)]
    assert gone == [
        "Service podinfo-primary",
        "Upstream test-podinfo-primaryupstream-9898",
        "HorizontalPodAutoscaler podinfo-primary",
        "Deployment podinfo-primary",
    ]


def test_a_deletion_that_replays_gives_the_same_decision() -> None:
    world = at_rest()
    world.not_ready = {"target"}
    world.delete()
    tick = Tick(namespace="test", name="podinfo", uid="u", slot=world.now, interval=10)
    canary, seen = world.look(tick)
    assert step(canary, seen) == step(canary, type(seen).model_validate_json(seen.model_dump_json()))


def test_an_unreadable_field_does_not_hide_the_names_and_the_wish_to_revert() -> None:
    world = at_rest(service={"name": "web", "port": 80})
    world.edit(progressDeadlineSeconds="soon")
    canary = Canary.from_object(world.item)
    assert canary.problems
    assert (canary.service, canary.spec.service.port, canary.spec.revert_on_deletion) == ("web", 80, True)
    world.delete()
    world.tick(3)
    assert (world.phase, world.status.restored) == (Phase.TERMINATED, True)
    assert world.change(ChangeReason.DELETED).changed is False


def test_a_deletion_amid_two_edits_of_the_port_leads_those_routes_to_the_target_that_users_come_by() -> None:
    world = World({**weighted(), "revertOnDeletion": True}).until(Phase.INITIALIZED)
    world.not_ready = {"primary"}
    world.edit(service={"port": 9001})
    world.edit(service={"port": 9002})
    assert len(world.status.former) == 2
    world.delete()
    world.tick(3)
    assert world.phase is Phase.TERMINATED
    upstreams = [item["destination"]["upstream"]["name"] for item in world.destinations()]
    assert upstreams == ["test-podinfo-canaryupstream-9898"]
