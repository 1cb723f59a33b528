"""What tests ask of a translation."""

from __future__ import annotations

from deploy.sandbox.gateway.snapshot import Report, Snapshot, Translation
from deploy.sandbox.mirror import Ref
from handlers.adapters.kube import Object
from schemas.resources import ROUTE_TABLE, VIRTUAL_SERVICE
from tests.sandbox.gateway.objects import NAMESPACE, translated

PODINFO = Ref(NAMESPACE, "podinfo")


def routes(given: Snapshot | Translation) -> list[Object]:
    result = given if isinstance(given, Translation) else translated(given)
    return [route for host in result.routes["virtual_hosts"] for route in host["routes"]]


def weights(route: Object) -> dict[str, int]:
    return {entry["name"]: entry["weight"] for entry in route["route"]["weighted_clusters"]["clusters"]}


def clusters(given: Snapshot) -> list[str]:
    return [route["route"]["cluster"] for route in routes(given)]


def table_report(result: Translation) -> Report:
    return result.reports[ROUTE_TABLE, PODINFO]


def host_report(result: Translation) -> Report:
    return result.reports[VIRTUAL_SERVICE, PODINFO]


def by_regex(pattern: str) -> Object:
    """As Gloo writes it, with the limit of its Settings."""
    return {"safe_regex": {"google_re2": {"max_program_size": 1024}, "regex": pattern}}
