from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deploy.sandbox.kubelet.status import ContainerReport, Running, Terminated, Waiting, phase, pod_status
from handlers.adapters.kube import Object

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = START + timedelta(seconds=30)
RUNNING = ContainerReport("app", "podinfo:1", state=Running(START), ready=True, started=True, id="process://1")
PULLING = ContainerReport("app", "podinfo:1", state=Waiting("ErrImagePull", "not found"))


def ended(code: int) -> ContainerReport:
    return replace(RUNNING, state=Terminated(code, START, LATER), ready=False)


def status(*reports: ContainerReport, before: Object | None = None, **spec: Any) -> Object:
    pod = {"metadata": {}, "spec": spec, "status": before or {}}
    return pod_status(pod, reports, "10.5.0.1", START, LATER)


def conditions(of: Object) -> dict[str, str]:
    return {condition["type"]: condition["status"] for condition in of["conditions"]}


@pytest.mark.parametrize(
    ("reports", "policy", "expected"),
    [
        ([RUNNING], "Always", "Running"),
        ([PULLING], "Always", "Pending"),
        ([RUNNING, PULLING], "Always", "Pending"),
        ([ended(0)], "Always", "Running"),
        ([ended(1)], "Always", "Running"),
        ([ended(0)], "Never", "Succeeded"),
        ([ended(0), ended(1)], "Never", "Failed"),
        ([ended(0), RUNNING], "Never", "Running"),
        ([ended(0)], "OnFailure", "Succeeded"),
        ([ended(1)], "OnFailure", "Running"),
    ],
)
def test_the_phase_follows_the_containers(reports: list[ContainerReport], policy: str, expected: str) -> None:
    assert phase(reports, policy) == expected


def test_a_ready_pod_has_every_condition_and_its_address() -> None:
    found = status(RUNNING)
    assert set(conditions(found).values()) == {"True"}
    assert {"PodScheduled", "Initialized", "ContainersReady", "Ready"} <= set(conditions(found))
    assert (found["podIP"], found["podIPs"]) == ("10.5.0.1", [{"ip": "10.5.0.1"}])
    assert found["startTime"] == "2026-01-01T12:00:00Z"
    assert found["containerStatuses"][0]["state"] == {"running": {"startedAt": "2026-01-01T12:00:00Z"}}


def test_one_unready_container_makes_the_pod_unready_and_is_named() -> None:
    found = status(RUNNING, replace(RUNNING, name="sidecar", ready=False))
    ready = next(condition for condition in found["conditions"] if condition["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "ContainersNotReady")
    assert ready["message"] == "containers with unready status: [sidecar]"


def test_a_condition_keeps_its_time_until_its_status_changes() -> None:
    old = "2025-12-24T00:00:00Z"
    before = {
        "conditions": [
            {"type": "Ready", "status": "False", "lastTransitionTime": old},
            {"type": "PodScheduled", "status": "True", "lastTransitionTime": old},
        ]
    }
    times = {entry["type"]: entry["lastTransitionTime"] for entry in status(RUNNING, before=before)["conditions"]}
    assert times["PodScheduled"] == old
    assert times["Ready"] == "2026-01-01T12:00:30Z"


def test_a_readiness_gate_of_somebody_else_is_awaited_and_kept() -> None:
    gate = "example.com/in-load-balancer"
    gates = [{"conditionType": gate}]
    closed = status(RUNNING, readinessGates=gates)
    assert (conditions(closed)["ContainersReady"], conditions(closed)["Ready"]) == ("True", "False")
    given = {"conditions": [{"type": gate, "status": "True"}]}
    opened = conditions(status(RUNNING, readinessGates=gates, before=given))
    assert (opened["Ready"], opened[gate]) == ("True", "True")


def test_an_image_that_cannot_be_pulled_is_a_waiting_container() -> None:
    report = status(PULLING)["containerStatuses"][0]
    assert report["state"] == {"waiting": {"reason": "ErrImagePull", "message": "not found"}}
    assert (report["ready"], report["containerID"], report["restartCount"]) == (False, "", 0)


def test_a_crash_shows_in_the_last_state() -> None:
    crash = Terminated(1, START, LATER)
    report = status(replace(RUNNING, state=Waiting("CrashLoopBackOff"), last=crash, restarts=2))["containerStatuses"][0]
    assert report["lastState"]["terminated"]["exitCode"] == 1
    assert report["lastState"]["terminated"]["reason"] == "Error"
    assert report["restartCount"] == 2
