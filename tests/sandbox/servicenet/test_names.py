from __future__ import annotations

import argparse
from collections.abc import Mapping
from http import HTTPStatus

import pytest

from deploy.sandbox.mirror import Ref
from deploy.sandbox.servicenet.names import Address, Names, UnreachableError, service_of, static_entry
from tests.sandbox.gateway.objects import by_ref, endpoint_slice, named, service


def names(*slices: object, static: Mapping[tuple[Ref, int], Address] | None = None) -> Names:
    cluster_ip = named("podinfo-primary", {"clusterIP": "10.96.0.7", "ports": [{"name": "http", "port": 80}]})
    services = [service("canary"), cluster_ip]
    return Names(by_ref(services), by_ref(slices), static or {})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("podinfo-canary", Ref("test", "podinfo-canary")),
        ("flagger-loadtester.tools", Ref("tools", "flagger-loadtester")),
        ("x.ns.svc", Ref("ns", "x")),
        ("x.ns.svc.cluster.local", Ref("ns", "x")),
        ("X.ns.svc.cluster.local.", Ref("ns", "x")),
        ("hooks.example.com", None),
        ("x.ns.svc.example", None),
    ],
)
def test_a_name_is_read_as_cluster_dns_reads_it(host: str, found: Ref | None) -> None:
    assert service_of(host, "test") == found


def test_a_short_name_belongs_to_the_namespace_of_who_asks() -> None:
    known = names(endpoint_slice("canary", "10.7.0.1"))
    assert known.resolve("podinfo-canary", 9898, "test") == ("127.7.0.1", 9898)
    with pytest.raises(UnreachableError, match="there is no Service podinfo-canary in namespace prod"):
        known.resolve("podinfo-canary", 9898, "prod")


def test_ready_pods_take_turns_at_their_target_port() -> None:
    known = names(endpoint_slice("canary", "10.7.0.1", "10.7.0.2", port=8080))
    assert [known.resolve("podinfo-canary.test", 9898, "default") for _ in range(4)] == [
        ("127.7.0.1", 8080),
        ("127.7.0.2", 8080),
    ] * 2


def test_a_service_without_ready_pods_is_unavailable() -> None:
    known = names(endpoint_slice("canary", "10.7.0.1", ready=False))
    with pytest.raises(UnreachableError, match="no pod of the Service podinfo-canary in namespace test") as raised:
        known.resolve("podinfo-canary", 9898, "test")
    assert raised.value.status == HTTPStatus.SERVICE_UNAVAILABLE


def test_a_port_that_the_service_has_not_is_named_with_those_it_has() -> None:
    with pytest.raises(UnreachableError, match="has no such port; its ports: 9898"):
        names(endpoint_slice("canary", "10.7.0.1")).resolve("podinfo-canary", 80, "test")


def test_the_cluster_address_of_a_service_leads_to_its_pods() -> None:
    assert names(endpoint_slice("primary", "10.7.0.3")).resolve("10.96.0.7", 80, "test") == ("127.7.0.3", 9898)


def test_a_pod_can_be_asked_by_its_address() -> None:
    assert names().resolve("10.7.0.9", 9898, "test") == ("127.7.0.9", 9898)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_the_machine_itself_stays_where_it_is(host: str) -> None:
    assert names().resolve(host, 9898, "test") == ("127.0.0.1", 9898)


def test_a_part_that_is_no_pod_is_found_by_its_static_name() -> None:
    static = dict([static_entry("flagger-prometheus.gloo-system:9090=127.0.0.1:40123")])
    assert names(static=static).resolve("flagger-prometheus.gloo-system", 9090, "test") == ("127.0.0.1", 40123)


def test_a_name_of_the_wide_world_is_refused_with_the_reason() -> None:
    with pytest.raises(UnreachableError, match="no way out of the machine"):
        names().resolve("hooks.example.com", 80, "test")


@pytest.mark.parametrize("text", ["x.a=127.0.0.1:1", "x:1=127.0.0.1:1", "x.a:1=host:1", "x.a:1", "x.a:b=127.0.0.1:1"])
def test_a_static_name_that_is_not_written_so_is_refused_with_the_way_to_write_it(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"write name\.namespace:port=address:port"):
        static_entry(text)
