"""What is not taken as it is written is said once for each edit, with the remedy, and does not stop anybody."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from handlers.core.explain import explain
from handlers.core.remarks import remarks
from schemas.canary import Canary
from schemas.events import ChangeReason
from schemas.status import Phase
from tests.handlers.core.manifests import SUCCESS_RATE, ab_testing, hook, stepped, weighted
from tests.handlers.core.world import World

MINUTE = "spec.analysis.interval: '1min' is not a duration, a minute is taken; write it as 30s, 1m or 1m30s"


def found(spec: dict[str, Any]) -> tuple[str, ...]:
    return remarks(Canary.from_object({"metadata": {"name": "podinfo"}, "spec": spec}))


@pytest.mark.parametrize(
    ("spec", "field", "remedy"),
    [
        (weighted(interval="1min"), "spec.analysis.interval: '1min'", "write it as 30s"),
        (weighted() | {"progressDeadlineSeconds": 0}, "spec.progressDeadlineSeconds: 0", "600 is taken"),
        (weighted(primaryReadyThreshold=150), "spec.analysis.primaryReadyThreshold: 150", "100 is taken; use 0 to 100"),
        (weighted(canaryReadyThreshold=-1), "spec.analysis.canaryReadyThreshold: -1", "0 is taken; use 0 to 100"),
        (stepped(50, 20), "spec.analysis.stepWeights: [50, 20]", "[20] are left out; sort them"),
        (ab_testing(match=[{"sourceLabels": {"a": "b"}}]), "spec.analysis.match: no item", "give headers to one"),
        (
            weighted(metrics=[{"name": "mine", "templateRef": {"name": "t"}, "interval": "1min"}]),
            "spec.analysis.metrics[0].interval: '1min'",
            "write it as 30s",
        ),
        (
            weighted(webhooks=[hook("rollout"), hook("rollout", timeout="1min")]),
            "spec.analysis.webhooks[1].timeout: '1min'",
            "ten seconds are taken; write it as 30s",
        ),
        (weighted(webhooks=[hook("event", url="gate")]), "spec.analysis.webhooks[0].url: 'gate'", "start it with http"),
    ],
)
def test_a_field_is_named_with_what_is_taken_and_the_remedy(spec: dict[str, Any], field: str, remedy: str) -> None:
    (remark,) = found(spec)
    assert remark.startswith(field)
    assert remedy in remark


@pytest.mark.parametrize(
    "spec",
    [
        weighted(interval="0s", metrics=[SUCCESS_RATE], webhooks=[hook("rollout", timeout="5s")]),
        stepped(10, 50, 120),
        ab_testing(match=[{"headers": {"a": {"exact": "b"}}}, {}]),
        weighted(canaryReadyThreshold=0),
        # refused, which is told elsewhere
        weighted(metrics=[{**SUCCESS_RATE, "interval": "1min"}], webhooks=[hook("rollout", url="gate")]),
        weighted(webhooks=[hook("later")]),
    ],
)
def test_there_is_nothing_to_remark_on_what_is_taken_as_it_is_or_refused(spec: dict[str, Any]) -> None:
    assert found(spec) == ()


def test_it_is_told_once_for_each_edit_and_a_deletion_is_none() -> None:
    world = World(weighted(interval="1min", metrics=[SUCCESS_RATE])).until(Phase.INITIALIZED)
    assert world.told.count(MINUTE) == 1
    assert [notice.type for notice in world.notices if notice.message == MINUTE] == ["Warning"]
    world.push("podinfo:2")
    world.until(Phase.SUCCEEDED)
    assert world.told.count(MINUTE) == 1
    world.edit_analysis(threshold=7)
    world.change(ChangeReason.SPEC)
    assert world.told.count(MINUTE) == 2
    world.delete()
    assert world.told.count(MINUTE) == 2


def test_whoever_asks_why_is_told_it_too() -> None:
    world = World(weighted(interval="1min")).until(Phase.INITIALIZED)
    assert explain(Canary.from_object(copy.deepcopy(world.item)), 10).remarks == (MINUTE,)
    plain = World(weighted()).until(Phase.INITIALIZED)
    assert "remarks" not in explain(Canary.from_object(copy.deepcopy(plain.item)), 10).to_wire()


def test_more_than_all_of_the_pods_are_all_of_them() -> None:
    world = World(weighted(primaryReadyThreshold=150, canaryReadyThreshold=150)).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    assert world.until(Phase.SUCCEEDED).phase is Phase.SUCCEEDED


def test_a_deadline_of_no_time_is_the_usual_one() -> None:
    world = World(weighted() | {"progressDeadlineSeconds": 0}).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    assert world.until(Phase.SUCCEEDED).phase is Phase.SUCCEEDED
