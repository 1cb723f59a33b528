"""Why pods do not become ready, as people should read it."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.core.pods import overdue, trouble_of
from schemas.workload import Workload
from tests.handlers.core.manifests import podinfo
from tests.handlers.core.rollouts import DEADLINE, progressing

WORKLOAD = Workload(podinfo())
KILLED = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
CRASHED = {"terminated": {"reason": "Error", "exitCode": 1}}


def pod(name: str = "podinfo-1", created: str = "2026-01-01T00:00:01Z", **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "creationTimestamp": created}, "status": status}


def running(state: dict[str, Any], *, last: dict[str, Any] | None = None, ready: bool = False) -> dict[str, Any]:
    container = {"name": "app", "image": "podinfo:9", "ready": ready, "state": state, "lastState": last or {}}
    return pod(containerStatuses=[container])


def waiting(reason: str, message: str = "", last: dict[str, Any] | None = None) -> dict[str, Any]:
    return running({"waiting": {"reason": reason, "message": message}}, last=last)


UNSCHEDULABLE = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/3 nodes are available:\n3 Insufficient cpu.",
}
INIT = {"name": "migrate", "image": "m:1", "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": CRASHED}


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (waiting("ErrImagePull", "rpc error: not found"), "ImagePullBackOff, image podinfo:9 of container app"),
        (waiting("ImagePullBackOff", "Back-off pulling"), "ImagePullBackOff, image podinfo:9 of container app"),
        (waiting("InvalidImageName", "couldn't parse"), "InvalidImageName: couldn't parse, container app"),
        (
            waiting("CreateContainerConfigError", 'configmap "x" not found'),
            'CreateContainerConfigError: configmap "x" not found, container app',
        ),
        (
            waiting("CrashLoopBackOff", last=KILLED),
            "CrashLoopBackOff, container app ends with OOMKilled, exit code 137",
        ),
        (running({"running": {}}, last=KILLED), "CrashLoopBackOff, container app ends with OOMKilled, exit code 137"),
        (running(CRASHED), "CrashLoopBackOff, container app ends with Error, exit code 1"),
        (running({"running": {}}), "container app runs and does not become ready"),
        (pod(conditions=[UNSCHEDULABLE]), "Unschedulable: 0/3 nodes are available: 3 Insufficient cpu."),
        (pod(reason="Evicted", message="low on memory"), "Evicted: low on memory"),
        (pod(initContainerStatuses=[INIT]), "CrashLoopBackOff, container migrate ends with Error, exit code 1"),
    ],
)
def test_a_pods_trouble_is_told_with_its_name(found: dict[str, Any], words: str) -> None:
    assert trouble_of(WORKLOAD, [found]) == f"pod podinfo-1: {words}"


@pytest.mark.parametrize(
    "found", [pod(), waiting("ContainerCreating"), waiting("PodInitializing"), running({"running": {}}, ready=True)]
)
def test_a_pod_on_its_way_or_ready_has_none(found: dict[str, Any]) -> None:
    assert trouble_of(WORKLOAD, [found]) == ""


def test_the_newest_pod_that_stays_speaks() -> None:
    going = pod("going", "2026-01-01T00:00:09Z", reason="Evicted")
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:10Z"
    old, new = pod("old", "2026-01-01T00:00:01Z", reason="Evicted"), pod("new", "2026-01-01T00:00:02Z", reason="Lost")
    assert trouble_of(WORKLOAD, [old, going, new]) == "pod new: Lost"


def test_a_controller_that_may_make_no_pods_says_why() -> None:
    quota = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota: small"}
    found = Workload(podinfo() | {"status": {"conditions": [quota]}})
    assert trouble_of(found, []) == "FailedCreate: exceeded quota: small"


def test_pods_are_looked_at_only_past_the_deadline() -> None:
    world = progressing(0)
    world.not_ready = {"target"}
    world.push("podinfo:3")
    world.tick(DEADLINE // 10)
    assert overdue(*world.look_now()) == ()
    world.wait(10)
    assert [workload.name for workload in overdue(*world.look_now())] == ["podinfo"]
