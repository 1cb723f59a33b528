"""Selectors, and tables that delegate on."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.adapters.kube import Object
from tests.sandbox.gateway.objects import (
    NAMESPACE,
    cluster_of,
    delegating,
    named,
    route_table,
    single,
    snapshot,
    translated,
    virtual_service,
)
from tests.sandbox.gateway.readers import by_regex, clusters, host_report, routes, table_report


def _selecting(**selector: Any) -> Object:
    return virtual_service({"matchers": [{"prefix": "/"}], "delegateAction": {"selector": selector}})


def _tables() -> list[Object]:
    elsewhere = named("far", {"routes": [single("canary")]}, namespace="far", labels={"app": "shop"})
    return [
        route_table(single("primary", matchers=[{"prefix": "/"}]), name="last", labels={"app": "shop"}, weight=2),
        route_table(single("canary", matchers=[{"prefix": "/a"}]), name="first", labels={"app": "shop"}, weight=1),
        route_table(single("canary", matchers=[{"prefix": "/no"}]), name="other", labels={"app": "other"}),
        elsewhere,
    ]


@pytest.mark.parametrize(
    ("selector", "wanted"),
    [
        ({"labels": {"app": "shop"}}, ["/a", "/"]),
        ({"labels": {"app": "shop"}, "namespaces": ["far"]}, ["/"]),
        ({"labels": {"app": "shop"}, "namespaces": ["*"]}, ["/", "/a", "/"]),
        ({"expressions": [{"key": "app", "operator": "In", "values": ["other"]}]}, ["/no"]),
        ({"expressions": [{"key": "app", "operator": "NotIn", "values": ["other"]}]}, ["/a", "/"]),
        ({"expressions": [{"key": "tier", "operator": "Exists"}]}, []),
        ({"expressions": [{"key": "app", "operator": "Unheard", "values": ["shop"]}]}, []),
    ],
)
def test_a_selector_finds_its_tables_by_labels_in_the_order_of_their_weights(selector: Any, wanted: list[str]) -> None:
    result = translated(snapshot([_selecting(**selector)], _tables()))
    assert [route["match"]["prefix"] for route in routes(result)] == wanted
    assert host_report(result).warnings == ([] if wanted else ["no route table matches the given selector"])


def test_tables_of_the_same_weight_are_merged_with_the_most_specific_path_first() -> None:
    tables = [
        route_table(single("primary", matchers=[{"prefix": "/"}]), name="a", labels={"app": "shop"}),
        route_table(
            single("canary", matchers=[{"prefix": "/a"}, {"exact": "/a"}, {"prefix": "/a/b"}, {"regex": "/a.*"}]),
            name="b",
            labels={"app": "shop"},
        ),
    ]
    found = routes(snapshot([_selecting(labels={"app": "shop"})], tables))
    pattern = by_regex("/a.*")["safe_regex"]
    assert [next(iter(route["match"].values())) for route in found] == ["/a", pattern, "/a/b", "/a", "/"]


def test_tables_that_delegate_in_a_circle_are_an_error_and_not_a_loop() -> None:
    result = translated(snapshot([virtual_service(delegating())], [route_table(delegating())]))
    assert routes(result) == []
    assert table_report(result).errors == ["invalid route: delegation cycle detected: test.podinfo"]


def test_the_old_form_of_delegation_without_ref_works_too() -> None:
    old = {"matchers": [{"prefix": "/"}], "delegateAction": {"name": "podinfo", "namespace": NAMESPACE}}
    assert clusters(snapshot([virtual_service(old)], [route_table(single("canary"))])) == [cluster_of("canary")]
