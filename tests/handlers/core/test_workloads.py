"""Services, the primary and its scaler as they should be."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.core import desired, primary
from schemas.canary import Canary
from schemas.revision import REVISION, TEMPLATE
from schemas.status import CanaryStatus
from schemas.workload import PRIMARY_STEP, Workload
from tests.handlers.core.cluster import KEYS
from tests.handlers.core.manifests import podinfo, weighted
from tests.handlers.core.test_routes import canary

STATUS = CanaryStatus(primary_revision="0123456789abcdef", primary_step=4)


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


# ---- the primary


def test_a_primary_runs_the_snapshot_under_its_own_label_and_marks() -> None:
    item = podinfo()
    item["metadata"]["annotations"] = {"kept": "yes", "kustomize.toolkit.fluxcd.io/ssa": "no"}
    item["spec"] |= {"replicas": 3, "minReadySeconds": 4, "revisionHistoryLimit": 2, "paused": True}
    snapshot = podinfo("podinfo:analysed")["spec"]["template"]
    made = primary.primary(canary(weighted()), STATUS, Workload(item), snapshot, KEYS)
    assert made["metadata"]["name"] == "podinfo-primary"
    assert made["metadata"]["annotations"]["kept"] == "yes"
    assert "kustomize.toolkit.fluxcd.io/ssa" not in made["metadata"]["annotations"]
    spec = made["spec"]
    assert (spec["replicas"], spec["minReadySeconds"], spec["revisionHistoryLimit"]) == (3, 4, 2)
    assert "paused" not in spec
    assert spec["selector"] == {"matchLabels": {"app": "podinfo-primary"}}
    assert spec["template"]["metadata"]["labels"] == {"app": "podinfo-primary"}
    assert spec["template"]["spec"]["containers"][0]["image"] == "podinfo:analysed"
    assert Workload(made).fence(PRIMARY_STEP) == 4
    assert Workload(made).runs(STATUS.primary_revision)


def test_a_primary_of_a_parked_target_has_one_pod() -> None:
    item = podinfo()
    item["spec"]["replicas"] = 0
    made = primary.primary(canary(weighted()), STATUS, Workload(item), item["spec"]["template"], KEYS)
    assert made["spec"]["replicas"] == 1


def test_an_edited_primary_no_longer_runs_its_revision() -> None:
    made = primary.primary(canary(weighted()), STATUS, target(), podinfo()["spec"]["template"], KEYS)
    made["spec"]["template"]["spec"]["containers"][0]["image"] = "foreign"
    assert not Workload(made).runs(STATUS.primary_revision)


@pytest.mark.parametrize(
    ("replicas", "scaler", "after"),
    [(5, None, 5), (0, None, 2), (5, {"kind": "HorizontalPodAutoscaler", "name": "podinfo"}, 2)],
    ids=["follows the target", "a parked target is no size", "a scaler owns it"],
)
def test_a_primary_that_is_written_again_keeps_what_is_not_ours(
    replicas: int, scaler: dict[str, str] | None, after: int
) -> None:
    ours = canary(weighted() | ({"autoscalerRef": scaler} if scaler else {}))
    existing = primary.primary(ours, STATUS, target(), podinfo()["spec"]["template"], KEYS)
    existing["metadata"]["labels"]["theirs"] = "kept"
    item = podinfo("podinfo:2")
    item["spec"] |= {"replicas": replicas, "strategy": {"type": "Recreate"}}
    later = STATUS.model_copy(update={"primary_step": 9, "primary_revision": "fedcba9876543210"})
    again = primary.primary_again(ours, later, Workload(existing), Workload(item), item["spec"]["template"], KEYS)
    assert again["metadata"]["labels"]["theirs"] == "kept"
    assert again["spec"]["replicas"] == after
    assert again["spec"]["strategy"] == {"type": "Recreate"}
    assert Workload(again).runs("fedcba9876543210")
    assert again["metadata"]["annotations"][REVISION] == "fedcba9876543210"
    assert existing["metadata"]["annotations"][TEMPLATE] != again["metadata"]["annotations"][TEMPLATE]


def test_pods_are_spread_against_the_primarys_own_pods() -> None:
    terms = {
        "requiredDuringSchedulingIgnoredDuringExecution": [{"labelSelector": {"matchLabels": {"app": "podinfo"}}}],
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {"podAffinityTerm": {"labelSelector": {"matchExpressions": [{"key": "app", "values": ["podinfo", "x"]}]}}}
        ],
    }
    together = {
        "requiredDuringSchedulingIgnoredDuringExecution": [{"labelSelector": {"matchLabels": {"app": "podinfo"}}}]
    }
    template = podinfo(
        affinity={"podAntiAffinity": terms, "podAffinity": together},
        topologySpreadConstraints=[{"labelSelector": {"matchLabels": {"app": "podinfo"}}}, {"maxSkew": 1}],
    )["spec"]["template"]
    made = primary.primary_template(canary(weighted()), template, "app", "podinfo-primary")["spec"]
    anti = made["affinity"]["podAntiAffinity"]
    required = anti["requiredDuringSchedulingIgnoredDuringExecution"][0]["labelSelector"]
    preferred = anti["preferredDuringSchedulingIgnoredDuringExecution"][0]["podAffinityTerm"]["labelSelector"]
    assert required == {"matchLabels": {"app": "podinfo-primary"}}
    assert preferred["matchExpressions"][0]["values"] == ["podinfo-primary", "x"]
    assert made["topologySpreadConstraints"][0]["labelSelector"] == {"matchLabels": {"app": "podinfo-primary"}}
    assert made["affinity"]["podAffinity"] == together, "who it wants to be near does not change"
    assert template["spec"]["affinity"]["podAntiAffinity"] == terms, "the snapshot is not touched"


def test_the_templates_annotations_are_copied_but_the_toolkits() -> None:
    template = podinfo()["spec"]["template"]
    template["metadata"]["annotations"] = {"prometheus.io/scrape": "true", "kustomize.toolkit.fluxcd.io/x": "y"}
    made = primary.primary_template(canary(weighted()), template, "app", "podinfo-primary")
    assert made["metadata"]["annotations"] == {"prometheus.io/scrape": "true"}


# ---- the scaler


@pytest.mark.parametrize(
    ("override", "bounds"),
    [(None, (2, 4)), ({"minReplicas": 3}, (3, 4)), ({"minReplicas": 3, "maxReplicas": 9}, (3, 9))],
)
def test_the_primarys_scaler_follows_the_targets(override: dict[str, int] | None, bounds: tuple[int, int]) -> None:
    ref: dict[str, Any] = {"kind": "HorizontalPodAutoscaler", "name": "podinfo"}
    if override:
        ref["primaryScalerReplicas"] = override
    source = {
        "metadata": {"name": "podinfo", "labels": {"a": "b", "helm.toolkit.fluxcd.io/name": "c"}},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
            "minReplicas": 2,
            "maxReplicas": 4,
            "metrics": [{"type": "Resource"}],
        },
    }
    made = primary.scaler(canary(weighted() | {"autoscalerRef": ref}), source)
    assert (made["spec"]["minReplicas"], made["spec"]["maxReplicas"]) == bounds
    assert made["spec"]["metrics"] == [{"type": "Resource"}]
    assert made["spec"]["scaleTargetRef"]["name"] == "podinfo-primary"
    assert made["metadata"]["name"] == "podinfo-primary"
    assert made["metadata"]["labels"] == {"a": "b"}
