"""What no answer, no traffic and old traffic mean for the analysis."""

from __future__ import annotations

import pytest

from schemas.status import Phase
from tests.handlers.core.manifests import DURATION, SUCCESS_RATE, weighted
from tests.handlers.core.rollouts import DEADLINE, progressing
from tests.handlers.core.world import World


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


def test_a_provider_that_goes_away_alerts_although_there_was_no_data_before() -> None:
    world = progressing(25)
    world.answer("request-success-rate", outcome="empty")
    world.tick(2)
    world.answer("request-success-rate", outcome="unreachable", detail="connection refused")
    world.tick(3)
    assert world.alerts.count(("warn", "Prometheus query failed: connection refused")) == 1
