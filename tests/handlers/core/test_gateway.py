"""Nothing advances on routes that are not in force."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schemas.events import Tick
from schemas.gloo import ROUTE_STEP
from schemas.status import Phase
from tests.handlers.core.happenings import happen
from tests.handlers.core.manifests import weighted
from tests.handlers.core.rollouts import DEADLINE, progressing
from tests.handlers.core.starts import begin
from tests.handlers.core.world import World


def test_nothing_advances_on_routes_that_the_gateway_has_not_applied() -> None:
    world = progressing(25)
    world.says("Pending")
    world.tick(3)
    assert world.weight == 25
    assert world.condition().reason == "GatewayBehind"
    assert world.status.waiting_for == "gateway"
    world.says("Accepted")
    world.tick(2)
    assert world.weight == 50


@pytest.mark.parametrize("weight", [0, 25])
@pytest.mark.parametrize("verdict", ["Rejected", "Warning"])
def test_routes_that_are_refused_for_longer_than_the_deadline_end_the_rollout(verdict: str, weight: int) -> None:
    world = progressing(weight)
    world.says(verdict)
    world.tick(DEADLINE // 10)
    assert world.phase is Phase.PROGRESSING
    assert world.condition().message == "RouteTable podinfo.test: its words"
    world.tick(2)
    assert world.status.phase is Phase.FAILED
    assert "Rolling back podinfo.test RouteTable podinfo.test: its words" in world.told


def test_users_whom_a_foreign_edit_has_sent_back_to_a_target_that_is_no_longer_wanted_drain_anew() -> None:
    world = World(weighted(), drain=5).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick(2)
    world.command("abort")
    world.change()
    assert world.target is not None
    lost, world.target = world.target, None
    world.tick()
    world.destinations()[1]["weight"] = 99
    world.tick()
    world.target = lost
    world.change()
    world.change()
    assert (world.weight, world.canary_replicas) == (0, 2), "the routes are in force, and have not drained"
    world.tick()
    assert world.canary_replicas == 0


def test_the_gateways_deadline_runs_from_when_it_fell_behind_not_from_the_last_step() -> None:
    world = progressing(25)
    world.not_ready = {"primary"}
    world.tick(20)
    world.says("Pending")
    world.tick(2)
    assert (world.phase, world.weight) == (Phase.PROGRESSING, 25)


def test_a_foreign_edit_of_the_routes_is_repaired_with_the_weight_kept_and_judged_only_after_a_soak() -> None:
    world = progressing(25)
    world.not_ready = {"primary"}
    world.tick(20)
    world.not_ready = set()
    world.destinations()[1]["weight"] = 99
    world.asked.clear()
    world.tick()
    assert (world.phase, world.weight) == (Phase.PROGRESSING, 25)
    assert world.asked == [], "what was measured was another weight"
    world.tick()
    assert world.weight == 50


def test_a_repaired_weight_is_not_judged_at_a_slot_that_began_before_it_was_in_force_again() -> None:
    world = progressing(25)
    world.change()
    world.wait(9)
    world.destinations()[1]["weight"] = 99
    world.change()
    world.asked.clear()
    world.wait(5)
    world.wake(Tick(namespace="test", name="podinfo", uid="u", slot=world.now - timedelta(seconds=4), interval=10))
    assert (world.weight, world.asked) == (25, [])
    world.tick()
    assert world.weight == 50


@pytest.mark.parametrize("verdict", ["Pending", "Warning", "Rejected"])
def test_not_even_the_first_step_is_taken_on_routes_that_are_not_in_force(verdict: str) -> None:
    world = progressing(0)
    world.says(verdict)
    world.tick(3)
    assert (world.phase, world.weight) == (Phase.PROGRESSING, 0)
    assert world.condition().reason == "GatewayBehind"
    world.says("Accepted")
    world.tick()
    assert world.weight == 25


def test_deleted_routes_are_made_again() -> None:
    world = progressing(25)
    world.route = None
    world.tick(2)
    assert world.phase is Phase.PROGRESSING
    assert world.route is not None
    assert world.weight in (25, 50)


def test_a_forged_fence_is_drift_and_overwritten() -> None:
    world = progressing(25)
    assert world.route is not None
    world.route["metadata"]["annotations"][ROUTE_STEP] = "9999"
    world.tick()
    assert world.route["metadata"]["annotations"][ROUTE_STEP] == str(world.status.route_step)


# ---- at rest


def test_routes_that_are_refused_at_rest_are_said_with_the_gateways_words_and_heal() -> None:
    world = World(weighted()).until(Phase.INITIALIZED)
    world.says("Warning")
    world.change()
    assert world.condition().message == "RouteTable podinfo.test: its words"
    assert (world.condition().reason, world.status.waiting_for) == ("GatewayBehind", "gateway")
    assert ("error", "RouteTable podinfo.test: its words") in world.alerts
    before = len(world.notices)
    world.change()
    assert len(world.notices) == before, "once"
    world.says("Accepted")
    world.change()
    assert (world.condition().status, world.status.waiting_for) == ("False", "")
    assert world.told[-1] == "RouteTable podinfo.test is accepted by the gateway again"


def test_a_gateway_that_has_never_said_anything_is_named_in_the_condition_until_it_speaks() -> None:
    world = World(weighted())
    world.verdict = None
    world.until(Phase.INITIALIZED)
    ready = world.condition()
    assert (ready.status, ready.reason) == ("False", "GatewaySilent")
    assert "no VirtualService delegates to it" in ready.message
    assert "GatewaySilent" in world.reasons
    world.says("Accepted")
    world.change()
    assert world.condition().message == "Nothing holds this Canary."
    assert "RouteTable podinfo.test gets a status from the gateway now" in world.told


def test_a_gateway_that_falls_silent_is_told_about_after_a_deadline_with_what_to_look_for() -> None:
    world = World({**weighted(), "progressDeadlineSeconds": DEADLINE}).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick()
    world.says(None)
    world.command("abort")
    world.tick()
    assert world.phase is Phase.FAILED
    assert not world.status.settled
    world.wait(DEADLINE)
    world.tick()
    assert world.condition().reason == "GatewayBehind"
    assert world.condition().message.endswith("not reported on the routes yet; does a VirtualService delegate to them?")
    world.says("Accepted")
    world.tick(2)
    assert world.status.settled
    assert world.condition().status == "False"


def test_the_gateways_silence_after_a_foreign_edit_is_no_news_before_the_deadline() -> None:
    world = World({**weighted(), "progressDeadlineSeconds": DEADLINE}).until(Phase.INITIALIZED)
    world.wait(10 * DEADLINE)
    world.says("Pending")
    world.destinations()[1]["weight"] = 99
    world.change()
    world.change()
    assert world.reasons[-1] == "Drift"


@pytest.mark.parametrize("verdict", ["Warning", "Rejected", "Pending", None])
def test_whatever_the_gateway_says_of_routes_that_were_in_force_a_bad_canary_goes_back(verdict: str | None) -> None:
    world = progressing(25)
    world.change()
    assert world.status.served_step == world.status.route_step
    world.says(verdict)
    world.answer("request-success-rate", 1)
    failed = world.status.failed_checks
    world.tick()
    assert world.status.failed_checks == failed + 1
    world.tick(3)
    assert (world.phase, world.status.canary_weight) == (Phase.FAILED, 0)
    assert any("failed checks threshold reached" in text for text in world.told)


def test_a_gateway_that_lags_now_in_this_way_and_now_in_that_alerts_once() -> None:
    world = progressing(25)
    world.says("Pending")
    world.command("abort")
    world.tick(DEADLINE // 10 + 2)
    alerts = len(world.alerts)
    for verdict in (None, "Pending") * 3:
        world.says(verdict)
        world.tick()
    assert len(world.alerts) == alerts > 0


def test_routes_that_somebody_edits_while_the_gateway_lags_have_drained_before_the_target_is_parked() -> None:
    world = begin(1, "first step")
    world.hooks["confirm-rollout"] = False
    world.command("abort")
    world.change()
    world.says("Pending")
    world.change()
    world.push("podinfo:5")
    happen(world, ("edit", "route"))
    world.says("Accepted")
    world.wait(10)
    world.change()
    world.change()
    world.tick(3)
    assert (world.weight, world.canary_replicas) == (0, 0)
