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
