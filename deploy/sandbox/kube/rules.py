"""What a real server refuses for the built-in kinds, beyond their shapes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from .addresses import is_reached_from_outside
from .definitionrules import check_definition
from .errors import Cause, duplicate, invalid_value, required, unsupported_value
from .selectors import selector_matches

Object = dict[str, Any]

_LABEL_TEXT = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DNS_LABEL = re.compile(rf"^{_LABEL_TEXT}$")
_DNS_NAME = re.compile(rf"^{_LABEL_TEXT}(\.{_LABEL_TEXT})*$")
_LABEL_VALUE = re.compile(r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$")
_QUALIFIED = re.compile(r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$")
_CONFIG_KEY = re.compile(r"^[-._a-zA-Z0-9]+$")
_LABEL_NAMED = frozenset({"Namespace", "Service"})
_FREELY_NAMED = frozenset({"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"})

_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_KEY_RULE = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  "
    "or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
_NAME_PART_RULE = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_PORT_RULE = "must be between 1 and 65535, inclusive"


def metadata_causes(obj: Object, kind: str) -> list[Cause]:
    """Name, labels, annotations and owners, which follow the same rules for every kind."""
    metadata = obj.get("metadata", {})
    name = metadata.get("name", "")
    causes: list[Cause] = []
    if kind in _LABEL_NAMED:
        if not _DNS_LABEL.match(name):
            causes.append(invalid_value("metadata.name", name, _LABEL_RULE))
        elif len(name) > 63:
            causes.append(invalid_value("metadata.name", name, "must be no more than 63 bytes"))
    elif kind not in _FREELY_NAMED and not _DNS_NAME.match(name):
        causes.append(invalid_value("metadata.name", name, _SUBDOMAIN_RULE))
    elif len(name) > 253:
        causes.append(invalid_value("metadata.name", name, "must be no more than 253 bytes"))
    causes += _labels(metadata.get("labels") or {}, "metadata.labels")
    for index, owner in enumerate(metadata.get("ownerReferences") or ()):
        for field in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(field):
                text = "version must not be empty" if field == "apiVersion" else f"{field} must not be empty"
                causes.append(invalid_value(f"metadata.ownerReferences[{index}].{field}", owner.get(field, ""), text))
    owners = [owner for owner in metadata.get("ownerReferences") or () if owner.get("controller")]
    if len(owners) > 1:
        why = "Only one reference can have Controller set to true."
        causes.append(invalid_value("metadata.ownerReferences", owners, why))
    return causes


def _labels(labels: Object, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for key, value in labels.items():
        if not _QUALIFIED.match(key):
            causes.append(invalid_value(path, key, _NAME_PART_RULE))
        if len(value) > 63:
            causes.append(invalid_value(path, value, "must be no more than 63 bytes"))
        elif not _LABEL_VALUE.match(value):
            causes.append(invalid_value(path, value, _VALUE_RULE))
    return causes


def _is_port(value: Any) -> bool:
    return isinstance(value, int) and 1 <= value <= 65535


def _containers(spec: Object, path: str) -> list[Cause]:
    containers = spec.get("containers") or []
    if not containers:
        return [required(f"{path}.containers")]
    causes: list[Cause] = []
    names: set[str] = set()
    for index, container in enumerate(containers):
        where = f"{path}.containers[{index}]"
        name = container.get("name", "")
        if not name:
            causes.append(required(f"{where}.name"))
        elif name in names:
            causes.append(duplicate(f"{where}.name", name))
        elif not _DNS_LABEL.match(name):
            causes.append(invalid_value(f"{where}.name", name, _LABEL_RULE))
        names.add(name)
        if not container.get("image"):
            causes.append(required(f"{where}.image"))
        for number, port in enumerate(container.get("ports") or ()):
            if not _is_port(port.get("containerPort")):
                value = port.get("containerPort", 0)
                causes.append(invalid_value(f"{where}.ports[{number}].containerPort", value, _PORT_RULE))
    return causes


def _pod(obj: Object, old: Object | None) -> list[Cause]:
    causes = _containers(obj["spec"], "spec")
    if old is not None and not causes and _frozen(obj["spec"]) != _frozen(old["spec"]):
        why = (
            "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
            "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
            "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
        )
        causes.append(Cause("FieldValueForbidden", f"Forbidden: {why}", "spec"))
    return causes


def _frozen(spec: Object) -> Object:
    """The part of a pod's spec that may not change once it exists."""
    rest = {name: value for name, value in spec.items() if name not in ("tolerations", "activeDeadlineSeconds")}
    for group in ("containers", "initContainers"):
        if group in rest:
            rest[group] = [{name: value for name, value in one.items() if name != "image"} for one in rest[group]]
    return rest


def _workload(obj: Object, old: Object | None) -> list[Cause]:
    spec = obj["spec"]
    causes: list[Cause] = []
    if spec.get("replicas", 0) < 0:
        causes.append(invalid_value("spec.replicas", spec["replicas"], "must be greater than or equal to 0"))
    selector = spec.get("selector")
    if selector is None:
        causes.append(required("spec.selector"))
    elif not selector.get("matchLabels") and not selector.get("matchExpressions"):
        causes.append(invalid_value("spec.selector", selector, "empty selector is invalid for deployment"))
    if old is not None and selector != old["spec"].get("selector"):
        causes.append(invalid_value("spec.selector", selector, "field is immutable"))
    template = spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels")
    if not selector_matches(selector, labels or {}):
        why = "`selector` does not match template `labels`"
        causes.append(invalid_value("spec.template.metadata.labels", labels, why))
    causes += _labels(labels or {}, "spec.template.labels")
    causes += _containers(template.get("spec") or {}, "spec.template.spec")
    policy = (template.get("spec") or {}).get("restartPolicy", "Always")
    if policy != "Always":
        causes.append(unsupported_value("spec.template.spec.restartPolicy", policy, ["Always"]))
    return causes


def _service(obj: Object, old: Object | None) -> list[Cause]:
    spec = obj["spec"]
    headless = spec.get("clusterIP") == "None"
    causes: list[Cause] = []
    ports = spec.get("ports") or []
    if not ports and not headless and spec["type"] != "ExternalName":
        causes.append(required("spec.ports"))
    seen: set[tuple[str, int]] = set()
    names: set[str] = set()
    for index, port in enumerate(ports):
        where, name = f"spec.ports[{index}]", port.get("name", "")
        if not name and len(ports) > 1:
            causes.append(required(f"{where}.name"))
        elif name and not _DNS_LABEL.match(name):
            causes.append(invalid_value(f"{where}.name", name, _LABEL_RULE))
        elif name in names:
            causes.append(duplicate(f"{where}.name", name))
        names.add(name)
        if not _is_port(port.get("port", 0)):
            causes.append(invalid_value(f"{where}.port", port.get("port", 0), _PORT_RULE))
        target = port.get("targetPort", 0)
        if isinstance(target, int) and not _is_port(target):
            causes.append(invalid_value(f"{where}.targetPort", target, _PORT_RULE))
        if (own := (port["protocol"], port.get("port", 0))) in seen:
            causes.append(duplicate(where, {"port": own[1], "protocol": own[0]}))
        seen.add(own)
    causes += _outside(spec)
    before = (old or {"spec": {}})["spec"].get("clusterIP")
    if before and spec["type"] != "ExternalName" and spec.get("clusterIP") != before:
        causes.append(invalid_value("spec.clusterIPs[0]", [spec.get("clusterIP")], "may not change once set"))
    return causes


def _outside(spec: Object) -> list[Cause]:
    policy, field = spec.get("externalTrafficPolicy"), "spec.externalTrafficPolicy"
    if policy is None:
        return []
    if not is_reached_from_outside(spec):
        return [invalid_value(field, policy, "may only be set for externally-accessible services")]
    known = ["Cluster", "Local"]
    return [] if policy in known else [unsupported_value(field, policy, known)]


def _data(obj: Object, old: Object | None) -> list[Cause]:
    causes = [
        invalid_value(f"{field}[{key}]", key, _KEY_RULE)
        for field in ("data", "binaryData")
        for key in obj.get(field) or {}
        if not _CONFIG_KEY.match(key)
    ]
    if old is not None and old.get("immutable"):
        if not obj.get("immutable"):
            causes.append(_frozen_field("immutable"))
        causes += [_frozen_field(field) for field in ("data", "binaryData") if obj.get(field) != old.get(field)]
    if old is not None and obj.get("type") != old.get("type"):
        causes.append(invalid_value("type", obj.get("type"), "field is immutable"))
    return causes


def _frozen_field(field: str) -> Cause:
    return Cause("FieldValueForbidden", "Forbidden: field is immutable when `immutable` is set", field)


def _autoscaler(obj: Object, _: Object | None) -> list[Cause]:
    spec = obj["spec"]
    least, most = spec.get("minReplicas", 1), spec.get("maxReplicas", 0)
    causes: list[Cause] = []
    if least < 1:
        causes.append(invalid_value("spec.minReplicas", least, "must be greater than or equal to 1"))
    if most < 1:
        causes.append(required("spec.maxReplicas", "must be set and greater than 0"))
    if most < least:
        causes.append(invalid_value("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`"))
    target = spec.get("scaleTargetRef") or {}
    causes += [required(f"spec.scaleTargetRef.{field}") for field in ("kind", "name") if not target.get(field)]
    return causes


def _event(obj: Object, _: Object | None) -> list[Cause]:
    about, home = (obj.get("involvedObject") or {}).get("namespace", ""), obj["metadata"].get("namespace", "")
    if about != home and (about or home != "default"):
        return [invalid_value("involvedObject.namespace", about, "does not match event.namespace")]
    return []


def _revision(obj: Object, old: Object | None) -> list[Cause]:
    if old is not None and obj.get("data") != old.get("data"):
        return [invalid_value("data", obj.get("data"), "field is immutable")]
    return []


def _binding(obj: Object, old: Object | None) -> list[Cause]:
    if old is not None and obj.get("roleRef") != old.get("roleRef"):
        return [invalid_value("roleRef", obj.get("roleRef"), "cannot change roleRef")]
    return []


RULES: dict[str, Callable[[Object, Object | None], list[Cause]]] = {
    "Pod": _pod,
    "Deployment": _workload,
    "ReplicaSet": _workload,
    "DaemonSet": _workload,
    "StatefulSet": _workload,
    "Service": _service,
    "ConfigMap": _data,
    "Secret": _data,
    "HorizontalPodAutoscaler": _autoscaler,
    "Event": _event,
    "ControllerRevision": _revision,
    "RoleBinding": _binding,
    "ClusterRoleBinding": _binding,
    "CustomResourceDefinition": check_definition,
}
