"""Label and field selectors, as written in query parameters and in `spec.selector`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from . import errors

Labels = Mapping[str, str]
LabelTest = Callable[[Labels], bool]
Object = dict[str, Any]

_SET = re.compile(r"^\s*(?P<key>[^\s!=<>,()]+)\s+(?P<op>in|notin)\s*\((?P<values>[^)]*)\)\s*$")
_COMPARE = re.compile(r"^\s*(?P<key>[^\s!=<>,()]+)\s*(?P<op>==|=|!=|<|>)\s*(?P<value>[^\s!=<>,()]*)\s*$")
_EXISTS = re.compile(r"^\s*(?P<no>!?)\s*(?P<key>[^\s!=<>,()]+)\s*$")
_COMMA = re.compile(r",(?![^()]*\))")


def _requirement(text: str) -> LabelTest:
    if found := _SET.match(text):
        key, values = found["key"], {value.strip() for value in found["values"].split(",")}
        if found["op"] == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if found := _COMPARE.match(text):
        key, value = found["key"], found["value"]
        match found["op"]:
            case "!=":
                return lambda labels: labels.get(key) != value
            case "<":
                return lambda labels: labels.get(key, "").isdigit() and int(labels[key]) < int(value)
            case ">":
                return lambda labels: labels.get(key, "").isdigit() and int(labels[key]) > int(value)
            case _:
                return lambda labels: labels.get(key) == value
    if found := _EXISTS.match(text):
        key = found["key"]
        if found["no"]:
            return lambda labels: key not in labels
        return lambda labels: key in labels
    raise errors.bad_request(f"unable to parse requirement: found '{text}', expected: a label selector")


@lru_cache(maxsize=1024)
def labels_match(selector: str) -> LabelTest | None:
    """A test for a selector such as `app=podinfo,tier in (a,b),!old`; None when it selects everything.

    Raises StatusError 400 for text that is no selector.
    """
    if not selector.strip():
        return None
    tests = [_requirement(part) for part in _COMMA.split(selector)]
    return lambda labels: all(test(labels) for test in tests)


def selector_matches(selector: Object | None, labels: Labels) -> bool:
    """Whether a `LabelSelector` object (matchLabels and matchExpressions) selects these labels."""
    if selector is None:
        return False
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_expression_matches(expression, labels) for expression in selector.get("matchExpressions") or ())


def _expression_matches(expression: Object, labels: Labels) -> bool:
    key, values = expression["key"], expression.get("values") or ()
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels


def as_text(selector: Object | None) -> str:
    """A `LabelSelector` as a query parameter (what `.status.selector` of a Scale holds)."""
    if not selector:
        return ""
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for expression in selector.get("matchExpressions") or ():
        values = ",".join(sorted(expression.get("values") or ()))
        shown = {
            "In": f"{expression['key']} in ({values})",
            "NotIn": f"{expression['key']} notin ({values})",
            "Exists": expression["key"],
        }
        parts.append(shown.get(expression["operator"], f"!{expression['key']}"))
    return ",".join(parts)


_ALWAYS = frozenset({"metadata.name", "metadata.namespace"})
# which fields each kind can be selected by, beside name and namespace
_SELECTABLE: dict[str, frozenset[str]] = {
    "Pod": frozenset({"spec.nodeName", "status.phase", "spec.restartPolicy", "spec.serviceAccountName",
                      "spec.schedulerName", "status.podIP", "status.nominatedNodeName", "spec.hostNetwork"}),
    "Event": frozenset({f"involvedObject.{name}" for name in
                        ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")}
                       | {f"regarding.{name}" for name in ("kind", "namespace", "name", "uid", "apiVersion")}
                       | {"reason", "type", "source", "reportingComponent", "reportingController"}),
    "Secret": frozenset({"type"}),
    "Namespace": frozenset({"status.phase"}),
    "Node": frozenset({"spec.unschedulable"}),
    "ReplicaSet": frozenset({"status.replicas"}),
    "Service": frozenset({"spec.clusterIP", "spec.type"}),
}  # fmt: skip


def _field(obj: Object, path: str) -> str:
    value: Any = obj
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def fields_match(selector: str, kind: str, extra: frozenset[str] = frozenset()) -> Callable[[Object], bool] | None:
    """A test for a field selector; None when it selects everything.

    `extra` are the `selectableFields` of a custom resource. Raises StatusError 400 for a field
    that this kind cannot be selected by.
    """
    tests: list[tuple[str, bool, str]] = []
    for part in filter(None, selector.split(",")):
        found = _COMPARE.match(part)
        if found is None or found["op"] in "<>":
            raise errors.bad_request(f'Unable to find "{part}" that match field selector')
        path = found["key"]
        if path not in _ALWAYS | _SELECTABLE.get(kind, frozenset()) | extra:
            raise errors.bad_request(f"field label not supported: {path}")
        tests.append((path, found["op"] != "!=", found["value"]))
    if not tests:
        return None
    return lambda obj: all((_field(obj, path) == value) is equal for path, equal, value in tests)
