"""The printer columns of the built-in kinds."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .selectors import as_text

Object = dict[str, Any]
Cell = Callable[[Object, datetime.datetime], Any]


@dataclass(frozen=True)
class Column:
    """One column; those with a priority are shown with `-o wide` only."""

    name: str
    type: str
    cell: Cell
    format: str = ""
    priority: int = 0
    description: str = ""

    def definition(self) -> Object:
        return {
            "name": self.name, "type": self.type, "format": self.format,
            "description": self.description or self.name, "priority": self.priority,
        }  # fmt: skip


def human(seconds: float) -> str:
    """A span of time as kubectl writes it: 4m12s, 3h, 2d5h."""
    whole = max(0, int(seconds))
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return f"{minutes}m{whole % 60}s" if whole % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    return f"{days}d" if days < 730 else f"{days // 365}y"


def age(obj: Object, now: datetime.datetime) -> str:
    created = obj["metadata"].get("creationTimestamp")
    try:
        return human((now - datetime.datetime.fromisoformat(created)).total_seconds())
    except (TypeError, ValueError):
        return "<unknown>"


def _at(path: str, default: Any = None) -> Cell:
    steps = path.split(".")

    def cell(obj: Object, _: datetime.datetime) -> Any:
        value: Any = obj
        for step in steps:
            value = value.get(step) if isinstance(value, dict) else None
        return default if value is None else value

    return cell


def _containers(field: str) -> Cell:
    def cell(obj: Object, _: datetime.datetime) -> str:
        spec = obj["spec"].get("template", {}).get("spec", obj["spec"])
        return ",".join(container.get(field, "") for container in spec.get("containers") or ())

    return cell


def _selector(obj: Object, _: datetime.datetime) -> str:
    selector = obj["spec"].get("selector")
    if obj["kind"] == "Service":
        selector = {"matchLabels": selector} if selector else None
    return as_text(selector) or "<none>"


def _pod_ready(obj: Object, _: datetime.datetime) -> str:
    statuses = (obj.get("status") or {}).get("containerStatuses") or ()
    return f"{sum(1 for one in statuses if one.get('ready'))}/{len(obj['spec']['containers'])}"


def _pod_status(obj: Object, _: datetime.datetime) -> str:
    status = obj.get("status") or {}
    if "deletionTimestamp" in obj["metadata"]:
        return "Terminating"
    for one in status.get("containerStatuses") or ():
        for state in ("waiting", "terminated"):
            if reason := (one.get("state") or {}).get(state, {}).get("reason"):
                return str(reason)
    return str(status.get("reason") or status.get("phase") or "Unknown")


def _pod_restarts(obj: Object, _: datetime.datetime) -> int:
    return sum(one.get("restartCount", 0) for one in (obj.get("status") or {}).get("containerStatuses") or ())


def _ready_replicas(obj: Object, _: datetime.datetime) -> str:
    return f"{(obj.get('status') or {}).get('readyReplicas', 0)}/{obj['spec'].get('replicas', 1)}"


def _ports(obj: Object, _: datetime.datetime) -> str:
    return (
        ",".join(f"{port['port']}/{port.get('protocol', 'TCP')}" for port in obj["spec"].get("ports") or ()) or "<none>"
    )


def _slice_ports(obj: Object, _: datetime.datetime) -> str:
    return ",".join(str(port.get("port")) for port in obj.get("ports") or ()) or "<unset>"


def _slice_endpoints(obj: Object, _: datetime.datetime) -> str:
    return ",".join(one for end in obj.get("endpoints") or () for one in end["addresses"]) or "<unset>"


def _count(*fields: str) -> Cell:
    return lambda obj, _: sum(len(obj.get(field) or ()) for field in fields)


def _owner(obj: Object, _: datetime.datetime) -> str:
    for owner in obj["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            group = owner["apiVersion"].partition("/")[0] if "/" in owner["apiVersion"] else ""
            return f"{owner['kind'].lower()}{'.' + group if group else ''}/{owner['name']}"
    return "<none>"


def _event_object(obj: Object, _: datetime.datetime) -> str:
    about = obj.get("involvedObject") or {}
    return f"{about.get('kind', '').lower()}/{about.get('name', '')}"


def _event_seen(obj: Object, now: datetime.datetime) -> str:
    for field in ("lastTimestamp", "eventTime", "firstTimestamp"):
        if obj.get(field):
            return age({"metadata": {"creationTimestamp": obj[field]}}, now)
    return "<unknown>"


def _node_status(obj: Object, _: datetime.datetime) -> str:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    ready = next((one["status"] for one in conditions if one["type"] == "Ready"), "Unknown")
    return {"True": "Ready", "False": "NotReady"}.get(ready, "Unknown")


def _scale_target(obj: Object, _: datetime.datetime) -> str:
    target = obj["spec"].get("scaleTargetRef") or {}
    return f"{target.get('kind', '')}/{target.get('name', '')}"


def _scale_metrics(obj: Object, _: datetime.datetime) -> str:
    shown = []
    for metric in obj["spec"].get("metrics") or ():
        source = metric.get("resource") or {}
        percent = (source.get("target") or {}).get("averageUtilization")
        shown.append(f"{source.get('name', metric.get('type'))}: <unknown>/{percent}%" if percent else "<unknown>")
    return ", ".join(shown) or "<none>"


_AGE = Column("Age", "string", age)


def _number(name: str, path: str) -> Column:
    return Column(name, "integer", _at(path, 0))


def _text(name: str, path: str, priority: int = 0, default: str = "<none>") -> Column:
    return Column(name, "string", _at(path, default), priority=priority)


_WIDE = (
    Column("Containers", "string", _containers("name"), priority=1),
    Column("Images", "string", _containers("image"), priority=1),
    Column("Selector", "string", _selector, priority=1),
)
BUILT_IN: dict[str, tuple[Column, ...]] = {
    "Pod": (Column("Ready", "string", _pod_ready), Column("Status", "string", _pod_status),
            Column("Restarts", "string", _pod_restarts), _AGE, _text("IP", "status.podIP", 1),
            _text("Node", "spec.nodeName", 1), _text("Nominated Node", "status.nominatedNodeName", 1),
            Column("Readiness Gates", "string", lambda *_: "<none>", priority=1)),
    "Deployment": (Column("Ready", "string", _ready_replicas), _number("Up-to-date", "status.updatedReplicas"),
                   _number("Available", "status.availableReplicas"), _AGE, *_WIDE),
    "ReplicaSet": (_number("Desired", "spec.replicas"), _number("Current", "status.replicas"),
                   _number("Ready", "status.readyReplicas"), _AGE, *_WIDE),
    "DaemonSet": (_number("Desired", "status.desiredNumberScheduled"),
                  _number("Current", "status.currentNumberScheduled"),
                  _number("Ready", "status.numberReady"), _number("Up-to-date", "status.updatedNumberScheduled"),
                  _number("Available", "status.numberAvailable"),
                  Column("Node Selector", "string", lambda obj, _: ",".join(
                      f"{key}={value}" for key, value in
                      sorted((obj["spec"]["template"]["spec"].get("nodeSelector") or {}).items())) or "<none>"),
                  _AGE, *_WIDE),
    "StatefulSet": (Column("Ready", "string", _ready_replicas), _AGE, *_WIDE[:2]),
    "ControllerRevision": (Column("Controller", "string", _owner), _number("Revision", "revision"), _AGE),
    "Service": (_text("Type", "spec.type"), _text("Cluster-IP", "spec.clusterIP"),
                _text("External-IP", "spec.externalName"), Column("Port(s)", "string", _ports), _AGE,
                Column("Selector", "string", _selector, priority=1)),
    "ConfigMap": (Column("Data", "string", _count("data", "binaryData")), _AGE),
    "Secret": (_text("Type", "type"), Column("Data", "string", _count("data")), _AGE),
    "ServiceAccount": (Column("Secrets", "string", _count("secrets")), _AGE),
    "Namespace": (_text("Status", "status.phase"), _AGE),
    "Node": (Column("Status", "string", _node_status), Column("Roles", "string", lambda *_: "<none>"), _AGE,
             _text("Version", "status.nodeInfo.kubeletVersion", default="")),
    "Event": (Column("Last Seen", "string", _event_seen), _text("Type", "type"), _text("Reason", "reason"),
              Column("Object", "string", _event_object), _text("Subobject", "involvedObject.fieldPath", 1, ""),
              _text("Source", "source.component", 1, ""), Column("Message", "string", _at("message", "")),
              _text("Count", "count", 1, "1")),
    "EndpointSlice": (_text("AddressType", "addressType"), Column("Ports", "string", _slice_ports),
                      Column("Endpoints", "string", _slice_endpoints), _AGE),
    "HorizontalPodAutoscaler": (Column("Reference", "string", _scale_target),
                                Column("Targets", "string", _scale_metrics),
                                _text("MinPods", "spec.minReplicas", default="<unset>"),
                                _number("MaxPods", "spec.maxReplicas"),
                                _number("Replicas", "status.currentReplicas"), _AGE),
    "Lease": (_text("Holder", "spec.holderIdentity"), _AGE),
    "CustomResourceDefinition": (Column("Created At", "date", _at("metadata.creationTimestamp")),),
}  # fmt: skip
