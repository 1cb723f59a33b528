"""Built-in queries and query templates."""

from __future__ import annotations

import re

import pytest
import re2

from handlers.core.queries import built_in, render
from handlers.core.templates import fill_in
from schemas.canary import Canary, Metric

VALUES = {"name": "podinfo", "namespace": "test", "interval": "1m"}


def canary(**spec: object) -> Canary:
    whole = {"targetRef": {"name": "podinfo"}, "service": {"port": 9898}, **spec}
    return Canary.from_object({"metadata": {"name": "shop", "namespace": "test"}, "spec": whole})


def matches(query: str, cluster: str) -> bool:
    patterns = set(re.findall(r'envoy_cluster_name=~"([^"]*)"', query))
    assert len(patterns) == 1
    return bool(re2.fullmatch(patterns.pop(), cluster))


def fill(template: str, **variables: str) -> str:
    return fill_in(template, VALUES, variables)


def test_the_success_rate_counts_what_is_no_5xx_and_is_zero_when_there_is_nothing_else() -> None:
    query = built_in(canary(), Metric(name="request-success-rate", interval="30s"))
    pattern = 'envoy_cluster_name=~"(.*[^0-9a-zA-Z-])?test-podinfo-canaryupstream-[0-9]+_test"'
    assert query == (
        f'(sum(rate(envoy_cluster_upstream_rq{{{pattern}, envoy_response_code!~"5.*"}}[30s])) or vector(0))'
        f" / sum(rate(envoy_cluster_upstream_rq{{{pattern}}}[30s])) * 100"
    )


def test_the_duration_is_the_99th_percentile_of_the_canary_over_one_minute_unless_written() -> None:
    query = built_in(canary(), Metric(name="request-duration"))
    pattern = 'envoy_cluster_name=~"(.*[^0-9a-zA-Z-])?test-podinfo-canaryupstream-[0-9]+_test"'
    assert query == (
        f"histogram_quantile(0.99, sum(rate(envoy_cluster_upstream_rq_time_bucket{{{pattern}}}[1m])) by (le))"
    )


def test_the_cluster_is_named_after_the_service_and_not_after_the_target() -> None:
    query = built_in(canary(service={"name": "shop-front", "port": 80}), Metric(name="request-success-rate"))
    assert matches(query, "test-shop-front-canaryupstream-80_test")
    assert not matches(query, "test-podinfo-canaryupstream-80_test")


@pytest.mark.parametrize(
    "cluster",
    [
        "test-podinfo-primaryupstream-9898_test",
        "a-test-podinfo-canaryupstream-9898_a-test",
        "test-podinfo-canaryupstream-9898_test-podinfo",
        "test-podinfo-canaryupstream-9898",
    ],
)
def test_another_upstream_is_never_judged(cluster: str) -> None:
    assert not matches(built_in(canary(), Metric(name="request-success-rate")), cluster)


@pytest.mark.parametrize("prefix", ["", "kube-upstream_", "cluster."])
def test_a_gateway_may_put_a_prefix_before_the_cluster_name(prefix: str) -> None:
    query = built_in(canary(), Metric(name="request-success-rate"))
    assert matches(query, f"{prefix}test-podinfo-canaryupstream-9898_test")


def test_a_metric_of_another_name_has_no_built_in_query() -> None:
    with pytest.raises(KeyError):
        built_in(canary(), Metric(name="error-rate"))


def test_every_function_of_a_template_has_its_value() -> None:
    metric = Metric(name="m", interval="5m", template_variables={"key": "v", "a-b": "w"})
    found = canary(
        service={"name": "front", "port": 80},
        ingressRef={"kind": "Ingress", "name": "in"},
        routeRef={"kind": "Route", "name": "way"},
    )
    template = (
        "{{ name }} {{ namespace }} {{ target }} {{ service }} {{ ingress }} {{ route }} {{ interval }} "
        '{{ variables.key }} {{ index variables "a-b" }}'
    )
    assert render(template, found, metric) == "shop test podinfo front in way 5m v w"


def test_what_is_not_written_falls_back_to_the_target_and_one_minute() -> None:
    assert render("{{service}} {{ingress}} {{route}} {{interval}}", canary(), Metric(name="m")) == (
        "podinfo podinfo podinfo 1m"
    )


def test_the_tutorials_template_renders() -> None:
    template = """
    100 - sum(
        rate(
            http_request_duration_seconds_count{
              kubernetes_namespace="{{ namespace }}",
              status!="{{ variables.status }}"
            }[{{ interval }}]
        )
    )"""
    rendered = fill(template, status="404")
    assert 'kubernetes_namespace="test"' in rendered
    assert 'status!="404"' in rendered
    assert "}[1m]" in rendered
