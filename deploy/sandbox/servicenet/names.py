"""Names and addresses of a cluster -> where to dial."""

from __future__ import annotations

import argparse
import ipaddress
from collections import Counter
from collections.abc import Mapping
from http import HTTPStatus

from deploy.sandbox.endpoints import ready_endpoints, service_ports
from deploy.sandbox.mirror import Ref
from deploy.sandbox.network import dial
from handlers.adapters.kube import Object

Address = tuple[str, int]
_DOMAINS: tuple[list[str], ...] = ([], ["svc"], ["svc", "cluster", "local"])


class UnreachableError(Exception):
    """There is no way to that name; the text is a sentence for whoever asked, with the HTTP status to answer."""

    def __init__(self, message: str, status: HTTPStatus = HTTPStatus.BAD_GATEWAY) -> None:
        super().__init__(message)
        self.status = status


def service_of(host: str, namespace: str) -> Ref | None:
    """The Service that ``host`` names, seen from ``namespace``; None if no Service can have that name."""
    name, *rest = host.rstrip(".").lower().split(".")
    if not rest:
        return Ref(namespace, name)
    return Ref(rest[0], name) if rest[1:] in _DOMAINS else None


def static_entry(text: str) -> tuple[tuple[Ref, int], Address]:
    """``name.namespace:port=address:port``, for a part of the sandbox that is no pod."""
    try:
        known_as, _, place = text.partition("=")
        host, _, port = known_as.rpartition(":")
        address, _, real_port = place.rpartition(":")
        name, namespace = host.split(".")
        return (Ref(namespace, name), int(port)), (str(ipaddress.ip_address(address)), int(real_port))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text}: write name.namespace:port=address:port") from error


class Names:
    """Resolves against the objects given, which may change under it; ready endpoints take turns."""

    def __init__(
        self,
        services: Mapping[Ref, Object],
        endpoint_slices: Mapping[Ref, Object],
        static: Mapping[tuple[Ref, int], Address],
    ) -> None:
        self._services = services
        self._endpoint_slices = endpoint_slices
        self._static = static
        self._turns: Counter[tuple[Ref, int]] = Counter()

    def resolve(self, host: str, port: int, namespace: str) -> Address:
        """Where to connect for ``host``. Raises :class:`UnreachableError`."""
        if host == "localhost":
            return "127.0.0.1", port
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return self._of_service(host, service_of(host, namespace), port)
        owner = next((ref for ref, item in self._services.items() if item["spec"].get("clusterIP") == host), None)
        return self._of_service(host, owner, port) if owner else (dial(host), port)

    def _of_service(self, host: str, service: Ref | None, port: int) -> Address:
        if service is None:
            raise UnreachableError(f"{host} is no name of a Service, and the sandbox has no way out of the machine")
        if found := self._static.get((service, port)):
            return found
        if service not in self._services:
            raise UnreachableError(f"{host}: there is no Service {service.name} in namespace {service.namespace}")
        ports = [entry["port"] for entry in service_ports(service, self._services)]
        if port not in ports:
            known = ", ".join(map(str, ports)) or "none"
            raise UnreachableError(f"{host}:{port}: the Service {service.name} has no such port; its ports: {known}")
        endpoints = ready_endpoints(service, port, self._services, self._endpoint_slices)
        if not endpoints:
            sentence = f"{host}:{port}: no pod of the Service {service.name} in namespace {service.namespace} is ready"
            raise UnreachableError(sentence, HTTPStatus.SERVICE_UNAVAILABLE)
        turn = self._turns[service, port]
        self._turns[service, port] += 1
        return endpoints[turn % len(endpoints)]
