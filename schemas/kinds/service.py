"""Services (spec targets 3.3): somebody else runs the pods, so a Service is always ready and never parked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.kinds.anatomy import Item, Patience, Readiness

_ASSIGNED = ("healthCheckNodePort",)


class ServiceKind:
    keeps: Item = {}

    def content(self, item: Item) -> Item:
        """The spec without what the API server assigns: another address or node port is no other revision."""
        spec = {key: value for key, value in item["spec"].items() if key not in _ASSIGNED}
        if spec.get("clusterIP") != "None":
            # headless is the user's will, an address is not
            spec = {key: value for key, value in spec.items() if key not in ("clusterIP", "clusterIPs")}
        ports = [_without_node_port(port) for port in spec.get("ports") or ()]
        return {**spec, **({"ports": ports} if ports else {})}

    def size(self, item: Item) -> int:  # noqa: ARG002 - the same for all of them
        return 1

    def available(self, item: Item) -> int:  # noqa: ARG002 - the same for all of them
        return 1

    def resting(self, item: Item) -> bool:  # noqa: ARG002 - it has none
        return True

    def selector(self, item: Item) -> Mapping[str, str]:  # noqa: ARG002 - it selects pods of any label
        return {}

    def readiness(self, item: Item, patience: Patience) -> Readiness:  # noqa: ARG002 - always ready, as with the peer
        return Readiness(True)


def _without_node_port(port: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: value for key, value in port.items() if key != "nodePort"}
