"""Statuses in Gloo's shape and words."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.sandbox.gateway.reporter import merge_patch, status
from deploy.sandbox.gateway.snapshot import Report
from handlers.adapters.kube import Object

PROXY = "*v1.Proxy.gateway-proxy_gloo-system"


def told(report: Report, *, proxy: str | None = PROXY, pending: bool = False) -> Object:
    found: Object = status(report, namespace="gloo-system", proxy=proxy, pending=pending)["statuses"]["gloo-system"]
    return found


def test_a_pending_status_is_accepted_with_nothing_under_the_proxy() -> None:
    assert told(Report({}), pending=True) == {
        "reportedBy": "gloo",
        "state": "Accepted",
        "subresourceStatuses": {PROXY: {}},
    }


def test_a_verdict_says_accepted_twice() -> None:
    assert told(Report({}))["subresourceStatuses"] == {PROXY: {"state": "Accepted"}}


@pytest.mark.parametrize(
    ("report", "state", "reason"),
    [
        (Report({}, proxy_warnings=["a", "b"]), "Warning", "warning: \n  a\nb"),
        (Report({}, proxy_errors=["a"], proxy_warnings=["b"]), "Rejected", "1 error occurred:\n\t* a\n\n"),
        (Report({}, proxy_errors=["a", "b"]), "Rejected", "2 errors occurred:\n\t* a\n\t* b\n\n"),
    ],
)
def test_what_is_wrong_with_a_route_stands_under_the_proxy_while_the_top_stays_accepted(
    report: Report, state: str, reason: str
) -> None:
    found = told(report)
    assert found["state"] == "Accepted"
    assert found["subresourceStatuses"][PROXY] == {"state": state, "reason": reason}


def test_what_is_wrong_with_the_object_itself_stands_at_the_top() -> None:
    found = told(Report({}, warnings=["route table test.podinfo missing"]))
    assert (found["state"], found["reason"]) == ("Warning", "warning: \n  route table test.podinfo missing")


def test_an_upstream_has_no_part_under_the_proxy() -> None:
    assert told(Report({}), proxy=None) == {"reportedBy": "gloo", "state": "Accepted"}


@pytest.mark.parametrize(
    ("old", "new", "patch"),
    [
        ({"a": 1}, {"a": 1}, {}),
        (None, {"a": {"b": {}}}, {"a": {"b": {}}}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, {"a": {"c": None}}),
        ({"a": {"state": "Warning", "reason": "x"}}, {"a": {}}, {"a": {"state": None, "reason": None}}),
        ({"a": "text"}, {"a": {"b": 1}}, {"a": {"b": 1}}),
    ],
)
def test_the_patch_of_a_status_removes_what_is_no_longer_said(old: Any, new: Object, patch: Object) -> None:
    assert merge_patch(old, new) == patch
