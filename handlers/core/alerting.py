"""Which alert goes to whom and what it says (spec alerts 6.1, lifecycle 2.11). Posting is in ``handlers.alerting``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from handlers.core.texts import describe_routing
from schemas.canary import AlertRef, Canary
from schemas.events import StepResult
from schemas.measurement import number
from schemas.revision import digest
from schemas.status import CheckResult, Notice, Reason, Severity

EVERYWHERE = "alerts"
"""The receiver that the installation's own settings name."""
_PREFIX = "alert-"
_NAMESPACE, _NAME = re.compile(r"[a-z0-9-]+"), re.compile(r"[a-z0-9.-]+")
"""Of Kubernetes: no ``_`` in either, no dot in the first, so that a ``_`` makes no two of them one."""
_LEVELS: dict[str, int] = {"info": 0, "warn": 1, "error": 2}


class Told(NamedTuple):
    """One alert to one receiver: all that a step has to say, at the level of its worst."""

    text: str
    severity: Severity
    facts: bool


def receiver_of(canary: Canary, ref: AlertRef) -> str:
    """A token of a subject; two entries of one provider are one receiver."""
    assert ref.provider_ref is not None  # noqa: S101 - asked for by the callers
    name, namespace = ref.provider_ref.name, ref.provider_ref.namespace or canary.metadata.namespace
    if _NAMESPACE.fullmatch(namespace) and _NAME.fullmatch(name):
        return f"{_PREFIX}{namespace}_{name.replace('.', '_')}"
    return f"{_PREFIX}_{digest([namespace, name])}"


def entries(canary: Canary, receiver: str) -> tuple[AlertRef, ...]:
    found = (ref for ref in canary.spec.analysis.alerts if ref.provider_ref is not None)
    return tuple(ref for ref in found if receiver_of(canary, ref) == receiver)


def alert_receivers(canary: Canary, notices: Iterable[Notice], *, everywhere: bool) -> tuple[str, ...]:
    """The Canary's own providers by severity, and the installation's, which hears everything (spec B13)."""
    severities = [notice.severity for notice in notices if notice.severity is not None]
    if not severities:
        return ()
    refs = [ref for ref in canary.spec.analysis.alerts if ref.provider_ref is not None]
    own = [receiver_of(canary, ref) for ref in refs if any(hears(ref, severity) for severity in severities)]
    return (*((EVERYWHERE,) if everywhere else ()), *dict.fromkeys(own))


def is_alert(receiver: str) -> bool:
    return receiver == EVERYWHERE or receiver.startswith(_PREFIX)


def hears(ref: AlertRef, severity: Severity) -> bool:
    """An entry without a severity hears everything, as the peer's documentation says."""
    return _LEVELS[severity] >= _LEVELS[ref.severity or "info"]


def told(canary: Canary, result: StepResult, receiver: str) -> Told | None:
    """None when nothing of it is for this receiver any more: the Canary was edited since."""
    refs = entries(canary, receiver)
    heard = [
        notice
        for notice in result.notices
        if notice.severity and (receiver == EVERYWHERE or any(hears(ref, notice.severity) for ref in refs))
    ]
    if not heard:
        return None
    severity: Severity = max((notice.severity or "info" for notice in heard), key=_LEVELS.__getitem__)
    text = "\n".join(dict.fromkeys(notice.alert or notice.message for notice in heard))
    return Told(text, severity, any(notice.with_facts for notice in heard))


def fields(canary: Canary, result: StepResult, about: Told, cluster: str) -> tuple[tuple[str, str], ...]:
    """The peer's facts, and for bad news what was judged, with value and limits, and where to look."""
    found = [("Cluster", cluster)] if cluster else []
    if about.facts:
        found += _facts(canary)
    if about.severity != "info":
        found += _cause(canary, result)
        found += [pair for check in result.checks if check.verdict != "pass" for pair in _check(check)]
        namespace, name = canary.metadata.namespace, canary.metadata.name
        found.append(("Where to look", f"kubectl -n {namespace} describe canary {name}"))
    return tuple(found)


def _cause(canary: Canary, result: StepResult) -> list[tuple[str, str]]:
    """What the peer's words leave out: which gate or hook it was, and what it said."""
    gate = canary.status.closed_gate
    if result.reason == Reason.GATE_CLOSED and gate is not None:
        return [("Gate", f"{gate.hook}: {gate.message}" if gate.message else gate.hook)]
    if result.reason == Reason.ROLLBACK_REQUESTED:
        return [("Reason", result.notices[0].message)] if result.notices else []
    return []


def _facts(canary: Canary) -> list[tuple[str, str]]:
    spec = canary.spec
    found = [
        ("Target", f"{spec.target_ref.kind}/{canary.target}.{canary.metadata.namespace}"),
        ("Failed checks threshold", str(spec.analysis.threshold)),
        ("Progress deadline", f"{spec.deadline}s"),
    ]
    routing = describe_routing(spec.analysis)
    return [*found, ("Traffic routing", routing)] if routing else found


def _check(check: CheckResult) -> list[tuple[str, str]]:
    found = [("Check", check.name)]
    if check.value is not None:
        found.append(("Value", number(check.value, "g")))
    limits = [f"{word} {bound:g}" for word, bound in (("min", check.min), ("max", check.max)) if bound is not None]
    if limits:
        found.append(("Limit", ", ".join(limits)))
    if check.samples is not None:
        found.append(("Samples", f"{check.samples:.0f}"))
    return found
