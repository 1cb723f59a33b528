"""What the gateway knows of the cluster at one moment, and what it has to say about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from deploy.sandbox.mirror import Ref
from handlers.adapters.kube import Object
from schemas.resources import Resource

Objects = Mapping[Ref, Object]
Origin = tuple[Ref, ...]
"""The VirtualService and the RouteTables on the way down to some routes."""
Place = tuple[Origin, str]
"""One route: its origin, and its name or else its number there."""


@dataclass(frozen=True)
class Snapshot:
    """The objects that a translation reads; no others count."""

    virtual_services: Objects = field(default_factory=dict)
    route_tables: Objects = field(default_factory=dict)
    upstreams: Objects = field(default_factory=dict)
    services: Objects = field(default_factory=dict)
    endpoint_slices: Objects = field(default_factory=dict)


@dataclass
class Report:
    """What is wrong with one object, in Gloo's words.

    The first two lists are about the object itself (the top ``state``), the others about the routes that came out of
    it, which Gloo reports under the proxy (``subresourceStatuses``) while the top ``state`` stays Accepted.
    """

    spec: Object
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    proxy_errors: list[str] = field(default_factory=list)
    proxy_warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Translation:
    """Envoy's configuration, the reports of the objects that it came from, and the routes to fall back on."""

    routes: Object
    clusters: dict[str, Object]
    assignments: dict[str, Object]
    reports: dict[tuple[Resource, Ref], Report]
    good: dict[Place, list[Object]]
    ignored: frozenset[str]
