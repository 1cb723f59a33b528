"""Services (spec targets 3.3): the target is the apex that its users wrote; routes lead to two copies of it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from handlers.core.kinds.anatomy import Inherited, Object, Source, copied
from handlers.core.observation import Rules
from schemas.canary import Canary
from schemas.workload import Readiness, Workload

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_ASSIGNED = ("clusterIP", "clusterIPs", "healthCheckNodePort")
_ONLY_ONE = ("externalIPs", "loadBalancerIP")
"""Addresses that two Services cannot have: they stay with the target."""


class ServiceTarget:
    brings_services = True

    def problems(self, canary: Canary, target: Workload, rules: Rules) -> Iterator[str]:  # noqa: ARG002
        place = f"service {canary.target}.{canary.metadata.namespace}"
        if canary.service != canary.target:
            yield (
                f"spec.service.name: {canary.service}; routes lead to the copies {canary.target}-primary and "
                f"{canary.target}-canary of the target; remove it or set it to {canary.target}"
            )
        spec = target.item["spec"]
        if not spec.get("selector"):
            yield f"{place} has no spec.selector, its copies would have no endpoints; give it one"
        ports = [port["port"] for port in spec.get("ports") or ()]
        if canary.spec.service.port and canary.spec.service.port not in ports:
            known = " ".join(map(str, ports)) or "none"
            yield f"spec.service.port: {canary.spec.service.port} is not a port of {place}; give one of [{known}]"

    def labels(self, source: Source) -> dict[str, str]:  # noqa: ARG002 - it selects pods by its spec
        return {}

    def inherited(self, source: Source) -> Inherited:
        """Everything but what kubectl wrote about the original."""
        annotations = copied(source.target.annotations)
        annotations.pop(_LAST_APPLIED, None)
        return Inherited(copied(source.target.labels), annotations)

    def content(self, source: Source) -> Object:
        return {key: copy.deepcopy(value) for key, value in source.content.items() if key not in _ONLY_ONE}

    def origin(self, canary: Canary, primary: Workload, rules: Rules) -> Object:  # noqa: ARG002 - nothing was changed
        return copy.deepcopy(dict(primary.content))

    def spec(self, source: Source, existing: Workload | None) -> Object:
        """An existing copy keeps its own addresses and node ports."""
        made = self.content(source)
        if existing is None or made.get("type") == "ExternalName":
            return made
        before = existing.item["spec"]
        kept = {key: before[key] for key in _ASSIGNED if key in before}
        known = {_key(port): port["nodePort"] for port in before.get("ports") or () if "nodePort" in port}
        ports = [port | ({"nodePort": known[_key(port)]} if _key(port) in known else {}) for port in made["ports"]]
        return {**made, **kept, "ports": ports}

    def sized(self, target: Workload, size: int) -> Object:  # noqa: ARG002 - somebody else runs the pods
        return {}

    def primary_not_ready(self, place: str, found: Readiness) -> str:
        return f"primary service {place} not ready: {found.message}"

    def canary_not_ready(self, place: str, found: Readiness) -> str:
        return f"canary service {place} not ready: {found.message}"


def _key(port: Mapping[str, Any]) -> tuple[Any, ...]:
    return port.get("name"), port["port"], port.get("protocol", "TCP")
