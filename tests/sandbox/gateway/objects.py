"""The objects of the tutorial's application, as plain dictionaries."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from deploy.sandbox.gateway.snapshot import Objects, Snapshot, Translation
from deploy.sandbox.gateway.translate import translate
from deploy.sandbox.mirror import ref_of
from handlers.adapters.kube import Object

NAMESPACE = "test"
DIRECTORY = Path("state")
TRAFFIC = {"prefix": "/"}


def named(name: str, spec: Any, *, namespace: str = NAMESPACE, labels: dict[str, str] | None = None) -> Object:
    metadata = {"name": name, "namespace": namespace, "labels": labels or {}}
    return {"metadata": metadata, "spec": spec}


def virtual_service(*routes: Object, name: str = "podinfo", domains: Iterable[str] = ("app.example.com",)) -> Object:
    return named(name, {"virtualHost": {"domains": list(domains), "routes": list(routes)}})


def delegating(name: str = "podinfo", **more: Any) -> Object:
    return {"matchers": [TRAFFIC], "delegateAction": {"ref": {"name": name, "namespace": NAMESPACE}}, **more}


def route_table(*routes: Object, name: str = "podinfo", labels: dict[str, str] | None = None, **spec: Any) -> Object:
    return named(name, {"routes": list(routes), **spec}, labels=labels)


def weighted(primary: int, canary: int, **more: Any) -> Object:
    """A route of the tutorial: the weight 0 is left out, as Go's JSON does."""
    destinations = [
        {"destination": {"upstream": {"name": upstream_name(side), "namespace": NAMESPACE}}, **weight}
        for side, weight in (("primary", _weight(primary)), ("canary", _weight(canary)))
    ]
    return {"inheritablePathMatchers": True, "routeAction": {"multi": {"destinations": destinations}}, **more}


def single(side: str, **more: Any) -> Object:
    destination = {"upstream": {"name": upstream_name(side), "namespace": NAMESPACE}}
    return {"routeAction": {"single": destination}, **more}


def _weight(weight: int) -> Object:
    return {"weight": weight} if weight else {}


def upstream_name(side: str) -> str:
    return f"test-podinfo-{side}upstream-9898"


def cluster_of(side: str) -> str:
    return f"{upstream_name(side)}_{NAMESPACE}"


def upstream(side: str, **spec: Any) -> Object:
    kube = {"serviceName": f"podinfo-{side}", "serviceNamespace": NAMESPACE, "servicePort": 9898}
    return named(upstream_name(side), {"kube": kube, **spec})


def service(side: str, *ports: Object) -> Object:
    return named(f"podinfo-{side}", {"ports": list(ports) or [{"name": "http", "port": 9898}]})


def endpoint_slice(
    side: str, *addresses: str, port: int = 9898, port_name: str = "http", ready: bool | None = True
) -> Object:
    conditions = {} if ready is None else {"ready": ready}
    return {
        "metadata": {
            "name": f"podinfo-{side}-{'-'.join(addresses).replace('.', '-')}",
            "namespace": NAMESPACE,
            "labels": {"kubernetes.io/service-name": f"podinfo-{side}"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": conditions} for address in addresses],
        "ports": [{"name": port_name, "port": port, "protocol": "TCP"}],
    }


def moved(item: Object, namespace: str) -> Object:
    """The same object in another namespace, with everything in it that names the namespace."""
    text = json.dumps(item).replace(f'"namespace": "{NAMESPACE}"', f'"namespace": "{namespace}"')
    moved_item: Object = json.loads(
        text.replace(f'"serviceNamespace": "{NAMESPACE}"', f'"serviceNamespace": "{namespace}"')
    )
    return moved_item


def by_ref(items: Iterable[Object]) -> Objects:
    return {ref_of(item): item for item in items}


def both(sort: Any) -> list[Object]:
    return [sort("primary"), sort("canary")]


def snapshot(
    virtual_services: Iterable[Object] = (),
    route_tables: Iterable[Object] = (),
    upstreams: Iterable[Object] | None = None,
    services: Iterable[Object] | None = None,
    endpoint_slices: Iterable[Object] = (),
) -> Snapshot:
    """The tutorial's upstreams and Services unless others are given."""
    return Snapshot(
        by_ref(virtual_services),
        by_ref(route_tables),
        by_ref(both(upstream) if upstreams is None else upstreams),
        by_ref(both(service) if services is None else services),
        by_ref(endpoint_slices),
    )


def tutorial(*routes: Object) -> Snapshot:
    """A VirtualService that delegates everything to one RouteTable with ``routes``."""
    return snapshot([virtual_service(delegating())], [route_table(*routes)])


def translated(given: Snapshot, before: Translation | None = None) -> Translation:
    return translate(given, DIRECTORY, before.good if before else None)
