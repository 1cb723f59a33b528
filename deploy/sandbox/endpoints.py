"""Which pods are behind a port of a Service now."""

from __future__ import annotations

from collections.abc import Mapping

from deploy.sandbox.mirror import Ref
from deploy.sandbox.network import dial
from handlers.adapters.kube import Object


def ready_endpoints(
    service: Ref, port: int, services: Mapping[Ref, Object], endpoint_slices: Mapping[Ref, Object]
) -> list[tuple[str, int]]:
    """(address, port) to dial for each ready endpoint, in a stable order; none if there is no such Service or port.

    EndpointSlices carry the target port already; its name joins it to the Service's port.
    """
    names = {entry.get("name") or "" for entry in service_ports(service, services) if entry["port"] == port}
    found: set[tuple[str, int]] = set()
    for item in endpoint_slices.values():
        owner = (item["metadata"].get("labels") or {}).get("kubernetes.io/service-name")
        if (item["metadata"]["namespace"], owner) != service:
            continue
        targets = {entry["port"] for entry in item.get("ports") or [] if (entry.get("name") or "") in names}
        found |= {(dial(address), target) for address in _ready_addresses(item) for target in targets}
    return sorted(found)


def service_ports(service: Ref, services: Mapping[Ref, Object]) -> list[Object]:
    return ((services.get(service) or {}).get("spec") or {}).get("ports") or []


def _ready_addresses(item: Object) -> list[str]:
    """An endpoint whose ``ready`` is not told is ready: so the API defines it."""
    if item.get("addressType", "IPv4") != "IPv4":
        return []
    ready = [each for each in item.get("endpoints") or [] if (each.get("conditions") or {}).get("ready") is not False]
    return [address for each in ready for address in each["addresses"]]
