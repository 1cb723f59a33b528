"""Who wrote an object last, as its ``metadata.managedFields`` tells. Pure.

We write routes, primary and scaler ourselves. Of all that could tell our writes from a person's, this
costs nothing: it comes with the metadata that are watched anyway, nothing is read for it, and nothing has to be put on
objects that are not ours. The API server keeps it, whatever the client: who changes a field becomes its manager, at
that time, and takes it from whoever was. Our fences do not move when somebody edits beside them; and a hash of what we
wrote, put on the object, would have to be rendered again from each version that is read, because defaults and other
controllers' fields stand beside ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from schemas.resources import CANARY, DAEMON_SET, DEPLOYMENT, MANAGER
from schemas.workload import OF_CONTROLLERS

Fields = Mapping[str, Any]
Entry = Mapping[str, Any]
_STATUS, _METADATA, _SPEC = "f:status", "f:metadata", "f:spec"
_WORN = ("f:labels", "f:annotations")
_OF_CONTROLLERS = tuple(f"f:{prefix}" for prefix in OF_CONTROLLERS)
_SIZED = frozenset({DEPLOYMENT.kind, DAEMON_SET.kind})


class Written(NamedTuple):
    """Of an object that we wrote to, or that a Canary owns: enough to know who moved it next.

    ``time`` of our last write, ``held``: how many fields of it are ours, ``others``: a number for each write of others.
    What the peer made is right as it is until we write to it: ``time`` is empty, and the content of all counts as held.
    """

    time: str
    held: int
    others: tuple[int, ...]


def written(metadata: Mapping[str, Any], kind: str) -> Written | None:
    """None for an object that is none of ours, which are nearly all there are."""
    entries = list(metadata.get("managedFields") or ())
    ours = [entry for entry in entries if entry.get("manager") == MANAGER and not entry.get("subresource")]
    if not ours and not _of_canary(metadata):
        return None
    held = sum(_size(_content(entry, kind)) + (_size(_worn(entry)) if ours else 0) for entry in ours or entries)
    others = [number for entry in entries if entry.get("manager") != MANAGER for number in _writes(entry, kind)]
    return Written(max((str(entry.get("time", "")) for entry in ours), default=""), held, tuple(others))


def edited(before: Written | None, after: Written | None) -> bool:
    """Whether somebody else wrote content, or took from us what we wrote, between two versions of one object.

    Our own writes move our time, or take more; they only take writes of others away. Times are whole seconds: that we
    removed a field without setting any, or within the second of our last write, looks like somebody else's doing, and
    wakes once for nothing.
    """
    if before is None:
        return False
    if after is None or (before.time and not after.time):
        return True
    taken = after.held < before.held and after.time == before.time
    return taken or not set(after.others) <= set(before.others)


def _of_canary(metadata: Mapping[str, Any]) -> bool:
    owners = metadata.get("ownerReferences") or ()
    return any((one.get("apiVersion"), one.get("kind")) == (CANARY.api_version, CANARY.kind) for one in owners)


def _writes(entry: Entry, kind: str) -> Iterator[int]:
    """Another number after each write, by its time.

    Gloo reports into the object itself: of who does so and wrote content, too, a time says nothing; there it is the
    fields.
    """
    content = _content(entry, kind)
    writer = entry.get("manager"), entry.get("operation"), entry.get("subresource")
    if _STATUS in (entry.get("fieldsV1") or {}):
        yield from (hash((*writer, path)) for path in _paths(content))
    elif content:
        yield hash((*writer, entry.get("time")))


def _content(entry: Entry, kind: str) -> Fields:
    """Neither status nor metadata, nor the replicas of a workload, which autoscalers and people set."""
    fields = {key: value for key, value in (entry.get("fieldsV1") or {}).items() if key not in (_STATUS, _METADATA)}
    if kind not in _SIZED or _SPEC not in fields:
        return fields
    spec = {key: value for key, value in fields[_SPEC].items() if key != "f:replicas"}
    return fields | {_SPEC: spec} if spec.keys() - {"."} else {k: v for k, v in fields.items() if k != _SPEC}


def _worn(entry: Entry) -> Fields:
    """Labels and annotations, but for those of a workload's controller; owners are the garbage collector's as well."""
    metadata = (entry.get("fieldsV1") or {}).get(_METADATA) or {}
    return {
        field: {key: value for key, value in metadata[field].items() if not key.startswith(_OF_CONTROLLERS)}
        for field in _WORN
        if field in metadata
    }


def _paths(fields: Fields, above: str = "") -> Iterator[str]:
    for name, nested in fields.items():
        yield f"{above}{name}"
        yield from _paths(nested, f"{above}{name}.")


def _size(fields: Fields) -> int:
    return sum(1 + _size(nested) for nested in fields.values())
