"""What users add to our routes survives whatever we write; a route of somebody else gives nothing to ours."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.core import desired
from schemas.status import CanaryStatus
from tests.handlers.core.manifests import ab_testing, canary, weighted
from tests.handlers.core.routes import shares


def test_what_users_add_to_a_route_survives_a_change_of_weight() -> None:
    theirs = desired.routes(canary(weighted()), 0)
    theirs[0] |= {"name": "mine", "options": {"timeout": "5s"}}
    (route,) = desired.routes(canary(weighted()), 40, theirs)
    assert (route["name"], route["options"]) == ("mine", {"timeout": "5s"})
    assert shares(route)["test-podinfo-canaryupstream-9898"] == 40
    item = {"spec": {"routes": [route]}}
    assert desired.route_table_is_current(canary(weighted()), CanaryStatus(canary_weight=40), item)


OPTIONS = {"name": "mine", "options": {"timeout": "5s", "retries": {"numRetries": 3}}, "unknown": {"kept": True}}


def test_what_users_add_survives_a_change_of_strategy_there_and_back() -> None:
    weights, users = canary(weighted()), canary(ab_testing())
    one = [desired.routes(weights, 0)[0] | OPTIONS]
    two = desired.routes(users, 100, one)
    assert [{key: route[key] for key in OPTIONS} for route in two] == [OPTIONS, OPTIONS]
    assert [shares(route)["test-podinfo-canaryupstream-9898"] for route in two] == [100, 0]
    two[0]["options"] = {"timeout": "9s"}
    again = desired.routes(users, 0, two)
    assert [route["options"] for route in again] == [{"timeout": "9s"}, OPTIONS["options"]]
    (back,) = desired.routes(weights, 40, again)
    assert {key: back[key] for key in OPTIONS} == OPTIONS, "that of the route which served everybody"
    assert "matchers" not in back


def test_what_users_add_to_a_destination_survives() -> None:
    (route,) = desired.routes(canary(weighted()), 0)
    multi = route["routeAction"]["multi"]
    multi["destinations"][1]["options"] = {"headerManipulation": {"requestHeadersToAdd": []}}
    multi["destinations"][1]["destination"]["subset"] = {"values": {"v": "2"}}
    multi["unknown"] = 1
    (later,) = desired.routes(canary(weighted()), 40, [route])
    assert later["routeAction"]["multi"]["unknown"] == 1
    after = later["routeAction"]["multi"]["destinations"][1]
    assert after == {**multi["destinations"][1], "weight": 40}
    item = {"spec": {"routes": [later]}}
    assert desired.route_table_is_current(canary(weighted()), CanaryStatus(canary_weight=40), item)


@pytest.mark.parametrize(
    "action",
    [
        {"redirectAction": {"hostRedirect": "elsewhere"}},
        {"directResponseAction": {"status": 503}},
        {"routeAction": {"single": {"upstream": {"name": "elsewhere", "namespace": "test"}}}},
    ],
)
def test_an_action_that_takes_users_elsewhere_does_not_survive_but_the_options_beside_it_do(
    action: dict[str, Any],
) -> None:
    (route,) = desired.routes(canary(weighted()), 40, [{"options": {"timeout": "5s"}, **action}])
    assert route["options"] == {"timeout": "5s"}
    assert shares(route)["test-podinfo-canaryupstream-9898"] == 40
    assert set(route) == {"options", "inheritablePathMatchers", "routeAction"}
    assert set(route["routeAction"]) == {"multi"}


def test_a_route_of_somebody_else_in_our_table_is_drift_and_gives_nothing_to_ours() -> None:
    theirs = {"matchers": [{"prefix": "/admin"}], "options": {"prefixRewrite": "/"}, "redirectAction": {}}
    (ours,) = desired.routes(canary(weighted()), 40)
    existing = [theirs, ours | OPTIONS, theirs]
    assert not desired.route_table_is_current(
        canary(weighted()), CanaryStatus(canary_weight=40), {"spec": {"routes": existing}}
    )
    assert desired.routes(canary(weighted()), 40, existing) == [ours | OPTIONS]


ADMIN: dict[str, Any] = {"matchers": [{"prefix": "/admin"}], "options": {"prefixRewrite": "/internal"}}


@pytest.mark.parametrize("spec", [weighted(), ab_testing()])
def test_a_copy_of_our_route_for_another_path_gives_nothing_to_ours_wherever_it_stands(spec: dict[str, Any]) -> None:
    ours = [
        route | {"options": {"timeout": f"{number}s"}} for number, route in enumerate(desired.routes(canary(spec), 40))
    ]
    copies = [ours[0] | ADMIN, ours[-1] | ADMIN | {"matchers": [{"methods": ["GET"]}]}]
    for existing in ([*copies, *ours], [*ours, *copies], [copies[0], *ours, copies[1]]):
        assert desired.routes(canary(spec), 40, existing) == ours
    back = desired.routes_to_target(canary(spec), [*copies, *ours])
    assert [route["options"] for route in back] == [ours[-1]["options"]]
    assert desired.routes_to_target(canary(spec), [*copies, *back]) == back


def test_the_options_of_a_route_stay_when_other_users_are_matched() -> None:
    before = desired.routes(canary(ab_testing()), 40)
    before = [route | {"options": {"timeout": f"{number}s"}} for number, route in enumerate(before)]
    others = canary(ab_testing(match=[{"headers": {"cookie": {"prefix": "beta="}}}]))
    after = desired.routes(others, 40, before)
    assert [route["options"] for route in after] == [{"timeout": "0s"}, {"timeout": "1s"}]
    assert after[0]["matchers"] != before[0]["matchers"]


def test_what_users_add_stays_when_the_service_gets_another_port() -> None:
    before = [
        route | {"options": {"timeout": f"{n}s"}} for n, route in enumerate(desired.routes(canary(ab_testing()), 40))
    ]
    before[0]["routeAction"]["multi"]["destinations"][1]["options"] = {"kept": True}
    after = desired.routes(canary(ab_testing() | {"service": {"port": 80}}), 40, before)
    assert [route["options"] for route in after] == [{"timeout": "0s"}, {"timeout": "1s"}]
    moved = after[0]["routeAction"]["multi"]["destinations"][1]
    assert (moved["destination"]["upstream"]["name"], moved["options"]) == (
        "test-podinfo-canaryupstream-80",
        {"kept": True},
    )


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("everybody", [{}, {"matchers": [{"prefix": "/"}]}, {"matchers": []}])
def test_of_a_table_that_is_taken_over_the_options_of_the_route_for_everybody_stay(
    order: int, everybody: dict[str, Any]
) -> None:
    single = {"routeAction": {"single": {"upstream": {"name": "app", "namespace": "test"}}}}
    api = single | {"name": "api", "matchers": [{"prefix": "/api"}], "options": {"prefixRewrite": "/"}}
    rest = single | everybody | {"name": "rest", "options": {"timeout": "5s"}}
    for spec in (weighted(), ab_testing()):
        made = desired.routes(canary(spec), 0, [api, rest][::order])
        assert {(route["name"], route["options"]["timeout"], len(route["options"])) for route in made} == {
            ("rest", "5s", 1)
        }


def test_of_a_table_that_is_taken_over_nothing_stays_if_each_route_is_for_some_paths() -> None:
    some = [{"matchers": [{"prefix": path}], "options": {"prefixRewrite": "/"}} for path in ("/a", "/b")]
    assert desired.routes(canary(weighted()), 0, some) == desired.routes(canary(weighted()), 0)
    (alone,) = desired.routes(canary(weighted()), 0, some[:1])
    assert alone["options"] == {"prefixRewrite": "/"}, "under a VirtualService for the same path it is for everybody"


def test_the_peers_only_route_of_an_ab_test_gives_its_options_to_both_of_ours() -> None:
    theirs = desired.routes(canary(ab_testing()), 0)[0] | {"options": {"timeout": "5s"}}
    theirs["matchers"] = [{"headers": [*theirs["matchers"][0]["headers"], {"name": "b", "value": "2"}]}]
    made = desired.routes(canary(ab_testing()), 0, [theirs])
    assert [route["options"] for route in made] == [{"timeout": "5s"}] * 2


def test_users_matchers_do_not_survive_because_they_decide_who_is_routed() -> None:
    theirs = desired.routes(canary(weighted()), 0)
    theirs[0]["matchers"] = [{"prefix": "/other"}]
    (route,) = desired.routes(canary(weighted()), 0, theirs)
    assert "matchers" not in route
