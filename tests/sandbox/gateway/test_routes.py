"""Routes: what a request has to look like, and where it goes."""

from __future__ import annotations

import pytest

from deploy.sandbox.gateway.snapshot import Report
from deploy.sandbox.mirror import Ref
from handlers.adapters.kube import Object
from schemas.resources import UPSTREAM, VIRTUAL_SERVICE
from tests.sandbox.gateway.objects import (
    NAMESPACE,
    cluster_of,
    delegating,
    route_table,
    single,
    snapshot,
    translated,
    tutorial,
    upstream,
    virtual_service,
    weighted,
)
from tests.sandbox.gateway.readers import by_regex, host_report, routes, table_report, weights

NO_WEIGHT = "Weighted Destinations require a total weight that is greater than or equal to 1"


def test_a_delegated_route_has_the_prefix_of_its_virtual_service_and_the_weights_of_its_table() -> None:
    [route] = routes(tutorial(weighted(80, 20)))
    assert route["match"] == {"prefix": "/"}
    assert weights(route) == {cluster_of("primary"): 80, cluster_of("canary"): 20}


def test_a_weight_that_is_left_out_is_zero() -> None:
    [route] = routes(tutorial(weighted(100, 0)))
    assert weights(route) == {cluster_of("primary"): 100, cluster_of("canary"): 0}


def test_the_two_routes_of_an_ab_test_keep_their_order() -> None:
    insider = weighted(0, 100, matchers=[{"headers": [{"name": "x-canary", "value": "insider"}]}])
    first, second = routes(tutorial(insider, weighted(100, 0)))
    assert first["match"] == {
        "prefix": "/",
        "headers": [{"name": "x-canary", "string_match": {"exact": "insider"}}],
    }
    assert second["match"] == {"prefix": "/"}


@pytest.mark.parametrize(
    ("matcher", "wanted"),
    [
        ({"prefix": "/api"}, {"prefix": "/api"}),
        ({"exact": "/api"}, {"path": "/api"}),
        ({"regex": "/v[0-9]+"}, by_regex("/v[0-9]+")),
        ({"prefix": "/a", "caseSensitive": False}, {"prefix": "/a", "case_sensitive": False}),
        (
            {"headers": [{"name": "agent", "value": "^(?!Chrome).*", "regex": True}]},
            {"prefix": "/", "headers": [{"name": "agent", "string_match": by_regex("^(?!Chrome).*")}]},
        ),
        (
            {"headers": [{"name": "x", "value": "", "regex": True}]},
            {"prefix": "/", "headers": [{"name": "x", "present_match": True}]},
        ),
        (
            {"headers": [{"name": "x", "value": "v", "invertMatch": True}]},
            {"prefix": "/", "headers": [{"name": "x", "string_match": {"exact": "v"}, "invert_match": True}]},
        ),
        (
            {"methods": ["GET", "POST"]},
            {"prefix": "/", "headers": [{"name": ":method", "string_match": by_regex("GET|POST")}]},
        ),
        (
            {"queryParameters": [{"name": "debug"}, {"name": "v", "value": "2"}]},
            {
                "prefix": "/",
                "query_parameters": [
                    {"name": "debug", "present_match": True},
                    {"name": "v", "string_match": {"exact": "2"}},
                ],
            },
        ),
    ],
)
def test_a_matcher_is_spelled_as_envoy_spells_it(matcher: Object, wanted: Object) -> None:
    [route] = routes(tutorial(single("primary", matchers=[matcher])))
    assert route["match"] == wanted


def test_each_matcher_of_a_route_is_a_way_in_of_its_own() -> None:
    given = tutorial(single("canary", matchers=[{"prefix": "/a"}, {"exact": "/b"}]))
    assert [route["match"] for route in routes(given)] == [{"prefix": "/a"}, {"path": "/b"}]


def test_a_child_without_a_path_inherits_the_prefix_of_its_parent() -> None:
    parent = virtual_service({**delegating(), "matchers": [{"prefix": "/shop"}]})
    child = weighted(1, 1, matchers=[{"headers": [{"name": "x"}]}])
    [route] = routes(snapshot([parent], [route_table(child)]))
    assert route["match"] == {"prefix": "/shop", "headers": [{"name": "x", "present_match": True}]}


def test_a_child_outside_the_prefix_of_its_parent_is_left_out_with_a_warning() -> None:
    parent = virtual_service({**delegating(), "matchers": [{"prefix": "/shop"}]})
    children = [single("canary", matchers=[{"prefix": "/other"}]), single("primary", matchers=[{"prefix": "/shop/a"}])]
    result = translated(snapshot([parent], [route_table(*children)]))
    assert [route["match"] for route in routes(result)] == [{"prefix": "/shop/a"}]
    words = "required prefix /shop of the delegating route is missing in prefix /other"
    assert table_report(result).warnings == [words]


def test_headers_of_the_parent_apply_only_where_they_are_inheritable() -> None:
    matcher = {"prefix": "/", "headers": [{"name": "x"}]}
    for inheritable in (True, False):
        parent = virtual_service(delegating(inheritableMatchers=inheritable) | {"matchers": [matcher]})
        [route] = routes(snapshot([parent], [route_table(single("primary"))]))
        assert ("headers" in route["match"]) is inheritable


@pytest.mark.parametrize(
    ("matchers", "words"),
    [
        ([{"prefix": "/a"}, {"prefix": "/b"}], "must have one matcher or none, not 2"),
        ([{"exact": "/a"}], "must use a prefix matcher"),
    ],
)
def test_only_a_prefix_can_delegate(matchers: list[Object], words: str) -> None:
    parent = virtual_service(delegating() | {"matchers": matchers})
    result = translated(snapshot([parent], [route_table(weighted(1, 1))]))
    assert routes(result) == []
    assert words in host_report(result).warnings[0]


def test_a_missing_route_table_leaves_its_virtual_service_without_routes_and_warned() -> None:
    result = translated(snapshot([virtual_service(delegating())]))
    [host] = result.routes["virtual_hosts"]
    assert (host["domains"], host["routes"]) == (["app.example.com"], [])
    assert host_report(result).warnings == ["route table test.podinfo missing"]


def test_a_route_table_to_which_nobody_delegates_is_not_spoken_of() -> None:
    result = translated(snapshot([], [route_table(weighted(1, 1))]))
    assert {kind for kind, _ in result.reports} == {UPSTREAM}


def test_an_unknown_upstream_is_a_warning_and_its_share_goes_to_a_cluster_that_is_not_there() -> None:
    given = snapshot([virtual_service(delegating())], [route_table(weighted(80, 20))], [upstream("primary")])
    result = translated(given)
    [route] = routes(result)
    assert weights(route) == {cluster_of("primary"): 80, cluster_of("canary"): 20}
    assert set(result.clusters) == {cluster_of("primary")}
    words = (
        "Route Warning: InvalidDestinationWarning. Reason: invalid destination in weighted destination list: "
        "*v1.Upstream { test.test-podinfo-canaryupstream-9898 } not found"
    )
    assert table_report(result).proxy_warnings == host_report(result).proxy_warnings == [words]
    assert table_report(result).warnings == []


def test_a_route_without_weight_is_rejected_and_stays_as_it_was() -> None:
    before = translated(tutorial(weighted(80, 20)))
    result = translated(tutorial(weighted(0, 0), single("primary")), before)
    kept, new = routes(result)
    assert weights(kept) == {cluster_of("primary"): 80, cluster_of("canary"): 20}
    assert new["route"]["cluster"] == cluster_of("primary")
    assert NO_WEIGHT in table_report(result).proxy_errors[0]
    assert table_report(result).errors == []


def test_a_route_that_stays_rejected_keeps_what_it_had_before_for_longer_than_one_translation() -> None:
    result = translated(tutorial(weighted(80, 20)))
    for _ in range(3):
        result = translated(tutorial(weighted(0, 0)), result)
        assert weights(routes(result)[0])[cluster_of("canary")] == 20


def test_a_route_that_was_rejected_from_the_start_is_none() -> None:
    assert routes(tutorial(weighted(0, 0))) == []


def test_other_applications_are_not_touched_by_a_rejected_route() -> None:
    other = virtual_service(single("primary"), name="other", domains=["other.example.com"])
    result = translated(snapshot([virtual_service(delegating()), other], [route_table(weighted(0, 0))]))
    assert [route["route"]["cluster"] for route in routes(result)] == [cluster_of("primary")]
    assert result.reports[VIRTUAL_SERVICE, Ref(NAMESPACE, "other")].proxy_errors == []


def test_an_invalid_regular_expression_is_passed_on_without_a_word() -> None:
    result = translated(tutorial(weighted(1, 1, matchers=[{"headers": [{"name": "x", "value": "(", "regex": True}]}])))
    assert routes(result)[0]["match"]["headers"][0]["string_match"] == by_regex("(")
    assert table_report(result) == Report(spec=table_report(result).spec)


def test_of_two_virtual_services_for_a_domain_the_elder_keeps_it() -> None:
    young, old = virtual_service(single("canary"), name="a"), virtual_service(single("primary"), name="b")
    young["metadata"]["creationTimestamp"] = "2026-01-02T00:00:00Z"
    old["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    result = translated(snapshot([young, old]))
    assert [host["name"] for host in result.routes["virtual_hosts"]] == ["test_b"]
    assert "domain conflict: test.b" in result.reports[VIRTUAL_SERVICE, Ref(NAMESPACE, "a")].errors[0]


def test_no_domains_means_all_of_them() -> None:
    [host] = translated(snapshot([virtual_service(single("primary"), domains=[])])).routes["virtual_hosts"]
    assert host["domains"] == ["*"]
