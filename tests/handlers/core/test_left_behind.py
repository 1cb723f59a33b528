"""What a deleted Canary leaves behind leads to its target, and what is somebody else's stays as it is."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from handlers.core.belongings import apex_selector, leads_here, left_behind, made
from handlers.core.desired import selectors
from schemas.canary import Canary
from schemas.status import Phase
from schemas.workload import Workload
from tests.handlers.core.cluster import KEYS
from tests.handlers.core.manifests import ab_testing, podinfo, weighted
from tests.handlers.core.reverting import at_rest, reverting
from tests.handlers.core.world import World


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
