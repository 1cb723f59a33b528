"""Names to which nothing can be added any more: of what they name, no ``-primary`` or ``-canary`` can be made.

The API server would refuse it, at every try, in words about an object that nobody wrote.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from handlers.core.kinds import kind_of
from handlers.core.observation import Observation
from schemas.canary import Canary
from schemas.names import LABEL_VALUE, OBJECT_NAME
from schemas.resources import TARGETS

_ADDED = "-primary"
_SERVICE = re.compile("[a-z0-9]([-a-z0-9]*[a-z0-9])?")


def problems(canary: Canary, seen: Observation) -> Iterator[str]:
    """The field, how long it is, and how long it may be."""
    spec = canary.spec
    if spec.target_ref.kind not in TARGETS:
        return
    service = "spec.service.name" if spec.service.name else "spec.targetRef.name"
    remedy = "" if kind_of(canary).brings_services else "; give spec.service.name another"
    yield from _too_long(service, canary.service, LABEL_VALUE, f"the Service {_short(canary.service)}{_ADDED}", remedy)
    if not _SERVICE.fullmatch(canary.service):
        yield f"{service}: no Service can be called {_short(canary.service)}{remedy}"
    if not kind_of(canary).brings_services:
        what = f"the {spec.target_ref.kind} {_short(canary.target)}{_ADDED}"
        yield from _too_long("spec.targetRef.name", canary.target, OBJECT_NAME, what)
        yield from _label(canary, seen)
    if ref := spec.autoscaler_ref:
        yield from _too_long(
            "spec.autoscalerRef.name", ref.name, OBJECT_NAME, f"the {ref.kind} {_short(ref.name)}{_ADDED}"
        )


def _label(canary: Canary, seen: Observation) -> Iterator[str]:
    target = seen.target_workload
    label = target.selector_label(seen.rules.selector_labels) if target else None
    if label is None:
        return
    key, value = label
    place = f"{canary.spec.target_ref.kind.lower()} {canary.target}.{canary.metadata.namespace}"
    field = f"{place} spec.selector.matchLabels.{key}"
    remedy = "; name another of its labels in CANARYBUS_SELECTOR_LABELS, or make it anew, a selector is for ever"
    yield from _too_long(field, value, LABEL_VALUE, f"the label {_short(value)}{_ADDED}", remedy)


def _too_long(field: str, name: str, most: int, what: str, remedy: str = "") -> Iterator[str]:
    room = most - len(_ADDED)
    if len(name) > room:
        yield f"{field} has {len(name)} characters; {room} leave room for {what}{remedy}"


def _short(name: str) -> str:
    return name if len(name) <= LABEL_VALUE else f"{name[:20]}…{name[-10:]}"
