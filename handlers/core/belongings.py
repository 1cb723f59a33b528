"""What is made for a Canary, by name and owner: what goes when it is deleted, and what stays (spec lifecycle 2.9).

Garbage collection takes what the Canary owns: in the foreground at once, before the Canary itself is gone. So while
``revertOnDeletion`` is on, a keeper owns everything as well: an object that somebody else still owns only loses the
Canary as its owner, and users are served until the target has taken over.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from handlers.core.kinds.anatomy import Selectors
from schemas.canary import Canary
from schemas.configs import CONFIGS, copy_names, resource_of
from schemas.names import LABEL_VALUE, fitted
from schemas.resources import (
    CANARY,
    CONTROLLER_REVISION,
    ROUTE_TABLE,
    SCALERS,
    SERVICE,
    TARGETS,
    UPSTREAM,
    Resource,
)
from schemas.workload import Workload

Object = dict[str, Any]

KEEPER = "canarybus.dev/keeper"
"""A label by which keepers are found by those who go back to another controller; its value is the Canary's name."""
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class Place(NamedTuple):
    """One object in the Canary's namespace."""

    resource: Resource
    name: str

    def __str__(self) -> str:
        return f"{self.resource.kind} {self.name}"


def owner(canary: Canary) -> Object:
    return {
        "apiVersion": CANARY.api_version,
        "kind": CANARY.kind,
        "name": canary.metadata.name,
        "uid": canary.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def owners(canary: Canary) -> list[Object]:
    """Of what serves users: the Canary, and its keeper where it has one. What a deletion needs is nobody's at once."""
    if canary.deleting:
        return []
    return [owner(canary), keeper_owner(canary)] if canary.keeper else [owner(canary)]


def keeper_name(canary: Canary) -> str:
    return fitted(canary.metadata.name, end="-revert-on-deletion")


def keeper_owner(canary: Canary) -> Object:
    return {
        "apiVersion": CONTROLLER_REVISION.api_version,
        "kind": CONTROLLER_REVISION.kind,
        "name": keeper_name(canary),
        "uid": canary.keeper,
    }


def keeper(canary: Canary) -> Object:
    """An object that does nothing but own; one of the kinds that the handlers may delete anyway."""
    labels = {KEEPER: fitted(canary.metadata.name, LABEL_VALUE)}
    metadata = {"name": keeper_name(canary), "namespace": canary.metadata.namespace, "labels": labels}
    return {"metadata": metadata, "revision": 1, "data": {"canary": canary.metadata.name}}


def owned_by(item: Mapping[str, Any], *uids: str) -> bool:
    return any(reference.get("uid") in uids for reference in item["metadata"].get("ownerReferences") or ())


def made(canary: Canary) -> tuple[Place, ...]:
    """Whatever may have been made for it; the primary last."""
    ref, kind = canary.spec.autoscaler_ref, TARGETS.get(canary.spec.target_ref.kind)
    configs = [tracked for tracked in canary.status.tracked_configs if tracked.partition("/")[0] in CONFIGS]
    return (
        *left_behind(canary),
        *((Place(SERVICE, f"{canary.service}-canary"),) if kind is SERVICE else ()),
        *((Place(SERVICE, f"{canary.service}-primary"),) if kind is not SERVICE else ()),
        Place(UPSTREAM, canary.upstream("primary")),
        *((Place(SCALERS[ref.kind], f"{ref.name}-primary"),) if ref and ref.kind in SCALERS else ()),
        *(Place(resource_of(key)[0], copy) for key in configs for copy in copy_names(canary.metadata.name, key)),
        *((Place(kind, canary.primary),) if kind else ()),
    )


def own(canary: Canary) -> tuple[Place, ...]:
    """What its user wrote and we mark: the target and its scaler."""
    ref, kind = canary.spec.autoscaler_ref, TARGETS.get(canary.spec.target_ref.kind)
    scaler = (Place(SCALERS[ref.kind], ref.name),) if ref and ref.kind in SCALERS else ()
    return (*((Place(kind, canary.target),) if kind else ()), *scaler)


def left_behind(canary: Canary) -> tuple[Place, ...]:
    """What leads users to the target when the Canary is gone: the routes, what they name, and the apex Service."""
    routes = Place(ROUTE_TABLE, canary.service), Place(UPSTREAM, canary.upstream("canary"))
    if canary.spec.target_ref.kind == SERVICE.kind:
        return routes
    return (*routes, Place(SERVICE, f"{canary.service}-canary"), Place(SERVICE, canary.service))


def leads_here(canary: Canary, route_table: Mapping[str, Any]) -> bool:
    """Whether these routes name an upstream of ours; those of a RouteTable that is not taken over yet do not."""
    ours = {canary.upstream("primary"), canary.upstream("canary")}
    found = (route_table.get("spec") or {}).get("routes") or ()
    destinations = (((route.get("routeAction") or {}).get("multi") or {}).get("destinations") or () for route in found)
    named = (item.get("destination") or {} for group in destinations for item in group)
    return any((item.get("upstream") or {}).get("name") in ours for item in named)


def apex_selector(apex: Mapping[str, Any], target: Workload, sides: Selectors) -> dict[str, str] | None:
    """What the apex Service should select when the primary goes; None when it is right, or nothing of ours.

    ``sides``: the labels of the primary's pods and of the canary's. A Service that somebody applied gets his own
    selector back, if that finds the target's pods.
    """
    selector = (apex.get("spec") or {}).get("selector") or {}
    if selector != sides["primary"]:
        return None
    applied = _applied_selector(apex)
    labels = (target.template.get("metadata") or {}).get("labels") or {}
    if applied and all(labels.get(key) == value for key, value in applied.items()):
        return applied
    return dict(sides["canary"])


def _applied_selector(apex: Mapping[str, Any]) -> dict[str, str]:
    text = (apex["metadata"].get("annotations") or {}).get(_LAST_APPLIED, "")
    try:
        selector = (json.loads(text).get("spec") or {}).get("selector") or {}
        return {str(key): str(value) for key, value in selector.items()}
    except (ValueError, AttributeError):
        return {}
