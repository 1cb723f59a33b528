"""Services (spec targets 3.3): the target is the apex that its users wrote; routes lead to two copies of it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

from handlers.core.kinds.anatomy import Inherited, Object, Selectors, Source, copied
from handlers.core.observation import Rules
from schemas.canary import Canary
from schemas.workload import Readiness, Workload

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_FOR_EVER = ("clusterIP", "clusterIPs")
_ONLY_ONE = ("externalIPs", "loadBalancerIP")
"""Addresses that two Services cannot have: they stay with the target."""
_FROM_OUTSIDE = ("externalTrafficPolicy",)
"""What a Service may only say that is reached from outside, by its type or by such an address."""


class ServiceTarget:
    brings_services = True

    def problems(
        self,
        canary: Canary,
        target: Workload,
        rules: Rules,  # noqa: ARG002 - it has no pods
        primary: Workload | None = None,  # noqa: ARG002 - a copy of it
    ) -> Iterator[str]:
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

    def selectors(
        self,
        target: Workload,  # noqa: ARG002 - whatever it selects
        keys: Sequence[str],  # noqa: ARG002
        primary: Workload | None = None,  # noqa: ARG002
    ) -> Selectors:
        """None: a copy selects for itself, and another revision may select others.

        An upstream that knew only the old ones would lose all endpoints at once when a copy changes.
        """
        return {"canary": {}, "primary": {}}

    def inherited(self, source: Source) -> Inherited:
        """Everything but what kubectl wrote about the original."""
        annotations = copied(source.target.annotations)
        annotations.pop(_LAST_APPLIED, None)
        return Inherited(copied(source.target.labels), annotations)

    def content(self, source: Source) -> Object:
        outside = source.content.get("type") in ("NodePort", "LoadBalancer")
        left_out = _ONLY_ONE if outside else (*_ONLY_ONE, *_FROM_OUTSIDE)
        return {key: copy.deepcopy(value) for key, value in source.content.items() if key not in left_out}

    def origin(self, canary: Canary, primary: Workload, rules: Rules) -> Object:  # noqa: ARG002 - nothing was changed
        return copy.deepcopy(dict(primary.content))

    def spec(self, source: Source, existing: Workload | None) -> Object:
        """The API server leaves an existing copy the address and node ports that it has, if none are named.

        Whether it is headless is decided when it is made: the API server does not let that change.
        """
        made = self.content(source)
        if existing is None:
            return made
        before = existing.item["spec"]
        headless = {key: before[key] for key in _FOR_EVER if key in before} if before.get("clusterIP") == "None" else {}
        return {key: made[key] for key in made if key not in _FOR_EVER} | headless

    def sized(self, target: Workload, size: int) -> Object:  # noqa: ARG002 - somebody else runs the pods
        return {}

    def frozen(self, target: Workload) -> Object:  # noqa: ARG002 - its copy changes only when nobody is sent there
        return {}

    def primary_not_ready(self, place: str, found: Readiness) -> str:
        return f"primary service {place} not ready: {found.message}"

    def canary_not_ready(self, place: str, found: Readiness) -> str:
        return f"canary service {place} not ready: {found.message}"
