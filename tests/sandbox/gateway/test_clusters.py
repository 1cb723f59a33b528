"""Upstreams as Envoy's clusters, and the pods behind them."""

from __future__ import annotations

import pytest

from deploy.sandbox.mirror import Ref
from handlers.adapters.kube import Object
from schemas.resources import UPSTREAM
from tests.sandbox.gateway.objects import (
    cluster_of,
    endpoint_slice,
    named,
    service,
    snapshot,
    translated,
    upstream,
    upstream_name,
)

HTTP = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def endpoints(*slices: Object, ports: tuple[Object, ...] = ()) -> list[tuple[str, int]]:
    services = [service("canary", *ports)]
    result = translated(snapshot(upstreams=[upstream("canary")], services=services, endpoint_slices=slices))
    addresses = [
        each["endpoint"]["address"]["socket_address"]
        for locality in result.assignments[cluster_of("canary")]["endpoints"]
        for each in locality["lb_endpoints"]
    ]
    return [(address["address"], address["port_value"]) for address in addresses]


def cluster(**spec: object) -> Object:
    return translated(snapshot(upstreams=[upstream("canary", **spec)])).clusters[cluster_of("canary")]


def test_a_cluster_is_named_as_the_metric_queries_expect_it() -> None:
    assert cluster()["name"] == "test-podinfo-canaryupstream-9898_test"


def test_ready_pods_of_all_slices_are_dialled_on_loopback_at_their_target_port() -> None:
    found = endpoints(endpoint_slice("canary", "10.7.0.2", port=8080), endpoint_slice("canary", "10.7.0.1", port=8080))
    assert found == [("127.7.0.1", 8080), ("127.7.0.2", 8080)]


def test_a_pod_that_is_not_ready_gets_nothing() -> None:
    assert endpoints(endpoint_slice("canary", "10.7.0.1", ready=False)) == []


def test_a_pod_whose_readiness_is_not_told_is_ready() -> None:
    assert endpoints(endpoint_slice("canary", "10.7.0.1", ready=None)) == [("127.7.0.1", 9898)]


def test_pods_of_other_services_and_addresses_of_other_kinds_do_not_count() -> None:
    six = endpoint_slice("canary", "fd00::1") | {"addressType": "IPv6"}
    assert endpoints(endpoint_slice("primary", "10.7.0.1"), six) == []


def test_the_port_is_found_by_its_name_in_the_service() -> None:
    ports: tuple[Object, ...] = ({"name": "grpc", "port": 9999}, {"name": "http", "port": 9898})
    grpc = endpoint_slice("canary", "10.7.0.1", port=1, port_name="grpc")
    assert endpoints(grpc, endpoint_slice("canary", "10.7.0.2", port=2), ports=ports) == [("127.7.0.2", 2)]


def test_a_missing_service_leaves_the_cluster_empty() -> None:
    slices = [endpoint_slice("canary", "10.7.0.1")]
    result = translated(snapshot(upstreams=[upstream("canary")], services=[], endpoint_slices=slices))
    assert result.assignments[cluster_of("canary")]["endpoints"] == [{"lb_endpoints": []}]


def test_what_an_upstream_says_of_connections_reaches_envoy() -> None:
    made = cluster(
        connectionConfig={
            "connectTimeout": "250ms",
            "maxRequestsPerConnection": 7,
            "perConnectionBufferLimitBytes": 1000,
            "commonHttpProtocolOptions": {"idleTimeout": "30s", "maxHeadersCount": 9},
        },
        circuitBreakers={"maxConnections": 1, "maxPendingRequests": 2, "maxRequests": 3, "maxRetries": 4},
    )
    assert made["connect_timeout"] == "0.25s"
    assert made["per_connection_buffer_limit_bytes"] == 1000
    assert made["typed_extension_protocol_options"][HTTP]["common_http_protocol_options"] == {
        "idle_timeout": "30s",
        "max_headers_count": 9,
        "max_requests_per_connection": 7,
    }
    limits = {"max_connections": 1, "max_pending_requests": 2, "max_requests": 3, "max_retries": 4}
    assert made["circuit_breakers"] == {"thresholds": [limits]}


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        ({}, {"lb_policy": "ROUND_ROBIN"}),
        ({"roundRobin": {}}, {"lb_policy": "ROUND_ROBIN"}),
        ({"random": {}}, {"lb_policy": "RANDOM"}),
        (
            {"leastRequest": {"choiceCount": 3}, "healthyPanicThreshold": 0},
            {
                "lb_policy": "LEAST_REQUEST",
                "least_request_lb_config": {"choice_count": 3},
                "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
            },
        ),
    ],
)
def test_the_load_balancer_is_the_one_asked_for(config: Object, wanted: Object) -> None:
    made = cluster(loadBalancerConfig=config)
    assert {key: made[key] for key in wanted} == wanted


def test_http2_is_spoken_where_it_is_asked_for() -> None:
    options = cluster(useHttp2=True, initialStreamWindowSize=65536)["typed_extension_protocol_options"][HTTP]
    wanted = {"http2_protocol_options": {"initial_stream_window_size": 65536}}
    assert options["explicit_http_config"] == wanted


def test_static_hosts_are_addresses_or_names() -> None:
    for address, kind in (("10.7.0.1", "STATIC"), ("backend.example.com", "STRICT_DNS")):
        item = named("backend", {"static": {"hosts": [{"addr": address, "port": 80}]}})
        result = translated(snapshot(upstreams=[item]))
        assert result.clusters["backend_test"]["type"] == kind
        assert result.assignments == {}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"kube": {}, "connectionConfig": {"connectTimeout": "soon"}}, "'soon' is not a duration"),
        ({"aws": {}}, "neither kube nor static.hosts"),
    ],
)
def test_an_upstream_that_cannot_be_translated_is_rejected_in_words(spec: Object, words: str) -> None:
    result = translated(snapshot(upstreams=[named(upstream_name("canary"), spec)]))
    assert result.clusters == {}
    [error] = result.reports[UPSTREAM, Ref("test", upstream_name("canary"))].errors
    assert words in error
