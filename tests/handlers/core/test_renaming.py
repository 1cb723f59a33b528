"""Names that change: what is decided, and what it depends on."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.core.former import former_places, orphan
from handlers.core.observation import Orphan
from handlers.core.passing import passing_ports
from handlers.core.renaming import may_tidy
from schemas.canary import Canary
from schemas.gloo import Verdict
from schemas.names import Names
from schemas.status import Phase
from tests.handlers.core.manifests import SUCCESS_RATE, hook, podinfo, weighted
from tests.handlers.core.rollouts import progressing
from tests.handlers.core.world import World

HTTP = {"name": "http", "port": 9898}
ROUTES = Orphan(kind="RouteTable", name="podinfo", ours=True)
OLD = Names(kind="Deployment", target="podinfo", service="podinfo", port=9898)


def at_rest(**analysis: Any) -> World:
    return World(weighted(**analysis)).until(Phase.INITIALIZED)


def upstreams(world: World) -> list[str]:
    return [item["destination"]["upstream"]["name"] for item in world.destinations()]


def test_names_in_force_are_noted_with_the_first_look() -> None:
    assert at_rest().status.names == OLD


def test_an_edited_port_is_initialised_under_its_new_name_and_the_primary_stays_as_it_is() -> None:
    world = at_rest()
    before = world.primary
    world.edit(service={"port": 80})
    assert (world.phase, world.status.former) == (Phase.INITIALIZING, (OLD,))
    assert world.told[-1] == (
        "spec.service.port changed from 9898 to 80: initialising under the new names, the old ones serve until those do"
    )
    world.until(Phase.INITIALIZED)
    assert upstreams(world) == ["test-podinfo-primaryupstream-80", "test-podinfo-canaryupstream-80"]
    assert world.primary == before
    assert (world.status.former, world.status.names) == ((), OLD.model_copy(update={"port": 80}))


def test_routes_lead_to_new_upstreams_only_when_the_gateway_had_time_to_know_them() -> None:
    world = at_rest()
    world.rules = world.rules.model_copy(update={"drain": 15})
    world.edit(service={"port": 80})
    world.tick()
    assert upstreams(world)[0] == "test-podinfo-primaryupstream-9898"
    world.tick()
    assert upstreams(world)[0] == "test-podinfo-primaryupstream-80"


@pytest.mark.parametrize("gate", [False, True])
def test_a_rollout_returns_to_its_primary_under_the_old_names_and_is_analysed_again_under_the_new(gate: bool) -> None:
    world = progressing(webhooks=[hook("confirm-promotion")] if gate else [])
    if gate:
        world.hooks["confirm-promotion"] = False
        world.until(Phase.WAITING_PROMOTION)
    world.edit(service={"port": 80})
    assert (world.phase, world.weight, world.reasons[-1]) == (Phase.FAILED, 0, "Renamed")
    assert upstreams(world)[0] == "test-podinfo-primaryupstream-9898"
    world.hooks = {}
    begun = len(world.phases)
    world.until(Phase.SUCCEEDED)
    again = [Phase.INITIALIZING, Phase.INITIALIZED, Phase.PROGRESSING, Phase.PROMOTING, Phase.FINALISING]
    assert world.phases[begun:] == [*again, Phase.SUCCEEDED]
    assert world.promoted == ["podinfo:1", "podinfo:2"]
    assert upstreams(world)[0] == "test-podinfo-primaryupstream-80"


def test_a_promotion_is_finished_before_its_names_change() -> None:
    world = progressing()
    world.until(Phase.PROMOTING)
    world.edit(service={"port": 80})
    world.until(Phase.INITIALIZED)
    assert Phase.SUCCEEDED in world.phases
    assert world.primary_image == "podinfo:2"


def test_a_refused_revision_stays_refused_under_other_names() -> None:
    world = progressing()
    world.command("abort")
    world.tick(2)
    world.edit(service={"port": 80})
    world.until(Phase.INITIALIZED)
    world.tick(3)
    assert (world.phase, world.primary_image) == (Phase.INITIALIZED, "podinfo:1")


def test_one_that_waits_for_its_gate_waits_for_it_again() -> None:
    world = at_rest(webhooks=[hook("confirm-rollout")])
    world.hooks["confirm-rollout"] = False
    world.push("podinfo:2")
    world.tick()
    assert world.phase is Phase.WAITING
    world.edit(service={"port": 80})
    world.until(Phase.WAITING)
    assert upstreams(world)[0] == "test-podinfo-primaryupstream-80"


def test_an_edit_that_is_taken_back_goes_back() -> None:
    world = at_rest()
    world.verdict = "Pending"
    world.edit(service={"port": 80})
    world.tick()
    assert world.phase is Phase.INITIALIZING
    world.verdict = "Accepted"
    world.edit(service={"port": 9898})
    world.until(Phase.INITIALIZED)
    assert upstreams(world)[0] == "test-podinfo-primaryupstream-9898"
    assert world.status.former == ()


def test_an_invalid_name_changes_nothing_that_is_in_force() -> None:
    world = at_rest()
    world.edit(service={"port": 0})
    world.tick(3)
    assert world.condition().reason == "Invalid"
    assert upstreams(world)[0] == "test-podinfo-primaryupstream-9898"
    assert world.status.names == OLD


def test_another_target_begins_with_what_that_runs() -> None:
    world = at_rest()
    world.target = podinfo("other:1")
    world.target["metadata"]["name"] = "other"
    world.primary = None
    other = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "other"}
    # until the wake that moves, the former target is looked at; here there is only one at a time
    world.given(settled=True)
    world.edit(targetRef=other, service={"port": 9898, "name": "podinfo"})
    world.primary = None
    world.until(Phase.INITIALIZED)
    assert world.primary_image == "other:1"
    assert world.status.names == OLD.model_copy(update={"target": "other"})


def test_routes_under_another_name_are_not_believed_without_a_word_of_the_gateway() -> None:
    world = at_rest()
    world.edit(service={"port": 9898, "name": "web"})
    world.route, world.verdict = None, None
    world.tick(6)
    assert world.phase is Phase.INITIALIZING
    assert world.condition().message.endswith("let the VirtualService of podinfo delegate to it")
    assert world.condition().reason == "GatewaySilent"
    world.says("Accepted")
    world.until(Phase.INITIALIZED)


def test_a_suspended_canary_moves_to_no_other_name() -> None:
    world = at_rest()
    world.edit(suspend=True, service={"port": 80})
    world.tick(3)
    assert (world.phase, world.status.names) == (Phase.INITIALIZED, OLD)


# ---- what former names leave


def left(world: World, *orphans: Orphan) -> World:
    world.orphans = orphans
    world.edit(service={"port": 9898, "name": "web"})
    while world.phase is not Phase.INITIALIZED:
        world.tick()
    return world


def test_what_is_left_is_cleared_only_after_the_drain_and_keeps_the_canary_awake() -> None:
    world = at_rest()
    world.rules = world.rules.model_copy(update={"drain": 15})
    left(world, ROUTES)
    assert not may_tidy(*world.look_now())
    world.tick(2)
    assert may_tidy(*world.look_now())
    assert not world.status.settled
    world.orphans = ()
    world.tick()
    assert world.status.former == ()
    assert world.told[-1] == "What was made under the former names podinfo is deleted"
    world.tick()
    assert world.status.settled


def test_routes_that_somebody_still_delegates_to_are_told_once() -> None:
    world = left(at_rest(), ROUTES)
    world.orphans = (ROUTES.model_copy(update={"retired": world.now, "verdict": Verdict.ACCEPTED}),)
    world.tick(3)
    text = "a VirtualService still delegates to RouteTable podinfo; let it delegate to web, then the former is deleted"
    assert world.told.count(text) == 1
    assert world.condition().message == text


@pytest.mark.parametrize("silent", [False, True])
def test_what_may_still_lead_users_somewhere_is_left_with_all_that_it_needs(silent: bool) -> None:
    world = World(weighted())
    world.verdict = None if silent else "Accepted"
    world.until(Phase.INITIALIZED)
    theirs = ROUTES if silent else ROUTES.model_copy(update={"ours": False})
    left(world, theirs, Orphan(kind="Service", name="podinfo-primary", ours=True))
    assert not may_tidy(*world.look_now())
    world.tick(2)
    assert world.status.former == ()
    last = next(notice for notice in reversed(world.notices) if notice.reason == "LeftBehind")
    assert last.message.endswith("stay until the Canary goes: RouteTable podinfo may still lead users there")
    assert last.type == "Warning"


def test_a_new_rollout_does_not_wait_for_what_is_left() -> None:
    world = left(at_rest(metrics=[SUCCESS_RATE]), ROUTES)
    world.push("podinfo:2")
    assert world.phase is Phase.PROGRESSING
    assert not may_tidy(*world.look_now())


def test_former_places_are_those_that_the_names_in_force_do_not_make() -> None:
    world = at_rest()
    world.edit(service={"port": 80})
    ((names, places),) = former_places(Canary.from_object(world.item))
    assert names == OLD
    assert [str(place) for place in places] == [
        "Upstream test-podinfo-canaryupstream-9898",
        "Upstream test-podinfo-primaryupstream-9898",
    ]


@pytest.mark.parametrize(("uid", "ours"), [("u", True), ("somebody", None)])
def test_only_what_was_made_for_this_very_canary_is_its_own(uid: str, ours: bool | None) -> None:
    world = at_rest()
    world.edit(service={"port": 80})
    canary = Canary.from_object(world.item)
    ((names, places),) = former_places(canary)
    item = {"metadata": {"ownerReferences": [{"kind": "Canary", "name": "podinfo", "uid": uid}]}, "spec": {}}
    found = orphan(canary, names, places[0], {places[0]: item})
    assert (found.ours if found else None) is ours


# ---- ports


@pytest.mark.parametrize(
    ("adding", "have", "expected"),
    [
        (True, [HTTP], [("http", 9898), ("http-80", 80)]),
        (True, [{"name": "web", "port": 9898}], [("web", 9898), ("http", 80)]),
        (True, [HTTP, {"name": "http-80", "port": 80}], [("http", 9898), ("http-80", 80)]),
        (False, [HTTP, {"name": "http-80", "port": 80}], [("http-80", 80), ("http", 9898)]),
        (False, [HTTP, {"name": "metrics", "port": 9797}], [("http-80", 80), ("http", 9898)]),
        (False, [], [("http", 80)]),
    ],
)
def test_a_service_keeps_the_port_that_is_still_used_under_its_own_name(
    adding: bool, have: list[dict[str, Any]], expected: list[tuple[str, int]]
) -> None:
    found = passing_ports(have, [{"name": "http", "port": 80}], kept={9898}, adding=adding)
    assert [(port["name"], port["port"]) for port in found] == expected


def test_a_deletion_leads_back_by_the_routes_that_serve_users_also_when_those_have_moved_to_another_port() -> None:
    world = World({**weighted(), "revertOnDeletion": True}).until(Phase.INITIALIZED)
    world.tick(2)
    world.edit(service={"port": 9000})
    assert (world.phase, upstreams(world)[0]) == (Phase.INITIALIZING, "test-podinfo-primaryupstream-9000")
    world.delete()
    world.tick(4)
    assert world.phase is Phase.TERMINATED
    assert (world.weight, upstreams(world)) == (100, ["test-podinfo-canaryupstream-9000"])


def test_an_edited_name_that_meets_a_target_which_is_not_parked_yet_is_not_left_to_the_next_resync() -> None:
    world = progressing(25)
    back, world.target = world.target, None
    world.edit(suspend=True)
    world.command("abort")
    world.tick(3)
    assert world.status.settled, "there is no target to park"
    world.target = back
    world.edit(service={"port": 80}, suspend=False)
    assert (world.phase, world.status.settled) == (Phase.FAILED, False), "whoever is settled gets no tick"
    world.tick()
    assert world.phase is Phase.INITIALIZING
