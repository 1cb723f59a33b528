"""The ports of our Services: the one of the spec, and those that are discovered (spec targets 3.6)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from schemas.canary import Canary
from schemas.workload import Workload

Object = dict[str, Any]
_SIDECARS = ("istio-proxy", "envoy")
_LONGEST_NAME = 63


def ports(canary: Canary, met: Workload) -> list[Object]:
    """``met``: the workload whose pods are met by them."""
    wanted = canary.spec.service
    first: Object = {
        "name": wanted.port_name or "http",
        "protocol": "TCP",
        "port": wanted.port,
        "targetPort": wanted.target_port or wanted.port,
    }
    if wanted.app_protocol:
        first["appProtocol"] = wanted.app_protocol
    return [first, *(_discovered(canary, met) if wanted.port_discovery else ())]


def differ(have: Sequence[Mapping[str, Any]], want: Sequence[Mapping[str, Any]]) -> bool:
    """Whatever their order, and whatever the API server added to them."""
    return sorted(map(_essence, have)) != sorted(map(_essence, want))


def not_fewer(have: Sequence[Mapping[str, Any]], want: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The first wanted one is the spec's own; of the others those that are there stay, and new ones join them."""
    made = [*want[:1]]
    for port in (*have, *want[1:]):
        if not any(port["port"] == other["port"] or port.get("name") == other.get("name") for other in made):
            made.append(port)
    return made


def with_node_ports(have: Sequence[Mapping[str, Any]], want: Sequence[Mapping[str, Any]]) -> list[Object]:
    """The wanted ones with the node ports that they have, found by name, else by number: people may know them.

    The API server itself keeps one only for a port whose name stays.
    """
    held = [port for port in have if port.get("nodePort")]
    by_number = {port["port"]: port["nodePort"] for port in held}
    known = by_number | {port.get("name"): port["nodePort"] for port in held}
    made, taken = [], set()
    for port in want:
        number = known.get(port["name"], by_number.get(port["port"]))
        made.append({**port, "nodePort": number} if number and number not in taken else dict(port))
        taken.add(number)
    return made


def _essence(port: Mapping[str, Any]) -> tuple[str, ...]:
    protocol = port.get("protocol", "TCP")
    fields = (port["port"], port.get("name"), port.get("targetPort", port["port"]), protocol, port.get("appProtocol"))
    return tuple(str(field) for field in fields)


def _discovered(canary: Canary, met: Workload) -> Iterator[Object]:
    """Every other container port, but those of the mesh's sidecars; a number and a name are taken once."""
    wanted = canary.spec.service
    main = wanted.target_port or wanted.port
    numbers, names = {wanted.port}, {wanted.port_name or "http"}
    for container in (met.template.get("spec") or {}).get("containers") or ():
        if container["name"] in _SIDECARS:
            continue
        for index, port in enumerate(container.get("ports") or ()):
            number = port["containerPort"]
            if number in numbers or main in (number, port.get("name")):
                continue
            name = _name(port.get("name") or "", f"tcp-{container['name']}-{index}", f"tcp-{number}", names)
            numbers.add(number)
            names.add(name)
            yield {"name": name, "protocol": "TCP", "port": number, "targetPort": number}


def _name(own: str, placed: str, numbered: str, taken: set[str]) -> str:
    """Two containers may name their ports alike, a Service may not; nor may a name be as long as a container's."""
    candidates = (own, placed, numbered, f"{numbered}-port")
    return next(name for name in candidates if name and len(name) <= _LONGEST_NAME and name not in taken)
