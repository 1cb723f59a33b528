"""Options of routes, and what a route does with a request."""

from __future__ import annotations

import pytest

from handlers.adapters.kube import Object
from tests.sandbox.gateway.objects import (
    delegating,
    route_table,
    single,
    snapshot,
    translated,
    tutorial,
    virtual_service,
    weighted,
)
from tests.sandbox.gateway.readers import routes, table_report


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"timeout": "1m30s"}, {"timeout": "90s"}),
        ({"idleTimeout": "250ms"}, {"idle_timeout": "0.25s"}),
        ({"prefixRewrite": "/v2"}, {"prefix_rewrite": "/v2"}),
        ({"hostRewrite": "h"}, {"host_rewrite_literal": "h"}),
        (
            {"regexRewrite": {"pattern": {"regex": "^/a"}, "substitution": "/b"}},
            {"regex_rewrite": {"pattern": {"regex": "^/a"}, "substitution": "/b"}},
        ),
        (
            {"retries": {"retryOn": "5xx", "numRetries": 3, "perTryTimeout": "1s", "retriableStatusCodes": [404]}},
            {
                "retry_policy": {
                    "retry_on": "5xx",
                    "num_retries": 3,
                    "per_try_timeout": "1s",
                    "retriable_status_codes": [404],
                }
            },
        ),
        (
            {"retries": {"retryOn": "5xx", "retryBackOff": {"baseInterval": "10ms"}}},
            {"retry_policy": {"retry_on": "5xx", "num_retries": 1, "retry_back_off": {"base_interval": "0.01s"}}},
        ),
    ],
)
def test_route_options_reach_envoy(options: Object, wanted: Object) -> None:
    [route] = routes(tutorial(weighted(1, 1, options=options)))
    assert {key: route["route"][key] for key in wanted} == wanted


def test_headers_are_added_and_removed_on_the_route_and_on_one_destination() -> None:
    manipulation = {
        "requestHeadersToAdd": [{"header": {"key": "a", "value": "1"}, "append": False}],
        "responseHeadersToAdd": [{"header": {"key": "b", "value": "2"}}],
        "responseHeadersToRemove": ["c"],
    }
    given = weighted(1, 1, options={"headerManipulation": manipulation})
    given["routeAction"]["multi"]["destinations"][1]["options"] = {"headerManipulation": manipulation}
    [route] = routes(tutorial(given))
    primary, canary = route["route"]["weighted_clusters"]["clusters"]
    for place in (route, canary):
        [added] = place["request_headers_to_add"]
        assert added == {"header": {"key": "a", "value": "1"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
        assert place["response_headers_to_add"][0]["append_action"] == "APPEND_IF_EXISTS_OR_ADD"
        assert place["response_headers_to_remove"] == ["c"]
    assert "request_headers_to_add" not in primary


def test_options_of_the_delegating_route_hold_where_the_child_has_none() -> None:
    parent = virtual_service(delegating(options={"timeout": "7s", "prefixRewrite": "/p"}))
    [route] = routes(snapshot([parent], [route_table(single("primary", options={"timeout": "3s"}))]))
    assert (route["route"]["timeout"], route["route"]["prefix_rewrite"]) == ("3s", "/p")


def test_an_option_that_is_not_translated_is_named() -> None:
    assert translated(tutorial(weighted(1, 1, options={"waf": {}}))).ignored == {"route option waf"}


def test_a_duration_that_is_none_rejects_the_route_in_words() -> None:
    report = table_report(translated(tutorial(weighted(1, 1, options={"timeout": "soon"}))))
    assert "'soon' is not a duration" in report.proxy_errors[0]


def test_answers_and_redirects_need_no_upstream() -> None:
    teapot = {"directResponseAction": {"status": 418, "body": "short"}}
    moved = {"redirectAction": {"hostRedirect": "new.example.com", "httpsRedirect": True}}
    first, second = routes(tutorial(teapot, moved))
    assert first["direct_response"] == {"status": 418, "body": {"inline_string": "short"}}
    assert second["redirect"] == {"host_redirect": "new.example.com", "https_redirect": True}


def test_an_action_that_is_not_known_is_left_out_with_a_warning() -> None:
    result = translated(tutorial({"routeAction": {"upstreamGroup": {"name": "x", "namespace": "y"}}}))
    assert routes(result) == []
    assert "no action that this gateway knows" in table_report(result).warnings[0]
