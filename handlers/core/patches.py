"""What to write to an object that is there already: our fields that differ, guarded; what others wrote stays theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from handlers.core import marks, ports
from handlers.core.desired import COPIED_UPSTREAM_FIELDS, FLUX_OFF
from schemas.base import merge_patch
from schemas.canary import Canary

Object = dict[str, Any]
Item = Mapping[str, Any]
_LEADING = ("serviceName", "serviceNamespace", "servicePort", "selector")


def service_patch(canary: Canary, existing: Item, wanted: Item, *, moving: bool = False) -> Object | None:
    """Ports and selector; of a Service that is ours its metadata as well, and how its traffic is spread.

    One that was there before keeps its metadata, but for what keeps Flux from taking the selector back.
    Its address is for ever, and whether it has one. ``moving``: the pods behind it are being replaced, maybe for a time
    only, so that no discovered port is taken away.
    """
    have, want = existing.get("spec") or {}, wanted["spec"]
    spec = merge_patch({"selector": have.get("selector") or {}}, {"selector": want["selector"]})
    there, asked = have.get("ports") or (), want["ports"]
    if moving and canary.spec.service.port_discovery:
        asked = ports.not_fewer(there, asked)
    if ports.differ(there, asked):
        spec["ports"] = ports.with_node_ports(there, asked)
    if not _is_ours(existing, wanted):
        return guarded(existing, _flux_off(existing), spec)
    spec |= _settings(existing, wanted)
    return guarded(
        existing, _managed(canary, existing, marks.difference(existing["metadata"], wanted["metadata"])), spec
    )


def upstream_patch(existing: Item, wanted: Item, *, copying: bool) -> Object | None:
    """Where it leads, and the settings that ``upstreamRef`` (``copying``) copies.

    Another controller that copied some left no record of them: all that are copied count as its copies.
    """
    spec = _leading(existing, wanted)
    unrecorded = copying and marks.KEYS not in (existing["metadata"].get("annotations") or {})
    spec |= _settings(existing, wanted, COPIED_UPSTREAM_FIELDS if unrecorded else ())
    return guarded(existing, marks.difference(existing["metadata"], wanted["metadata"]), spec)


def lost_upstream_patch(existing: Item, wanted: Item) -> Object | None:
    """Where it leads; the settings whose source is lost stay as they are."""
    return guarded(existing, {}, _leading(existing, wanted))


def _leading(existing: Item, wanted: Item) -> Object:
    """Only what we set: Gloo's discovery writes beside it what it found the Service to be."""
    have, want = (existing.get("spec") or {}).get("kube") or {}, wanted["spec"]["kube"]
    return merge_patch({"kube": {key: have[key] for key in _LEADING if key in have}}, {"kube": want})


def guarded(existing: Item, metadata: Item, spec: Item) -> Object | None:
    """A merge patch that fails when the object has moved on since it was compared; None when nothing differs."""
    if not spec and not metadata:
        return None
    guard = {"resourceVersion": existing["metadata"]["resourceVersion"]}
    return {"metadata": {**guard, **metadata}, **({"spec": spec} if spec else {})}


def _settings(existing: Item, wanted: Item, also: tuple[str, ...] = ()) -> Object:
    """Fields of the spec that follow their source: those that are recorded as ours, ``also``, and the new ones."""
    have = existing.get("spec") or {}
    want = {key: wanted["spec"][key] for key in marks.settings(wanted["metadata"])}
    ours = {*marks.settings(existing["metadata"]), *also, *want}
    return merge_patch({key: have[key] for key in ours if key in have}, want)


def _is_ours(existing: Item, wanted: Item) -> bool:
    owners = {item.get("uid") for item in existing["metadata"].get("ownerReferences") or ()}
    return bool(owners & {item["uid"] for item in wanted["metadata"].get("ownerReferences") or ()})


def _flux_off(existing: Item) -> Object:
    present = existing["metadata"].get("annotations") or {}
    missing = {key: value for key, value in FLUX_OFF.items() if present.get(key) != value}
    return {"annotations": missing} if missing else {}


def _managed(canary: Canary, existing: Item, changed: Object) -> Object:
    """Without the keys of ``unmanagedMetadata`` that are there: whatever they say is somebody else's."""
    unmanaged = canary.spec.service.unmanaged_metadata
    if unmanaged is None:
        return changed
    left = {}
    for field, keys in (("labels", unmanaged.labels), ("annotations", unmanaged.annotations)):
        present = existing["metadata"].get(field) or {}
        rest = {k: v for k, v in changed.get(field, {}).items() if not (k in keys and k in present)}
        if rest:
            left[field] = rest
    return left
