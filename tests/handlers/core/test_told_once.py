"""A state that lasts is told once, however many things hold it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from handlers.core.observation import Orphan
from schemas.gloo import Verdict
from schemas.status import Notice, Phase
from tests.handlers.core.manifests import SUCCESS_RATE, weighted
from tests.handlers.core.switched import left, taken_over
from tests.handlers.core.world import World


def _told_while_nothing_changes(world: World) -> list[Notice]:
    before = len(world.notices)
    world.tick(4)
    return list(world.notices[before:])


def _failed_and_paused(verdict: str) -> World:
    world = World({"progressDeadlineSeconds": 60, **weighted(metrics=[SUCCESS_RATE])}).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick()
    world.says(verdict)
    world.command("pause", by="ann")
    world.command("abort")
    world.push("podinfo:3")
    world.tick(12)
    return world


def test_users_left_on_the_canary_by_a_stuck_primary_are_told_of_once() -> None:
    world = taken_over(left("Promoting", weight=50))
    world.not_ready = {"primary"}
    world.tick(2)
    world.stuck = {"primary"}
    world.tick(4)
    assert (world.phase, world.status.canary_weight) == (Phase.FAILED, 50)
    assert _told_while_nothing_changes(world) == []


def test_a_gateway_that_lags_behind_a_paused_revision_is_told_of_once() -> None:
    assert _told_while_nothing_changes(_failed_and_paused("Pending")) == []


def test_a_gateway_that_refuses_before_a_paused_revision_is_told_of_once() -> None:
    assert _told_while_nothing_changes(_failed_and_paused("Rejected")) == []


def test_a_lost_primary_alerts_once_while_a_new_revision_is_paused() -> None:
    world = World().until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick(2)
    world.command("abort")
    world.command("pause", by="ann")
    world.tick(3)
    world.primary = None
    world.snapshots.clear()
    world.push("podinfo:3")
    world.tick(2)
    assert any("the snapshot of revision" in text for _, text in world.alerts)
    assert _told_while_nothing_changes(world) == []


def test_former_routes_in_use_and_a_pause_do_not_take_turns() -> None:
    world = World().until(Phase.INITIALIZED)
    world.tick(2)
    world.edit(service={"port": 9898, "name": "web"})
    world.orphans = (Orphan(kind="RouteTable", name="podinfo", ours=True, retired=world.now, verdict=Verdict.ACCEPTED),)
    world.tick(2)
    world.command("pause", by="ann")
    world.push("podinfo:2")
    world.tick(2)
    assert _told_while_nothing_changes(world) == []


def test_routes_that_were_refused_and_are_pending_are_not_accepted_again() -> None:
    world = World(weighted()).until(Phase.INITIALIZED)
    world.tick(3)
    world.says("Rejected")
    world.change()
    world.says("Pending")
    world.change()
    assert "Mended" not in world.reasons


@pytest.mark.parametrize("unready", [(), ("target",)])
def test_routes_that_are_refused_are_told_of_once_also_when_a_tick_comes_late(unready: tuple[str, ...]) -> None:
    world = World(weighted(metrics=[SUCCESS_RATE])).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick(2)
    world.change()
    world.says("Rejected")
    world.not_ready = set(unready)
    world.tick()
    said = world.condition().message
    before, slot = len(world.notices), world.now + timedelta(seconds=10)
    world.wait(7)
    world.tick(slot=slot)
    world.wait(-7)
    world.tick(2)
    assert world.condition().message == said
    assert world.notices[before:] == []


def test_a_gateway_that_holds_nothing_because_a_rollout_begins_is_told_of_when_it_holds_that() -> None:
    world = World({"progressDeadlineSeconds": 60, **weighted()}).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick()
    world.command("abort")
    world.says("Rejected")
    world.push("podinfo:3")
    world.tick(3)
    assert world.phase is Phase.PROGRESSING
    assert world.told.count("RouteTable podinfo.test: its words") == 1


def test_a_promotion_that_is_taken_back_because_it_stays_invalid_says_more_than_what_is_wrong() -> None:
    world = World({"progressDeadlineSeconds": 60, **weighted()}).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.until(Phase.PROMOTING)
    world.not_ready = {"primary"}
    world.edit(service={"port": 0})
    world.tick(8)
    assert len(set(world.told)) == len(world.told)
    text = next(text for text in world.told if text.startswith("Rolling back podinfo.test still invalid after the"))
    assert ("error", text) in world.alerts


def test_a_provider_that_cannot_be_reached_alerts_once_also_when_routes_lag_and_a_tick_comes_late() -> None:
    world = World(weighted(metrics=[SUCCESS_RATE])).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick(2)
    world.change()
    world.says("Pending")
    world.answer("request-success-rate", outcome="unreachable", detail="refused")
    world.tick()
    assert world.alerts[-1] == ("warn", "Prometheus query failed: refused")
    before, slot = len(world.notices), world.now + timedelta(seconds=10)
    world.wait(7)
    world.tick(slot=slot)
    world.wait(-7)
    world.tick(2)
    assert world.notices[before:] == []
