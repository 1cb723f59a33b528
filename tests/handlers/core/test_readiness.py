"""Ready enough: the table of a Deployment's readiness (spec targets 3.1), and the thresholds of both sides."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from schemas.base import format_time
from schemas.status import Phase
from schemas.workload import Readiness, Workload
from tests.handlers.core import shapes
from tests.handlers.core.cluster import START
from tests.handlers.core.manifests import podinfo, weighted
from tests.handlers.core.shapes import of_kind
from tests.handlers.core.world import World

DEADLINE = 60
PROGRESSING = {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}
WAITING = "waiting for rollout to finish: "


def rolled(*, generation: int = 1, lost: float | None = None, **status: Any) -> Workload:
    """Four pods wanted; ``lost``: for how many seconds they have not been available enough."""
    item = podinfo()
    item["metadata"]["generation"] = generation
    item["spec"]["replicas"] = 4
    conditions = [PROGRESSING]
    if lost is not None:
        since = format_time(START - timedelta(seconds=lost))
        gone = {"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable"}
        conditions.append({**gone, "lastUpdateTime": since})
    whole = {"observedGeneration": 1, "replicas": 4, "updatedReplicas": 4, "availableReplicas": 4}
    return Workload({**item, "status": {**whole, "conditions": conditions, **status}})


def found(workload: Workload, threshold: int = 100) -> Readiness:
    return workload.readiness(threshold=threshold, deadline=DEADLINE, now=START)


@pytest.mark.parametrize(
    ("workload", "threshold", "message"),
    [
        (rolled(), 100, ""),
        (rolled(generation=2), 100, WAITING + "observed deployment generation less than desired generation"),
        (rolled(updatedReplicas=3), 50, WAITING + "3 out of 4 new replicas have been updated"),
        (rolled(replicas=5), 100, WAITING + "1 old replicas are pending termination"),
        (rolled(availableReplicas=3), 100, WAITING + "3 of 4 (readyThreshold 100%) updated replicas are available"),
        (rolled(availableReplicas=2), 75, WAITING + "2 of 4 (readyThreshold 75%) updated replicas are available"),
        (rolled(availableReplicas=3), 75, ""),
        (rolled(availableReplicas=2), 74, ""),
    ],
)
def test_a_deployment_is_ready_when_enough_of_its_new_pods_are(
    workload: Workload, threshold: int, message: str
) -> None:
    assert found(workload, threshold) == Readiness(not message, False, message)


@pytest.mark.parametrize(("lost", "stuck"), [(None, False), (60, False), (61, True)])
@pytest.mark.parametrize("status", [{"updatedReplicas": 3}, {"replicas": 5}, {"availableReplicas": 3}])
def test_waiting_ends_when_a_deployment_has_not_been_available_for_the_deadline(
    status: dict[str, int], lost: float | None, stuck: bool
) -> None:
    assert found(rolled(lost=lost, **status)).stuck is stuck


@pytest.mark.parametrize(("waited", "stuck"), [(60, False), (61, True), (600, True)])
def test_nobody_waits_shorter_for_pods_because_others_were_missing_before(waited: float, stuck: bool) -> None:
    since = START - timedelta(seconds=waited)
    workload = rolled(lost=300, availableReplicas=3)
    assert workload.readiness(threshold=100, deadline=DEADLINE, now=START, since=since).stuck is stuck


def test_a_deployments_own_deadline_ends_it_at_once() -> None:
    late = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    words = 'deployment "podinfo" exceeded its progress deadline'
    assert found(rolled(conditions=[late])) == Readiness(False, True, words)


# ---- the thresholds


def with_room(kind: str, role: str, pods: int, **analysis: int) -> World:
    """At weight 25, where only so many pods of one side find a place to run."""
    world = World(of_kind(kind, weighted(**analysis))).until(Phase.INITIALIZED)
    world.room = {role: pods}
    world.push("podinfo:2")
    world.tick(3)
    return world


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet"])
@pytest.mark.parametrize(("role", "field"), [("target", "canaryReadyThreshold"), ("primary", "primaryReadyThreshold")])
def test_a_side_that_is_as_ready_as_its_own_threshold_asks_for_holds_nobody_up(
    kind: str, role: str, field: str
) -> None:
    size = shapes.NODES if kind == "DaemonSet" else 2
    assert max(with_room(kind, role, 1, **{field: 100 // size}).weights) > 0
    held = with_room(kind, role, 1, **{field: 100})
    assert held.weights == [0]
    assert f"1 of {size} (readyThreshold 100%)" in held.condition().message


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet"])
@pytest.mark.parametrize(("role", "other"), [("target", "primaryReadyThreshold"), ("primary", "canaryReadyThreshold")])
def test_the_threshold_of_one_side_is_not_that_of_the_other(kind: str, role: str, other: str) -> None:
    assert with_room(kind, role, 1, **{other: 10}).weights == [0]


def test_a_service_is_ready_whatever_is_asked_for() -> None:
    world = World(of_kind("Service", weighted(canaryReadyThreshold=100))).until(Phase.INITIALIZED)
    world.not_ready, world.room = {"target", "primary"}, {"target": 0}
    world.push("podinfo:2")
    world.until(Phase.SUCCEEDED)
    assert "NotReady" not in world.reasons
