"""What the API server assigns to a Service: an address, and a port on every node where its type asks for that.

A later write that names none leaves a Service those that it has; one that makes it another type, and names those that
it had, takes them away.
"""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]
_FIRST_NODE_PORT = 30000
_ON_NODES = ("NodePort", "LoadBalancer")


def is_reached_from_outside(spec: Object) -> bool:
    return spec["type"] in _ON_NODES or (spec["type"] == "ClusterIP" and bool(spec.get("externalIPs")))


def _forget(spec: Object, old: Object) -> None:
    """What only the former type has, unless it was changed: then the rules refuse it."""
    if not is_reached_from_outside(spec) and spec.get("externalTrafficPolicy") == old.get("externalTrafficPolicy"):
        spec.pop("externalTrafficPolicy", None)
    if spec["type"] not in _ON_NODES:
        given = {port.get("nodePort") for port in old.get("ports") or ()}
        for port in spec.get("ports") or ():
            if port.get("nodePort") in given:
                port.pop("nodePort", None)
    if spec["type"] == "ExternalName" and spec.get("clusterIP") == old.get("clusterIP"):
        for field in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"):
            spec.pop(field, None)


class Addresses:
    """None is given twice in the life of the server."""

    def __init__(self) -> None:
        self._last_address = 10
        self._last_node_port = _FIRST_NODE_PORT - 1

    def assign(self, spec: Object, old: Object | None) -> None:
        """``old``: the spec before, None for a new Service."""
        if old is not None:
            _forget(spec, old)
        if spec["type"] == "ExternalName":
            return
        if old is not None and not spec.get("clusterIP"):
            spec["clusterIP"] = old.get("clusterIP", "")
        if not spec.get("clusterIP"):
            self._last_address += 1
            spec["clusterIP"] = f"10.96.{self._last_address >> 8 & 255}.{self._last_address & 255}"
        spec["clusterIPs"] = [spec["clusterIP"]]
        if spec["type"] in _ON_NODES:
            self._assign_node_ports(spec, old or {})

    def _assign_node_ports(self, spec: Object, old: Object) -> None:
        """By the port's name, whatever else has changed of it."""
        before = {port.get("name", ""): port.get("nodePort") for port in old.get("ports") or ()}
        for port in spec.get("ports") or ():
            if not port.get("nodePort"):
                port["nodePort"] = before.get(port.get("name", "")) or self._next_node_port()
            self._last_node_port = max(self._last_node_port, int(port["nodePort"]))

    def _next_node_port(self) -> int:
        self._last_node_port += 1
        return self._last_node_port

    def keep(self, spec: Object) -> None:
        """Never give again what this Service has."""
        address = str(spec.get("clusterIP", ""))
        if address.startswith("10.96."):
            high, low = address.split(".")[2:]
            self._last_address = max(self._last_address, int(high) << 8 | int(low))
        ports = [int(port.get("nodePort") or 0) for port in spec.get("ports") or ()]
        self._last_node_port = max([self._last_node_port, *ports])
