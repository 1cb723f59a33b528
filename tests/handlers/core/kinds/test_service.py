"""Services (spec targets 3.3): their two copies, what a revision of them is, and where upstreams lead."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from handlers.core import copies, desired
from handlers.core.belongings import owners
from schemas.status import CanaryStatus
from schemas.workload import TARGET_STEP, Workload
from tests.handlers.core import shapes
from tests.handlers.core.cluster import KEYS
from tests.handlers.core.kinds.making import FIRST, SECOND, canary, made, made_again, source, workload
from tests.handlers.core.manifests import weighted
from tests.handlers.core.test_validate import found

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def service(image: str = "podinfo:1", **spec: Any) -> dict[str, Any]:
    item = shapes.make("Service", image)
    item["metadata"]["labels"] = {"team.io/name": "a", "tier": "front"}
    item["metadata"]["annotations"] = {"note": "b", LAST_APPLIED: "{}", "helm.toolkit.fluxcd.io/name": "c"}
    item["spec"] |= spec
    return item


# ---- what is a revision, and what is not


@pytest.mark.parametrize(
    "assigned",
    [
        {"clusterIP": "10.96.9.9", "clusterIPs": ["10.96.9.9", "fd00::9"]},
        {"healthCheckNodePort": 32000},
        {"ports": [{"name": "http", "port": 9898, "targetPort": 9898, "protocol": "TCP", "nodePort": 31999}]},
        {"ports": [{"name": "http", "port": 9898, "targetPort": 9898, "protocol": "TCP"}]},
    ],
    ids=" ".join,
)
def test_what_the_api_server_assigns_is_no_other_revision(assigned: dict[str, Any]) -> None:
    assert Workload(service(**assigned)).revision() == Workload(service()).revision()


def test_neither_its_status_nor_its_metadata_is_part_of_a_revision() -> None:
    item = service() | {"status": {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}}
    item["metadata"] = {**item["metadata"], "labels": {}, "annotations": {}}
    assert Workload(item).revision() == Workload(service()).revision()


@pytest.mark.parametrize(
    "wanted",
    [
        {"selector": {"app": "other"}},
        {"sessionAffinity": "ClientIP"},
        {"type": "LoadBalancer"},
        {"clusterIP": "None", "clusterIPs": ["None"]},
        {"ports": [{"name": "http", "port": 9898, "targetPort": 8080, "protocol": "TCP"}]},
    ],
    ids=" ".join,
)
def test_what_its_users_want_is_a_revision(wanted: dict[str, Any]) -> None:
    assert Workload(service(**wanted)).revision() != Workload(service()).revision()


# ---- the copies


def test_a_new_copy_has_its_own_addresses_and_all_metadata_but_that_of_the_original() -> None:
    item = service(externalIPs=["192.0.2.1"], loadBalancerIP="192.0.2.2", healthCheckNodePort=32000)
    new = made(item)
    assert new["spec"] == {
        "type": "NodePort",
        "selector": {"app": "podinfo", "image": "podinfo:1"},
        "ports": [{"name": "http", "port": 9898, "targetPort": 9898, "protocol": "TCP"}],
    }
    assert new["metadata"]["name"] == "podinfo-primary"
    assert new["metadata"]["labels"] == {"team.io/name": "a", "tier": "front"}
    assert new["metadata"]["annotations"].keys() == {
        "note",
        "canarybus.dev/primary-step",
        "canarybus.dev/revision",
        "canarybus.dev/template",
    }
    assert workload(new, item).runs(FIRST)


def test_a_promotion_replaces_the_spec_and_names_no_address() -> None:
    existing = made(service(sessionAffinity="ClientIP"))
    existing["spec"] |= {"clusterIP": "10.96.0.8", "clusterIPs": ["10.96.0.8"]}
    item = service("podinfo:2")
    item["spec"]["ports"] = [*item["spec"]["ports"], {"name": "grpc", "port": 9999, "targetPort": 9999}]
    again = made_again(existing, item, prefixes=("team.io/",))
    assert again["spec"] == {
        "type": "NodePort",
        "selector": {"app": "podinfo", "image": "podinfo:2"},
        "ports": [
            {"name": "http", "port": 9898, "targetPort": 9898, "protocol": "TCP"},
            {"name": "grpc", "port": 9999, "targetPort": 9999},
        ],
    }, "the API server keeps what it has assigned"
    assert again["metadata"]["labels"] == {"team.io/name": "a"}
    assert workload(again, item).runs(SECOND)


def test_a_headless_copy_stays_what_it_was_made_as() -> None:
    headless: dict[str, Any] = {"clusterIP": "None", "clusterIPs": ["None"]}
    assert made(service(**headless))["spec"]["clusterIP"] == "None"
    again = made_again(made(service()), service("podinfo:2", **headless))
    assert again["spec"].keys().isdisjoint({"clusterIP", "clusterIPs"}), "the API server does not let it change"
    kept = made_again(made(service(**headless)), item := service("podinfo:2", **headless))
    assert kept["spec"].items() >= headless.items()
    assert workload(kept, item).runs(SECOND), "as the API server shows it afterwards"


@pytest.mark.parametrize(("kind", "kept"), [("ClusterIP", False), ("NodePort", True), ("LoadBalancer", True)])
def test_a_copy_without_the_addresses_of_the_original_says_nothing_about_who_comes_by_them(
    kind: str, kept: bool
) -> None:
    item = service(type=kind, externalIPs=["192.0.2.1"], externalTrafficPolicy="Local")
    new = made(item)
    assert ("externalTrafficPolicy" in new["spec"]) is kept
    assert workload(new, item).runs(FIRST)


def test_the_canarys_copy_carries_the_targets_fence_and_the_canarys_revision() -> None:
    ours = canary(service()).model_copy(update={"status": CanaryStatus(target_step=6, canary_revision=SECOND)})
    item = service("podinfo:2")
    new = copies.copy(replace(source(item, revision=SECOND), canary=ours), None)
    assert new["metadata"]["name"] == "podinfo-canary"
    assert new["metadata"]["ownerReferences"] == owners(ours)
    read = workload(new, item)
    assert read.fence(TARGET_STEP) == 6
    assert copies.is_current(ours, read)
    later = ours.model_copy(update={"status": ours.status.model_copy(update={"target_step": 7})})
    assert not copies.is_current(later, read), "an equal value with an older fence is written all the same"
    new["spec"]["selector"] = {"app": "foreign"}
    assert not copies.is_current(ours, workload(new, item))


# ---- where upstreams lead


def test_no_services_are_made_around_it_and_upstreams_lead_to_the_copies_by_name_alone() -> None:
    item = service()
    ours, target = canary(item), Workload(item)
    assert desired.services(ours, target, KEYS) == {}
    for role, selector in desired.selectors(target, KEYS).items():
        kube = desired.upstream(ours, role, selector, None)["spec"]["kube"]
        assert kube == {"serviceName": f"podinfo-{role}", "serviceNamespace": "test", "servicePort": 9898}


# ---- what is wrong with it


@pytest.mark.parametrize(
    ("spec", "target", "problem"),
    [
        ({}, {}, ""),
        ({"service": {"port": 9898, "name": "podinfo"}}, {}, ""),
        (
            {"service": {"port": 9898, "name": "web"}},
            {},
            (
                "spec.service.name: web; routes lead to the copies podinfo-primary and podinfo-canary of the target; "
                "remove it or set it to podinfo"
            ),
        ),
        (
            {"service": {"port": 80}},
            {},
            "spec.service.port: 80 is not a port of service podinfo.test; give one of [9898]",
        ),
        (
            {},
            {"selector": None},
            "service podinfo.test has no spec.selector, its copies would have no endpoints; give it one",
        ),
    ],
)
def test_what_would_lead_nowhere_is_told_with_the_remedy(
    spec: dict[str, Any], target: dict[str, Any], problem: str
) -> None:
    wanted = {**shapes.of_kind("Service", weighted()), **spec}
    assert found(wanted, target=service(**target)) == ((problem,) if problem else ())
