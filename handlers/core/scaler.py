"""The primary's scaler, rendered after the target's own (spec targets 3.4)."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, NamedTuple

from handlers.core import marks
from handlers.core.belongings import owners
from handlers.core.desired import Object
from schemas.base import merge_patch
from schemas.canary import AutoscalerRef, Canary
from schemas.resources import HORIZONTAL_POD_AUTOSCALER, SCALED_OBJECT
from schemas.status import CanaryStatus
from schemas.workload import PAUSES, SCALER_STEP


class _Shape(NamedTuple):
    """What a kind of scaler calls its bounds, what it does without them, and which other fields are copied."""

    least: str
    most: str
    defaults: tuple[int, int]
    copied: tuple[str, ...]


_SHAPES = {
    HORIZONTAL_POD_AUTOSCALER.kind: _Shape("minReplicas", "maxReplicas", (1, 1), ("metrics", "behavior")),
    SCALED_OBJECT.kind: _Shape(
        "minReplicaCount",
        "maxReplicaCount",
        (0, 100),
        (
            "pollingInterval",
            "cooldownPeriod",
            "initialCooldownPeriod",
            "idleReplicaCount",
            "fallback",
            "advanced",
            "triggers",
        ),
    ),
}
_NEVER_COPIED = (
    *PAUSES,
    marks.LAST_APPLIED,
    # KEDA writes an object's own name there, and writes it again
    "scaledobject.keda.sh/name",
)


def name(canary: Canary) -> str:
    """Of the primary's scaler; empty without ``autoscalerRef``."""
    ref = canary.spec.autoscaler_ref
    return f"{ref.name}-primary" if ref else ""


def clone(canary: Canary, status: CanaryStatus, source: Mapping[str, Any]) -> Object:
    """What the primary's scaler should be; ``source`` is the target's own, of the kind in ``autoscalerRef``."""
    ref = canary.spec.autoscaler_ref
    assert ref is not None  # noqa: S101 - there is no source without it
    shape, theirs = _SHAPES[ref.kind], source["spec"]
    spec: Object = {key: copy.deepcopy(theirs[key]) for key in _fields(shape) if key in theirs}
    spec |= _bounds(ref, shape)
    if ref.kind == SCALED_OBJECT.kind:
        spec |= _of_the_primary(canary, ref, spec)
    _raise(spec, shape, status.primary_floor)
    spec["scaleTargetRef"] = {**theirs["scaleTargetRef"], "name": canary.primary}
    metadata = marks.marked({field: _followed(source["metadata"].get(field)) for field in ("labels", "annotations")})
    metadata["annotations"] = {**metadata["annotations"], SCALER_STEP: str(status.scaler_step)}
    place = {"name": name(canary), "namespace": canary.metadata.namespace, "ownerReferences": owners(canary)}
    return {"metadata": {**metadata, **place}, "spec": spec}


def clone_patch(existing: Mapping[str, Any], wanted: Mapping[str, Any], kind: str) -> Object | None:
    """A guarded merge patch of what differs, or None. What others put on the clone is theirs and stays."""
    shape, have = _SHAPES[kind], existing["spec"]
    ours = {key: have[key] for key in (*_fields(shape), "scaleTargetRef") if key in have}
    spec = merge_patch(ours, wanted["spec"])
    metadata = marks.difference(existing["metadata"], wanted["metadata"])
    if not spec and not metadata:
        return None
    guard = {"resourceVersion": existing["metadata"]["resourceVersion"]}
    return {"metadata": {**guard, **metadata}, **({"spec": spec} if spec else {})}


def least(source: Mapping[str, Any] | None, kind: str) -> int:
    """The replicas that the target's scaler keeps at least; 1 where it says nothing or less."""
    shape = _SHAPES.get(kind)
    found = ((source or {}).get("spec") or {}).get(shape.least) if shape else None
    return max(1, int(found or 1))


def bounds(source: Mapping[str, Any], kind: str) -> tuple[int | None, int | None]:
    """The replicas that a scaler makes at least and at most, as it is written; None where it says nothing."""
    shape, spec = _SHAPES[kind], source.get("spec") or {}
    return spec.get(shape.least), spec.get(shape.most)


def most(existing: Mapping[str, Any], kind: str) -> int:
    """The replicas that a scaler makes at most."""
    shape = _SHAPES[kind]
    return int((existing.get("spec") or {}).get(shape.most, shape.defaults[1]))


def _fields(shape: _Shape) -> tuple[str, ...]:
    return (shape.least, shape.most, *shape.copied)


def _bounds(ref: AutoscalerRef, shape: _Shape) -> Object:
    override = ref.primary_scaler_replicas
    wanted = {shape.least: override.min_replicas, shape.most: override.max_replicas} if override else {}
    return {key: value for key, value in wanted.items() if value is not None}


def _raise(spec: Object, shape: _Shape, floor: int) -> None:
    """For the time of a rollout; who never goes below the floor is never idle."""
    least, most = spec.get(shape.least, shape.defaults[0]), spec.get(shape.most, shape.defaults[1])
    if min(floor, most) > least:
        spec[shape.least] = min(floor, most)
        spec.pop("idleReplicaCount", None)


def _of_the_primary(canary: Canary, ref: AutoscalerRef, spec: Object) -> Object:
    """What in a ScaledObject speaks of the target, speaking of the primary."""
    changed: Object = {}
    if "triggers" in spec:
        changed["triggers"] = [_trigger(canary, ref, trigger) for trigger in spec["triggers"]]
    config = (spec.get("advanced") or {}).get("horizontalPodAutoscalerConfig") or {}
    if config.get("name"):
        renamed = {**config, "name": f"{config['name']}-primary"}
        changed["advanced"] = {**spec["advanced"], "horizontalPodAutoscalerConfig": renamed}
    return changed


def _trigger(canary: Canary, ref: AutoscalerRef, trigger: Object) -> Object:
    """Its query by the trigger's name; without any ``primaryScalerQueries`` by plain replacement in the text."""
    query = (trigger.get("metadata") or {}).get("query")
    if ref.primary_scaler_queries:
        query = ref.primary_scaler_queries.get(trigger.get("name", ""), query)
    elif query is not None:
        query = canary.primary.join(part.replace(canary.target, canary.primary) for part in _between(canary, query))
    return trigger if query is None else {**trigger, "metadata": {**trigger.get("metadata", {}), "query": query}}


def _between(canary: Canary, query: str) -> list[str]:
    """The text around each ``<target>-canary``."""
    return str(query).split(f"{canary.target}-canary")


def _followed(values: Mapping[str, str] | None) -> dict[str, str]:
    return {
        key: value
        for key, value in (values or {}).items()
        if "toolkit.fluxcd.io" not in key and not key.startswith("canarybus.dev/") and key not in _NEVER_COPIED
    }
