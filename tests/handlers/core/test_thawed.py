"""An apply of the target's manifest undoes what keeps its pods: it is kept again, and what was applied is not lost."""

from __future__ import annotations

import json
from typing import Any

import pytest

from handlers.core import freezing
from schemas.status import Phase
from schemas.workload import FROZEN, Workload
from tests.handlers.core import shapes
from tests.handlers.core.kinds.making import canary
from tests.handlers.core.manifests import weighted
from tests.handlers.core.test_freezing import ROLLING, left_on, target, written
from tests.handlers.core.world import World

OTHER = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
APPLIED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "Deployment": ({}, {"paused": False}),
    "DaemonSet": ({"updateStrategy": ROLLING}, {"updateStrategy": OTHER}),
}


def applied(kind: str) -> dict[str, Any]:
    """Frozen by us, then thawed by whoever applied its manifest; its pods are being replaced already."""
    before, named = APPLIED[kind]
    item = target(kind, **before)
    frozen = written(item, left_on(item))
    undone = {**frozen, "spec": {**frozen["spec"], **named}}
    undone["status"] = {**undone["status"], "observedGeneration": 0}
    return undone


@pytest.mark.parametrize("kind", APPLIED)
def test_it_is_frozen_again_and_gets_back_what_was_applied_last(kind: str) -> None:
    item = applied(kind)
    assert freezing.is_undone(left_on(item), Workload(item))
    again = written(item, left_on(item))
    assert shapes.is_frozen(again)
    assert not freezing.is_undone(left_on(again), Workload(again))
    assert written(again, left_on(again)) == again, "once is enough"
    assert json.loads(again["metadata"]["annotations"][FROZEN]) == APPLIED[kind][1]
    thawed = written(again, canary(item))
    assert thawed["spec"] == item["spec"]
    assert FROZEN not in thawed["metadata"]["annotations"]


@pytest.mark.parametrize("kind", APPLIED)
def test_what_was_applied_stays_when_users_leave_before_it_is_frozen_again(kind: str) -> None:
    item = applied(kind)
    assert Workload(item).spec == item["spec"]
    assert not freezing.is_undone(canary(item), Workload(item))
    thawed = written(item, canary(item))
    assert thawed["spec"] == item["spec"]
    assert FROZEN not in thawed["metadata"]["annotations"]


def test_a_half_that_was_edited_is_taken_over_without_taking_ours_for_the_users() -> None:
    item = target("DaemonSet", updateStrategy=ROLLING)
    frozen = written(item, left_on(item))
    frozen["spec"]["updateStrategy"] = {"type": "OnDelete", "rollingUpdate": OTHER["rollingUpdate"]}
    assert not freezing.is_undone(left_on(frozen), Workload(frozen)), "no pod is replaced by it"
    assert written(frozen, canary(item))["spec"]["updateStrategy"] == OTHER


def test_the_next_wake_freezes_it_again_also_when_the_canary_is_invalid() -> None:
    world = World(weighted()).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.until(Phase.PROMOTING)
    world.not_ready = {"primary"}
    world.tick()
    world.edit_analysis(stepWeight=0)
    assert world.target is not None
    world.target["spec"]["paused"] = False
    world.tick()
    assert shapes.is_frozen(world.target)
    world.push("podinfo:3")
    assert shapes.image_of(world.rolled) == "podinfo:2"
