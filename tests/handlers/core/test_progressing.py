"""The analysis: what restarts it, what ends it, what holds it."""

from __future__ import annotations

import pytest

from schemas.status import Phase
from tests.handlers.core.manifests import SUCCESS_RATE, on_podinfo, weighted
from tests.handlers.core.rollouts import DEADLINE, progressing
from tests.handlers.core.watched import Watched
from tests.handlers.core.world import World


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
    assert world.alerts[-1][1].startswith(
        "Progress deadline exceeded canary deployment podinfo.test not ready: waiting for rollout to finish: 0 of 2"
    )


def test_a_canary_whose_deployment_gave_up_is_rolled_back_at_any_weight() -> None:
    world = progressing(50)
    world.stuck = {"target"}
    world.change()
    assert (world.phase, world.weight) == (Phase.FAILED, 0)
    why = 'canary deployment podinfo.test not ready: deployment "podinfo" exceeded its progress deadline'
    text = f"Rolling back podinfo.test progress deadline exceeded {why}"
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


@pytest.mark.parametrize("role", ["target", "primary"])
def test_no_pod_at_all_is_never_ready_whatever_the_threshold_says(role: str) -> None:
    world = progressing(25, canaryReadyThreshold=0, primaryReadyThreshold=0)
    world.not_ready = {role}
    world.tick(3)
    assert world.weight == 25
    assert world.condition().message.endswith("no available replicas")


def test_a_primary_that_is_not_ready_stops_only_the_advancing() -> None:
    world = progressing(25)
    world.not_ready = {"primary"}
    world.tick(2)
    assert (world.phase, world.weight) == (Phase.PROGRESSING, 25)
    assert world.asked[-1] == "request-success-rate"
    world.answer("request-success-rate", 1)
    world.tick(3)
    assert world.phase is Phase.FAILED


@pytest.mark.parametrize(("role", "promoted"), [("target", False), ("primary", False), ("target", True)])
def test_pods_that_are_missing_for_a_deadline_while_others_serve_hold_and_alert_once(role: str, promoted: bool) -> None:
    world = Watched(weighted(metrics=[SUCCESS_RATE])).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick()
    world.room = {role: 1}
    told = len(world.alerts)
    world.tick(6)
    assert (world.alerts[told:], world.condition().reason) == ([], "NotReady")
    if promoted:
        world.command("promote")
    world.tick(6)
    assert (world.phase, world.weight, world.condition().reason) == (Phase.PROGRESSING, 25, "DeadlineExceeded")
    text = "waiting for rollout to finish: 1 of 2 (readyThreshold 100%) updated replicas are available"
    assert [severity for severity, alert in world.alerts[told:] if alert.endswith(text)] == ["warn"]
    world.room = {}
    world.tick()
    assert (world.condition().status, world.phase) == ("False", Phase.PROMOTING if promoted else Phase.PROGRESSING)


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
