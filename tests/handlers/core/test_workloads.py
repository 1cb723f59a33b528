"""Services as they should be."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.core import desired
from schemas.canary import Canary
from schemas.workload import Workload
from tests.handlers.core.cluster import KEYS
from tests.handlers.core.manifests import canary, podinfo, weighted


def target(**containers: Any) -> Workload:
    return Workload(podinfo() | containers)


def with_ports(*ports: dict[str, Any], sidecar: str = "") -> Workload:
    item = podinfo()
    containers = item["spec"]["template"]["spec"]["containers"]
    containers[0]["ports"] = list(ports)
    if sidecar:
        containers.append({"name": sidecar, "ports": [{"containerPort": 15001}]})
    return Workload(item)


def serving(**service: Any) -> Canary:
    return canary(weighted() | {"service": {"port": 80, **service}})


def ports_of(ours: Canary, workload: Workload) -> list[tuple[str, int, Any]]:
    spec = desired.services(ours, workload, KEYS)["apex"]["spec"]
    return [(port["name"], port["port"], port["targetPort"]) for port in spec["ports"]]


# ---- Services


def test_the_apex_and_the_primary_select_the_primary_and_the_canary_the_target() -> None:
    made = desired.services(serving(name="web"), target(), KEYS)
    found = {item["metadata"]["name"]: item["spec"]["selector"] for item in made.values()}
    assert found == {
        "web": {"app": "podinfo-primary"},
        "web-primary": {"app": "podinfo-primary"},
        "web-canary": {"app": "podinfo"},
    }
    assert {item["metadata"]["labels"]["app"] for item in made.values()} == set(found)


def test_the_selector_label_is_the_first_of_the_configured_that_the_target_has() -> None:
    item = podinfo()
    item["spec"]["selector"]["matchLabels"] = {"app.kubernetes.io/name": "b", "name": "a"}
    assert desired.selectors(Workload(item), KEYS)["primary"] == {"name": "a-primary"}
    item["spec"]["selector"]["matchLabels"] = {"tier": "front"}
    with pytest.raises(ValueError, match="has none of app name"):
        desired.selectors(Workload(item), KEYS)


@pytest.mark.parametrize(
    ("service", "port"),
    [
        ({}, {"name": "http", "port": 80, "targetPort": 80}),
        ({"targetPort": 9898, "portName": "web"}, {"name": "web", "port": 80, "targetPort": 9898}),
        ({"targetPort": "http", "appProtocol": "h2c"}, {"name": "http", "port": 80, "targetPort": "http"}),
    ],
)
def test_the_first_port_is_the_one_of_the_spec(service: dict[str, Any], port: dict[str, Any]) -> None:
    made = desired.services(serving(**service), target(), KEYS)["canary"]["spec"]["ports"]
    protocol = {"appProtocol": service["appProtocol"]} if "appProtocol" in service else {}
    assert made == [{**port, "protocol": "TCP", **protocol}]


def test_other_ports_are_discovered_but_not_those_of_sidecars() -> None:
    ports = ({"containerPort": 9898, "name": "http"}, {"containerPort": 9797, "name": "metrics"}, {"containerPort": 99})
    found = ports_of(serving(targetPort=9898, portDiscovery=True), with_ports(*ports, sidecar="istio-proxy"))
    assert found == [("http", 80, 9898), ("metrics", 9797, 9797), ("tcp-podinfod-2", 99, 99)]
    assert ports_of(serving(targetPort=9898), with_ports(*ports)) == [("http", 80, 9898)]


def test_a_discovered_port_takes_neither_a_number_nor_a_name_twice() -> None:
    ports = (
        {"containerPort": 8080, "name": "grpc"},
        {"containerPort": 9898, "name": "http"},
        {"containerPort": 9898, "name": "again"},
        {"containerPort": 80, "name": "other"},
    )
    found = ports_of(serving(targetPort="grpc", portDiscovery=True), with_ports(*ports))
    assert found == [("http", 80, "grpc"), ("tcp-podinfod-1", 9898, 9898)]


def test_headless_and_traffic_distribution_are_set() -> None:
    spec = desired.services(serving(headless=True, trafficDistribution="PreferClose"), target(), KEYS)["apex"]["spec"]
    assert (spec["clusterIP"], spec["trafficDistribution"]) == ("None", "PreferClose")


def test_each_service_has_the_metadata_that_is_meant_for_it() -> None:
    made = desired.services(serving(canary={"labels": {"side": "new"}}), target(), KEYS)
    assert made["canary"]["metadata"]["labels"] == {"side": "new", "app": "podinfo-canary"}
    assert "side" not in made["primary"]["metadata"]["labels"]
