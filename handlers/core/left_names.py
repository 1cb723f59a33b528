"""Under which names another controller left its objects: its status does not say so (spec gloo 4.1).

An edit of ``service.name``, ``service.port`` or ``targetRef`` that it has not seen any more is ours to carry out, as
any rename. Upstreams, which are named after service and port and select the pods of a primary, tell what there is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from itertools import chain
from typing import Any, NamedTuple

from handlers.core.belongings import Object, leads_here, owned_by
from schemas.canary import Canary
from schemas.names import Names

_SUFFIX = "-primary"


class Primary(NamedTuple):
    """A workload that was made for this Canary."""

    kind: str
    name: str


class Trace(NamedTuple):
    """What one upstream tells. ``primary`` is the label of the pods, usually the name of what runs them."""

    service: str
    port: int
    primary: str


def traces(canary: Canary, upstreams: Iterable[Object]) -> tuple[Trace, ...]:
    """Of the upstreams that were made for this Canary's primaries; the youngest first."""
    form = re.compile(f"{re.escape(canary.metadata.namespace)}-(.+)-primaryupstream-([0-9]+)")
    ours = [item for item in upstreams if owned_by(item, canary.metadata.uid)]
    ours.sort(key=lambda item: str(item["metadata"].get("creationTimestamp", "")), reverse=True)
    found = ((form.fullmatch(item["metadata"]["name"]), item) for item in ours)
    return tuple(Trace(match[1], int(match[2]), _label(item)) for match, item in found if match)


def as_asked(canary: Canary) -> Trace:
    return Trace(canary.service, canary.spec.service.port, canary.primary)


def under_left_names(
    canary: Canary,
    found: Collection[Trace],
    primaries: Collection[Primary],
    tables: Mapping[str, Mapping[str, Any] | None],
) -> Canary:
    """``canary`` under the names by which its users come: those of its spec if they can.

    ``tables`` are RouteTables by name. What there is under others stays: some of its users may come that way.
    """
    served = chain.from_iterable(_served(canary.names, trace, primaries) for trace in found)
    leading = [names for names in served if leads_here(canary.under(names), tables.get(names.service) or {})]
    if not leading or canary.names in leading:
        return canary
    status = canary.status.model_copy(update={"names": leading[0]})
    return canary.model_copy(update={"status": status}).in_force()


def _served(asked: Names, trace: Trace, primaries: Collection[Primary]) -> list[Names]:
    """With each target whose primary there is: that of the spec, and the one that the upstream was made for."""
    at = asked.model_copy(update={"service": trace.service, "port": trace.port})
    own = Primary(asked.kind, f"{asked.target}{_SUFFIX}")
    kinds = [primary.kind for primary in primaries if primary.name == trace.primary and primary != own]
    others = [at.model_copy(update={"kind": kind, "target": trace.primary.removesuffix(_SUFFIX)}) for kind in kinds]
    return [*([at] if own in primaries else []), *others]


def _label(upstream: Object) -> str:
    kube = (upstream.get("spec") or {}).get("kube") or {}
    labels = (str(label) for label in (kube.get("selector") or {}).values())
    return next((label for label in labels if label.endswith(_SUFFIX)), "")
