"""A pod's status as a kubelet reports it: pure, from what its containers are doing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from handlers.adapters.kube import Object


def timestamp(moment: datetime) -> str:
    """As the API writes times: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Waiting:
    reason: str
    message: str = ""

    def as_dict(self) -> Object:
        return {"waiting": {"reason": self.reason} | ({"message": self.message} if self.message else {})}


@dataclass(frozen=True)
class Running:
    since: datetime

    def as_dict(self) -> Object:
        return {"running": {"startedAt": timestamp(self.since)}}


@dataclass(frozen=True)
class Terminated:
    """``code`` is the exit status as a shell says it: 128 + number for a signal."""

    code: int
    since: datetime
    until: datetime

    def as_dict(self) -> Object:
        return {
            "terminated": {
                "exitCode": self.code,
                "reason": "Error" if self.code else "Completed",
                "startedAt": timestamp(self.since),
                "finishedAt": timestamp(self.until),
            }
        }


State = Waiting | Running | Terminated


@dataclass(frozen=True)
class ContainerReport:
    """One container now. ``id`` is empty until it has run once."""

    name: str
    image: str
    state: State = Waiting("ContainerCreating")
    last: Terminated | None = None
    ready: bool = False
    started: bool = False
    restarts: int = 0
    id: str = ""

    def as_dict(self) -> Object:
        return {
            "name": self.name,
            "image": self.image,
            "imageID": self.image if self.id else "",
            "containerID": self.id,
            "ready": self.ready,
            "started": self.started,
            "restartCount": self.restarts,
            "state": self.state.as_dict(),
            "lastState": self.last.as_dict() if self.last else {},
        }


def phase(reports: Iterable[ContainerReport], restart_policy: str) -> str:
    """The rules of Kubernetes' pod lifecycle."""
    reports = list(reports)
    if restart_policy != "Always" and all(isinstance(report.state, Terminated) for report in reports):
        failed = any(isinstance(report.state, Terminated) and report.state.code for report in reports)
        if failed and restart_policy == "Never":
            return "Failed"
        if not failed:
            return "Succeeded"
    began = all(report.id for report in reports)
    return "Running" if began else "Pending"


def pod_status(
    pod: Object, reports: Sequence[ContainerReport], address: str, started: datetime, now: datetime
) -> Object:
    """The whole ``status`` that the kubelet owns; conditions of others are kept."""
    unready = [report.name for report in reports if not report.ready]
    current = phase(reports, pod["spec"].get("restartPolicy", "Always"))
    why = {}
    if current == "Succeeded":
        why = {"reason": "PodCompleted"}
    elif unready:
        why = {"reason": "ContainersNotReady", "message": f"containers with unready status: [{' '.join(unready)}]"}
    before = {condition["type"]: condition for condition in pod.get("status", {}).get("conditions", [])}
    gates = [gate["conditionType"] for gate in pod["spec"].get("readinessGates", [])]
    closed = [gate for gate in gates if before.get(gate, {}).get("status") != "True"]
    ready_why = why or ({"reason": "ReadinessGatesNotReady", "message": f"waiting for {closed}"} if closed else {})
    own = [
        _condition("PodReadyToStartContainers", True, {}, before, now),
        _condition("Initialized", True, {}, before, now),
        _condition("Ready", not unready and not closed, ready_why, before, now),
        _condition("ContainersReady", not unready, why, before, now),
        _condition("PodScheduled", True, {}, before, now),
    ]
    names = {condition["type"] for condition in own}
    return {
        "phase": current,
        "conditions": own + [condition for kind, condition in before.items() if kind not in names],
        "hostIP": "127.0.0.1",
        "hostIPs": [{"ip": "127.0.0.1"}],
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": timestamp(started),
        "containerStatuses": [report.as_dict() for report in sorted(reports, key=lambda report: report.name)],
        "qosClass": pod.get("status", {}).get("qosClass", "BestEffort"),
    }


def _condition(kind: str, met: bool, why: Mapping[str, str], before: Mapping[str, Object], now: datetime) -> Object:
    """``lastTransitionTime`` stays while the status does."""
    value = "True" if met else "False"
    old = before.get(kind, {})
    since = old.get("lastTransitionTime") if old.get("status") == value else None
    return {
        "type": kind,
        "status": value,
        "lastTransitionTime": since or timestamp(now),
        **({} if met else why),
    }
