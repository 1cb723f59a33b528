"""The analysis: what restarts it, what ends it, what holds it."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.gloo import ROUTE_STEP
from schemas.status import Phase
from tests.handlers.core.manifests import DURATION, SUCCESS_RATE, on_podinfo, weighted
from tests.handlers.core.world import World

DEADLINE = 60


def progressing(weight: int = 25, **analysis: Any) -> World:
    spec = weighted(metrics=[SUCCESS_RATE], **analysis) | {"progressDeadlineSeconds": DEADLINE}
    world = World(spec).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    while world.weight < weight:
        world.tick()
    return world


def test_a_new_revision_is_told_with_the_peers_words() -> None:
    world = progressing(0)
    assert world.told[-1] == "New revision detected! Scaling up podinfo.test"
    assert world.alerts[-1] == ("info", "New revision detected, progressing canary analysis.")
    assert world.notices[-1].with_facts
    assert world.canary_replicas == 2


def test_a_push_in_mid_analysis_takes_the_traffic_away_and_zeroes_counters_and_clocks() -> None:
    world = progressing(50)
    world.answer("request-success-rate", 1)
    world.tick()
    world.measured.clear()
    world.push("podinfo:3")
    status = world.status
    assert (world.weight, status.failed_checks, status.iterations, status.in_a_row) == (0, 0, 0, {})
    assert not status.pre_rollout_passed
    assert status.no_data_since is None
    assert world.canary_replicas == 2
    assert world.told[-1] == "New revision detected! Restarting analysis for podinfo.test"


def test_old_errors_are_not_held_against_the_new_revision() -> None:
    world = progressing(25, maxWeight=100)
    window = {**SUCCESS_RATE, "interval": "30s"}
    world.edit_analysis(metrics=[window])
    world.push("podinfo:3")
    world.answer("request-success-rate", 1)
    world.tick(2)
    assert (world.weight, world.status.failed_checks) == (25, 0)
    assert world.status.last_step is not None
    assert "still reaches into another revision's traffic" in world.status.last_step.message
    assert all(severity == "info" for severity, _ in world.alerts), "nobody is alarmed by a window"
    world.tick()
    assert world.status.failed_checks == 1, "from here on they are its own"


def test_a_revert_returns_to_the_primary_without_a_failure() -> None:
    world = progressing(50)
    world.push("podinfo:1")
    assert (world.phase, world.weight, world.status.failed_checks) == (Phase.SUCCEEDED, 0, 0)
    assert world.alerts[-1][0] == "info"
    world.tick(2)
    assert world.canary_replicas == 0
    world.push("podinfo:2")
    assert world.phase is Phase.PROGRESSING, "the same push later is new again"


@pytest.mark.parametrize("how", ["deleted", "scaled to zero"])
def test_a_target_that_somebody_takes_away_ends_the_rollout_in_that_wake(how: str) -> None:
    world = progressing(50)
    assert world.target is not None
    if how == "deleted":
        world.target = None
    else:
        world.target["spec"]["replicas"] = 0
    world.change()
    assert (world.phase, world.weight) == (Phase.FAILED, 0)
    assert world.reasons[-2:] == ["TargetMissing", "RolledBack"]
    assert world.primary_image == "podinfo:1"


def test_an_unready_canary_stops_advancing_while_metrics_go_on_judging() -> None:
    world = progressing(25)
    world.not_ready = {"target"}
    world.tick(2)
    assert world.weight == 25
    assert world.condition().message.startswith("canary deployment podinfo.test not ready: waiting for rollout")
    world.answer("request-success-rate", 1)
    world.tick(3)
    assert world.phase is Phase.FAILED


def test_a_canary_that_never_gets_ready_is_rolled_back_past_the_deadline_with_an_alert() -> None:
    world = progressing(0)
    world.not_ready = {"target"}
    world.tick(DEADLINE // 10)
    assert world.phase is Phase.PROGRESSING
    world.tick()
    assert world.status.phase is Phase.FAILED
    assert world.alerts[-1][0] == "error"
    assert world.alerts[-1][1].startswith("Progress deadline exceeded waiting for rollout to finish: 0 of 2")


def test_a_canary_whose_deployment_gave_up_is_rolled_back_at_any_weight() -> None:
    world = progressing(50)
    world.stuck = {"target"}
    world.change()
    assert (world.phase, world.weight) == (Phase.FAILED, 0)
    text = 'Rolling back podinfo.test progress deadline exceeded deployment "podinfo" exceeded its progress deadline'
    assert text in world.told


def test_pods_that_were_ready_once_have_the_whole_deadline_again() -> None:
    world = World(weighted() | {"progressDeadlineSeconds": DEADLINE}).until(Phase.INITIALIZED)
    world.says("Pending")
    world.push("podinfo:2")
    world.tick(DEADLINE // 10 - 1)
    world.says("Accepted")
    world.not_ready = {"target"}
    world.tick(3)
    assert world.phase is Phase.PROGRESSING
    world.not_ready = set()
    world.until(Phase.SUCCEEDED)


def test_a_primary_that_is_not_ready_stops_only_the_advancing() -> None:
    world = progressing(25)
    world.not_ready = {"primary"}
    world.tick(2)
    assert (world.phase, world.weight) == (Phase.PROGRESSING, 25)
    assert world.asked[-1] == "request-success-rate"
    world.answer("request-success-rate", 1)
    world.tick(3)
    assert world.phase is Phase.FAILED


def test_a_primary_past_its_deadline_with_pods_that_serve_gets_the_traffic_back() -> None:
    world = progressing(25)
    world.stuck = {"primary"}
    world.tick()
    assert (world.phase, world.weight) == (Phase.FAILED, 0)
    assert world.alerts[-1][0] == "error"


def test_a_primary_past_its_deadline_without_pods_holds_and_alerts_once() -> None:
    world = progressing(25)
    world.stuck = {"primary"}
    world.not_ready = {"primary"}
    world.tick(5)
    assert (world.phase, world.weight) == (Phase.PROGRESSING, 25)
    assert [severity for severity, _ in world.alerts].count("error") == 1


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


# ---- data


def test_an_empty_answer_is_neither_pass_nor_failure_and_ends_it_after_one_deadline() -> None:
    world = progressing(25)
    world.answer("request-success-rate", outcome="empty")
    world.tick(DEADLINE // 10)
    assert (world.phase, world.weight, world.status.failed_checks) == (Phase.PROGRESSING, 25, 0)
    assert world.status.waiting_for == "data"
    assert world.condition().message == (
        "Halt advancement no values found for gloo metric request-success-rate probably podinfo.test "
        "is not receiving traffic: no values found"
    )
    world.tick(2)
    assert world.phase is Phase.FAILED
    assert "NoData" in world.reasons
    assert world.alerts[-1][0] == "error"


def test_the_no_data_clock_starts_again_after_an_answer() -> None:
    world = progressing(25, maxWeight=100, stepWeight=1)
    for _ in range(4):
        world.answer("request-success-rate", outcome="empty")
        world.tick(5)
        world.answer("request-success-rate", 100)
        world.tick()
    assert world.phase is Phase.PROGRESSING
    assert world.status.no_data_since is None


@pytest.mark.parametrize("outcome", ["unreachable", "error"])
def test_a_provider_that_cannot_be_asked_holds_without_limit_and_alerts_once(outcome: str) -> None:
    world = progressing(25)
    world.answer("request-success-rate", outcome=outcome, detail="connection refused")
    world.tick(100)
    assert (world.phase, world.weight) == (Phase.PROGRESSING, 25)
    assert world.alerts[-1] == ("warn", "Prometheus query failed: connection refused")
    assert [severity for severity, _ in world.alerts].count("warn") == 1


@pytest.mark.parametrize(("policy", "weight", "failed"), [("hold", 25, 0), ("fail", 25, 1), ("pass", 50, 0)])
@pytest.mark.parametrize("where", ["metric", "settings"])
def test_what_no_data_means_is_the_users_choice(policy: str, weight: int, failed: int, where: str) -> None:
    metric = {**SUCCESS_RATE, **({"noData": policy} if where == "metric" else {})}
    world = World(weighted(metrics=[metric]), no_data=policy if where == "settings" else "hold")
    world.until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick()
    world.answer("request-success-rate", outcome="empty")
    world.tick()
    assert (world.weight, world.status.failed_checks) == (weight, failed)


def test_a_check_counts_only_after_as_many_failures_in_a_row_as_asked_for() -> None:
    world = World(weighted(metrics=[{**SUCCESS_RATE, "consecutive": 2}, DURATION])).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick()
    world.answer("request-success-rate", 1)
    world.tick()
    assert (world.weight, world.status.failed_checks) == (25, 0)
    assert world.condition().reason == "CheckFailed"
    assert [severity for severity, _ in world.alerts] == ["info", "info"], "it does not count, so nobody is alarmed"
    world.answer("request-success-rate", outcome="empty")
    world.tick()
    assert world.status.in_a_row == {"request-success-rate": 1}, "no data ends no row"
    world.answer("request-success-rate", 1)
    world.tick()
    assert world.status.failed_checks == 1
    world.answer("request-success-rate", 100)
    world.tick()
    assert (world.weight, world.status.in_a_row) == (50, {})


def test_failures_are_counted_over_the_whole_rollout() -> None:
    world = progressing(25, stepWeight=25, maxWeight=100)
    for _ in range(2):
        world.answer("request-success-rate", 1)
        world.tick()
        world.answer("request-success-rate", 100)
        world.tick()
    assert (world.weight, world.status.failed_checks) == (75, 2)
    world.answer("request-success-rate", 1)
    world.tick()
    assert world.phase is Phase.FAILED
    assert world.condition("Promoted").status == "False"
    assert world.condition("Promoted").message == "Canary analysis failed, Deployment scaled to zero."


# ---- skipping


def test_skip_analysis_switched_on_goes_to_production_once_the_canary_is_ready() -> None:
    world = progressing(25)
    world.not_ready = {"target"}
    world.edit(skipAnalysis=True)
    assert world.phase is Phase.PROGRESSING
    assert world.status.waiting_for == "target"
    world.not_ready = set()
    world.change()
    assert world.status.phase is Phase.PROMOTING
    world.edit(skipAnalysis=False)
    world.until(Phase.SUCCEEDED)
    assert world.primary_image == "podinfo:2"


def test_a_skipped_analysis_asks_no_metric_and_says_that_it_was_skipped() -> None:
    world = World(on_podinfo({"stepWeight": 50, "metrics": [SUCCESS_RATE]}, skipAnalysis=True))
    world.until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.until(Phase.SUCCEEDED)
    assert world.asked == []
    assert world.weights == [0]
    assert "Promotion completed! Canary analysis was skipped for podinfo.test" in world.told
    assert world.alerts[-1] == ("info", "Canary analysis was skipped, promotion finished.")


def test_a_bad_image_is_not_promoted_by_skipping() -> None:
    world = World(on_podinfo({"stepWeight": 50}, skipAnalysis=True, progressDeadlineSeconds=DEADLINE))
    world.until(Phase.INITIALIZED)
    world.not_ready = {"target"}
    world.push("podinfo:bad")
    world.tick(10)
    assert world.phase is Phase.FAILED
    assert world.primary_image == "podinfo:1"
