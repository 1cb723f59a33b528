"""Names that change when something is in the way: a gate, workloads that are gone, routes that are refused."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.core import validate
from handlers.core.observation import Observation
from schemas.canary import Canary
from schemas.events import Stimulus
from schemas.status import Phase
from tests.handlers.core.manifests import hook, podinfo, weighted
from tests.handlers.core.switched import arrived, left
from tests.handlers.core.world import World

OTHER = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "other"}
SERVICE = {"port": 9898, "name": "podinfo"}


def other() -> dict[str, Any]:
    item = podinfo("other:1")
    item["metadata"]["name"] = "other"
    return item


class TwoTargets(World):
    """The spec names another target than the one in force."""

    asked_target: Any = None

    def observe(self, canary: Canary, stimulus: Stimulus) -> Observation:
        seen = super().observe(canary, stimulus)
        if canary.asked is None:
            return seen
        seen = seen.model_copy(update={"asked_target": self.asked_target})
        found = {"problems": validate.problems(canary, seen), "obstacles": validate.obstacles(canary, seen)}
        return seen.model_copy(update=found)


def at_rest(world: World) -> World:
    world.until(Phase.INITIALIZED).tick(2)
    return world


@pytest.mark.parametrize("adopted", [True, False])
def test_a_revision_that_waits_for_its_gate_is_analysed_under_the_new_names(adopted: bool) -> None:
    spec = weighted(webhooks=[hook("confirm-rollout")])
    world = arrived(left("Succeeded", spec)) if adopted else at_rest(World(spec))
    world.tick(3)
    world.hooks["confirm-rollout"] = False
    world.push("podinfo:7")
    world.tick(2)
    assert world.phase is Phase.WAITING
    world.edit(service={"port": 9899})
    world.hooks["confirm-rollout"] = True
    world.until(Phase.SUCCEEDED)
    assert world.primary_image == "podinfo:7"


def test_a_target_that_is_gone_with_its_primary_is_left_for_the_one_that_is_asked_for() -> None:
    world = TwoTargets()
    at_rest(world)
    world.asked_target = other()
    world.target = world.primary = None
    world.edit(targetRef=OTHER, service=SERVICE)
    assert world.phase is Phase.INITIALIZING
    assert world.status.names is not None
    assert world.status.names.target == "other"


def test_names_whose_routes_are_refused_are_left_for_those_that_are_asked_for() -> None:
    world = at_rest(World())
    world.says("Rejected")
    world.change()
    world.edit(service={"port": 9898, "name": "web"})
    assert world.phase is Phase.INITIALIZING
    world.says("Accepted")
    world.until(Phase.INITIALIZED)
    assert world.status.names is not None
    assert world.status.names.service == "web"


def test_names_that_wait_for_the_old_ones_say_so_once() -> None:
    world = at_rest(World())
    world.primary = None
    before = len(world.told)
    world.edit(service={"port": 9899})
    ready = world.condition()
    assert (ready.status, ready.reason) == ("True", "Renamed")
    assert ready.message == (
        "spec.service.port changed from 9898 to 9899: waiting for everything to be in place under the old names"
    )
    world.until(Phase.INITIALIZED)
    assert not any("waiting for everything" in text for text in world.told[before:])
    assert world.condition().status == "False"


def test_the_primary_of_another_target_has_the_size_of_that_target() -> None:
    world = World()
    world.until(Phase.INITIALIZED)
    world.tick(2)
    assert world.primary is not None
    world.primary["spec"]["replicas"] = 20
    world.push("podinfo:2")
    world.until(Phase.PROMOTING)
    assert world.target is not None
    world.target["spec"]["replicas"] = 20
    world.until(Phase.SUCCEEDED)
    world.tick(2)
    assert world.status.primary_replicas == 20
    world.edit(targetRef=OTHER, service=SERVICE)
    assert (world.phase, world.status.primary_replicas) == (Phase.INITIALIZING, 0)
    world.target, world.primary = other(), None
    world.until(Phase.INITIALIZED)
    own = world.look_now()[1].primary_workload
    assert own is not None
    assert own.replicas == 2


def test_a_primary_that_was_slow_under_the_new_names_is_not_the_gateways_delay() -> None:
    world = at_rest(World({"progressDeadlineSeconds": 60, **weighted()}))
    world.not_ready = {"primary"}
    world.edit(service={"port": 9899})
    world.tick(10)
    world.verdict = "Pending"
    world.not_ready = set()
    before = len(world.alerts)
    world.tick()
    world.change()
    assert world.alerts[before:] == []
    world.tick(7)
    assert [severity for severity, _ in world.alerts[before:]] == ["error"], "from here on it is"
