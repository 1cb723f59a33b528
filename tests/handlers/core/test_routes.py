"""RouteTables and upstreams as they should be, rendered from nothing but their inputs."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from handlers.core import desired
from schemas.gloo import ROUTE_STEP
from schemas.status import CanaryStatus, Phase
from tests.handlers.core.manifests import ab_testing, canary, on_podinfo, weighted
from tests.handlers.core.routes import shares


def matching(*items: dict[str, Any]) -> list[dict[str, Any]]:
    """The matchers of the route that matched users take."""
    match = [{"headers": headers} for headers in items]
    made = desired.routes(canary(ab_testing(match=match)), 100)
    found: list[dict[str, Any]] = made[0]["matchers"]
    return found


@given(st.integers(0, 100))
def test_the_weights_of_a_route_sum_to_one_hundred(weight: int) -> None:
    (route,) = desired.routes(canary(weighted()), weight)
    assert shares(route) == {
        "test-podinfo-primaryupstream-9898": 100 - weight,
        "test-podinfo-canaryupstream-9898": weight,
    }
    assert "matchers" not in route


def test_several_matches_are_alternatives_and_everybody_else_is_on_the_primary() -> None:
    spec = ab_testing(match=[{"headers": {"a": {"exact": "1"}}}, {"headers": {"b": {"exact": "2"}}}])
    first, second = desired.routes(canary(spec), 100)
    assert first["matchers"] == [
        {"headers": [{"name": "a", "value": "1"}]},
        {"headers": [{"name": "b", "value": "2"}]},
    ]
    assert shares(first)["test-podinfo-canaryupstream-9898"] == 100
    assert "matchers" not in second
    assert shares(second)["test-podinfo-canaryupstream-9898"] == 0


def test_all_headers_of_one_match_must_match_in_an_order_that_never_changes() -> None:
    headers = {"b": {"exact": "2"}, "a": {"regex": "^x$"}}
    (matcher,) = matching(headers)
    assert matcher == {
        "headers": [{"name": "a", "value": "^x$", "regex": True}, {"name": "b", "value": "2"}],
    }
    assert matching(dict(reversed(list(headers.items())))) == [matcher]


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1), st.text("ab.*"))
def test_prefix_and_suffix_match_literally_in_the_gateways_own_engine(fixed: str, rest: str) -> None:
    ((before,), (after,)) = (item["headers"] for item in matching({"x": {"prefix": fixed}}, {"x": {"suffix": fixed}}))
    assert before["regex"] is after["regex"] is True
    assert re2.fullmatch(before["value"], fixed + rest)
    assert re2.fullmatch(after["value"], rest + fixed)
    assert not re2.fullmatch(before["value"], "\x7f" + fixed)
    assert not re2.fullmatch(after["value"], fixed + "\x7f")


def test_a_regex_that_the_gateway_would_refuse_is_never_written() -> None:
    """One such pattern freezes every route of the gateway."""
    spec = ab_testing(match=[{"headers": {"a": {"regex": "(?!x)"}}}, {"headers": {"b": {"exact": "2"}}}])
    first, _ = desired.routes(canary(spec), 100)
    assert first["matchers"] == [{"headers": [{"name": "b", "value": "2"}]}]
    (only,) = desired.routes(canary(ab_testing(match=[{"headers": {"a": {"regex": "("}}}])), 100)
    assert shares(only)["test-podinfo-canaryupstream-9898"] == 0, "nobody matches, so everybody is on the primary"


@pytest.mark.parametrize("name", ["", "a\nb"])
def test_a_header_name_that_the_gateway_would_refuse_is_never_written(name: str) -> None:
    spec = ab_testing(
        match=[{"headers": {name: {"exact": "1"}, "a": {"exact": "1"}}}, {"headers": {"b": {"exact": "2"}}}]
    )
    first, _ = desired.routes(canary(spec), 100)
    assert first["matchers"] == [{"headers": [{"name": "b", "value": "2"}]}]


def test_a_match_without_any_header_is_everybody_and_beside_one_it_is_nobody() -> None:
    parameter, header = {"queryParams": {"v": {"exact": "2"}}}, {"headers": {"a": {"exact": "1"}}}
    (only,) = desired.routes(canary(ab_testing(match=[parameter, {}])), 100)
    assert "matchers" not in only
    assert shares(only)["test-podinfo-canaryupstream-9898"] == 100
    matched, _ = desired.routes(canary(ab_testing(match=[parameter, header])), 100)
    assert matched["matchers"] == [{"headers": [{"name": "a", "value": "1"}]}]


@pytest.mark.parametrize("value", [{"exact": ""}, {"regex": ""}])
def test_a_header_that_must_be_empty_is_not_one_that_need_only_be_there(value: dict[str, str]) -> None:
    (matcher,) = matching({"x": value})
    (header,) = matcher["headers"]
    assert (header["regex"], header["value"]) == (True, "^$")


def test_weights_that_the_gateway_leaves_out_count_as_zero() -> None:
    table = {"spec": {"routes": desired.routes(canary(weighted()), 0)}}
    read = copy.deepcopy(table)
    del read["spec"]["routes"][0]["routeAction"]["multi"]["destinations"][1]["weight"]
    read["spec"]["routes"][0]["matchers"] = []
    assert desired.route_table_is_current(canary(weighted()), CanaryStatus(), read)
    assert not desired.route_table_is_current(canary(weighted()), CanaryStatus(canary_weight=1), read)


@pytest.mark.parametrize("table", [{}, {"spec": {}}, {"spec": {"routes": []}}, {"spec": {"routes": [{}]}}])
def test_a_table_that_somebody_emptied_is_not_current(table: dict[str, Any]) -> None:
    assert not desired.route_table_is_current(canary(weighted()), CanaryStatus(), table)
    made = desired.route_table(canary(weighted()), CanaryStatus(), table)
    assert len(made["spec"]["routes"]) == 1


def test_a_route_table_carries_owner_fence_and_the_apex_metadata() -> None:
    apex = {"labels": {"team": "a"}, "annotations": {"note": "b"}}
    spec = weighted() | {"service": {"port": 9898, "name": "web", "apex": apex}}
    made = desired.route_table(canary(spec), CanaryStatus(route_step=7))
    metadata = made["metadata"]
    assert (metadata["name"], metadata["namespace"], metadata["labels"]) == ("web", "test", {"team": "a"})
    assert metadata["annotations"] == {
        "note": "b",
        "kustomize.toolkit.fluxcd.io/reconcile": "disabled",
        "helm.toolkit.fluxcd.io/driftDetection": "disabled",
        "canarybus.dev/keys": '{"annotations":["note"],"labels":["team"]}',
        ROUTE_STEP: "7",
    }
    assert metadata["ownerReferences"] == [
        {
            "apiVersion": "flagger.app/v1beta1",
            "kind": "Canary",
            "name": "web",
            "uid": "u",
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]


def test_the_routes_of_a_broken_canary_go_back_as_they_are() -> None:
    existing = desired.routes(canary(weighted()), 40)
    existing[0]["options"] = {"timeout": "5s"}
    back = desired.routes_back(existing)
    assert shares(back[0]) == {"test-podinfo-primaryupstream-9898": 100, "test-podinfo-canaryupstream-9898": 0}
    assert back[0]["options"] == {"timeout": "5s"}
    assert shares(existing[0])["test-podinfo-canaryupstream-9898"] == 40
    assert desired.routes_back([{}]) == [{}]
    other = {"destination": {"upstream": {"name": "other", "namespace": "test"}}, "weight": 1}
    somebodys = {"routeAction": {"multi": {"destinations": [other]}}}
    assert desired.routes_back([*existing, somebodys]) == [*back, somebodys], "without any weight Gloo would refuse it"


@pytest.mark.parametrize(
    ("phase", "weight", "wanted"),
    [
        (Phase.INITIALIZED, 0, False),
        (Phase.SUCCEEDED, 0, False),
        (Phase.FAILED, 0, False),
        (Phase.FAILED, 100, True),
        (Phase.WAITING, 0, False),
        (Phase.INITIALIZING, 0, True),
        (Phase.PROGRESSING, 0, True),
        (Phase.WAITING_PROMOTION, 50, True),
        (Phase.PROMOTING, 0, True),
        (Phase.FINALISING, 0, True),
    ],
)
def test_the_target_runs_during_a_rollout_and_as_long_as_traffic_is_on_it(
    phase: Phase, weight: int, wanted: bool
) -> None:
    assert desired.canary_wanted(CanaryStatus(phase=phase, canary_weight=weight)) is wanted


# ---- upstreams


def test_upstreams_have_the_peers_names_and_select_their_own_pods() -> None:
    ours = canary(on_podinfo({"stepWeight": 10}) | {"service": {"port": 80, "name": "web"}})
    made = desired.upstream(ours, "canary", {"app": "podinfo"}, None)
    assert made["metadata"]["name"] == "test-web-canaryupstream-80"
    assert made["spec"] == {
        "kube": {
            "serviceName": "web-canary",
            "serviceNamespace": "test",
            "servicePort": 80,
            "selector": {"app": "podinfo"},
        }
    }


def test_the_settings_of_the_referenced_upstream_are_copied_and_nothing_else() -> None:
    settings = {name: {"x": name} for name in desired.COPIED_UPSTREAM_FIELDS}
    source = {"spec": {**settings, "kube": {"serviceName": "other"}, "healthChecks": [1], "failover": {}}}
    made = desired.upstream(canary(weighted()), "primary", {"app": "podinfo-primary"}, source)
    assert {name: made["spec"][name] for name in settings} == settings
    assert made["spec"]["kube"]["serviceName"] == "podinfo-primary"
    assert set(made["spec"]) == {"kube", *settings}
