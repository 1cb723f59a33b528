"""Pods that users wait on are kept as they are, and what the target's spec said before comes back to the letter."""

from __future__ import annotations

import json
from typing import Any

import pytest

from handlers.core import freezing
from handlers.core.kinds import KINDS
from schemas.canary import Canary
from schemas.status import CanaryStatus, Phase, Reason, Returning
from schemas.workload import FROZEN, Workload
from tests.handlers.core import shapes
from tests.handlers.core.kinds.making import canary, made, made_again, source
from tests.handlers.core.manifests import weighted
from tests.handlers.core.world import World

ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 2}}
WRITTEN: dict[str, dict[str, Any]] = {"Deployment": {}, "DaemonSet": {"updateStrategy": ROLLING}}


def target(kind: str, **spec: Any) -> dict[str, Any]:
    """At rest, as its controller sees it."""
    item = shapes.make(kind)
    item["spec"] |= spec
    item["status"] = shapes.status(item, good=None, stuck=False)
    return item


def left_on(item: dict[str, Any]) -> Canary:
    """Its promotion has failed, and users are on the target."""
    back = Returning(phase=Phase.FAILED, reason=Reason.PROMOTION_FAILED)
    status = CanaryStatus(phase=Phase.PROMOTING, canary_weight=50, returning=back)
    return canary(item).model_copy(update={"status": status})


def written(item: dict[str, Any], now: Canary) -> dict[str, Any]:
    """As the API server has it after the next turn."""
    marks, spec = freezing.turned(now, Workload(item))
    return shapes.merge(item, {"metadata": {"annotations": marks}, "spec": spec})


@pytest.mark.parametrize("kind", WRITTEN)
def test_what_its_user_wrote_is_kept_beside_it_and_comes_back_to_the_letter(kind: str) -> None:
    item = target(kind, **WRITTEN[kind])
    frozen = written(item, left_on(item))
    assert shapes.is_frozen(frozen)
    assert Workload(frozen).spec == item["spec"]
    assert Workload(frozen).revision() == Workload(item).revision()
    assert written(frozen, left_on(item)) == frozen, "once is enough"
    thawed = written(frozen, canary(item))
    assert thawed["spec"] == item["spec"]
    assert FROZEN not in thawed["metadata"]["annotations"]


def test_a_rollout_that_its_user_has_paused_goes_on_when_he_says_so() -> None:
    item = target("Deployment", paused=True)
    assert freezing.turned(left_on(item), Workload(item)) == ({}, {})
    assert freezing.turned(canary(item), Workload(item)) == ({}, {})


@pytest.mark.parametrize("kind", WRITTEN)
@pytest.mark.parametrize("behind", [{"observedGeneration": 0}, {"updatedReplicas": 1, "updatedNumberScheduled": 1}])
def test_pods_that_are_being_replaced_are_let_go_on(kind: str, behind: dict[str, int]) -> None:
    item = target(kind, **WRITTEN[kind])
    item["status"] |= behind
    assert freezing.turned(left_on(item), Workload(item)) == ({}, {})


def test_a_service_has_no_pods_to_keep() -> None:
    item = shapes.make("Service")
    assert freezing.turned(left_on(item), Workload(item)) == ({}, {})


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_a_note_that_nobody_can_read_undoes_nothing(text: str) -> None:
    item = target("Deployment")
    item["metadata"]["annotations"] = {FROZEN: text}
    assert Workload(item).frozen is None
    assert Workload(item).spec == item["spec"]


def test_pods_are_kept_for_users_while_the_primary_gets_a_revision_or_goes_back_from_it_and_at_no_other_time() -> None:
    back = Returning(phase=Phase.FAILED)
    left = CanaryStatus(phase=Phase.PROMOTING, canary_weight=50, returning=back)
    assert freezing.freezes(left)
    assert freezing.freezes(CanaryStatus(phase=Phase.FAILED, canary_weight=100)), "by the peer"
    assert freezing.freezes(left.model_copy(update={"returning": None}))
    for other in ({"canary_weight": 0}, {"phase": Phase.PROGRESSING}, {"phase": Phase.FINALISING}):
        assert not freezing.freezes(left.model_copy(update=other))


def test_a_frozen_daemonset_is_no_invalid_one_and_its_primary_rolls_as_ever() -> None:
    item = target("DaemonSet", updateStrategy=ROLLING)
    frozen = written(item, left_on(item))
    assert list(KINDS["DaemonSet"].problems(canary(frozen), Workload(frozen), source(frozen).rules)) == []
    new = made(item)
    assert made_again(new, frozen)["spec"]["updateStrategy"] == ROLLING


def test_people_are_told_what_waits_until_it_does_so_no_more() -> None:
    world = World(weighted(stepWeight=50)).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.until(Phase.PROMOTING)
    world.not_ready = {"primary"}
    world.tick()
    world.command("abort")
    world.push("podinfo:3")
    assert world.target is not None
    assert json.loads(world.target["metadata"]["annotations"][FROZEN]) == {"paused": None}
    assert world.condition().message.endswith(
        "; Deployment podinfo.test is frozen until its users have left it, what is pushed meanwhile waits"
    )
    world.not_ready = set()
    world.until(Phase.SUCCEEDED)
    assert "frozen" not in world.condition().message
    assert not shapes.is_frozen(world.target)
