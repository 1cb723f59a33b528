"""A promotion that fails or is taken back: users stay where pods are ready while the primary goes back."""

from __future__ import annotations

import pytest

from schemas.revision import REVISION
from schemas.status import Phase
from tests.handlers.core.manifests import hook, weighted
from tests.handlers.core.rollouts import DEADLINE, promoting
from tests.handlers.core.switched import arrived, left
from tests.handlers.core.world import World


def failed_promotion() -> World:
    world = promoting()
    world.stuck = {"primary"}
    world.tick()
    return world


def test_a_failed_promotion_keeps_traffic_on_the_canary_while_the_primary_goes_back() -> None:
    world = failed_promotion()
    assert (world.phase, world.weight) == (Phase.PROMOTING, 50)
    assert world.primary_image == "podinfo:1"
    text = (
        'primary not ready: podinfo-primary.test not ready: deployment "podinfo-primary" exceeded its progress deadline'
    )
    assert world.alerts[-1] == ("error", f"Promotion failed, {text}")
    assert world.told[-1] == f"Promotion of podinfo.test failed, {text}"


def test_a_failed_promotion_ends_when_the_primary_is_ready_on_the_old_revision() -> None:
    world = failed_promotion()
    world.stuck = set()
    world.tick(2)
    assert (world.phase, world.weight) == (Phase.PROMOTING, 50)
    world.not_ready = set()
    world.change()
    assert (world.phase, world.weight) == (Phase.FAILED, 0)
    assert world.told[-1] == "Canary failed! Scaling down podinfo.test"
    message = world.condition("Promoted").message
    assert message == (
        "Promotion failed, Deployment scaled to zero and primary returned to the last promoted revision."
    )
    world.tick(3)
    assert world.canary_replicas == 0
    assert world.phase is Phase.FAILED, "the same revision does not start again by itself"


def test_a_fix_pushed_after_a_failed_promotion_waits_and_is_then_analysed() -> None:
    world = failed_promotion()
    world.push("podinfo:3")
    assert world.primary_image == "podinfo:1"
    world.stuck, world.not_ready = set(), set()
    world.tick()
    assert world.phase is Phase.FAILED
    world.until(Phase.SUCCEEDED)
    assert world.promoted == ["podinfo:1", "podinfo:2", "podinfo:1", "podinfo:3"]


def test_a_primary_that_cannot_go_back_alerts_and_moves_nobody() -> None:
    world = failed_promotion()
    world.tick(20)
    assert (world.phase, world.weight) == (Phase.PROMOTING, 50)
    assert [severity for severity, _ in world.alerts].count("error") == 2, "that it failed, and that it is stuck"
    assert world.condition().reason == "DeadlineExceeded"


def test_a_primary_that_is_only_slow_fails_the_promotion_past_the_deadline() -> None:
    world = promoting()
    world.tick(DEADLINE // 10)
    assert world.status.returning is None
    world.tick(2)
    assert world.status.returning is not None
    assert world.primary_image == "podinfo:1"


def test_a_primary_that_was_ready_has_the_whole_deadline_again() -> None:
    world = promoting(stepWeightPromotion=5)
    world.not_ready = set()
    world.tick(8)
    assert 0 < world.weight < 50
    world.not_ready = {"primary"}
    world.tick()
    assert world.status.returning is None


def test_with_neither_side_ready_it_holds_and_alerts_once() -> None:
    world = promoting()
    world.not_ready = {"primary", "target"}
    world.stuck = {"primary"}
    world.tick(5)
    assert (world.phase, world.weight) == (Phase.PROMOTING, 50)
    assert [severity for severity, _ in world.alerts].count("error") == 1
    assert world.condition().message.startswith("neither side is ready")


def test_going_back_to_the_promoted_revision_during_promotion_ends_without_a_failure() -> None:
    world = promoting()
    world.push("podinfo:1")
    assert (world.phase, world.weight) == (Phase.PROMOTING, 50)
    assert world.primary_image == "podinfo:1"
    world.not_ready = set()
    world.change()
    assert (world.phase, world.weight) == (Phase.SUCCEEDED, 0)
    assert world.status.canary_revision == world.status.promoted_revision


def test_a_lost_snapshot_is_never_guessed_the_target_is_analysed_instead() -> None:
    world = World().until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick(2)
    world.tick(project=False)
    del world.snapshots[world.status.canary_revision]
    world.set_image("podinfo:3")
    world.change()
    assert (world.phase, world.weight) == (Phase.PROGRESSING, 0)
    assert "SnapshotMissing" in world.reasons
    assert world.primary_image == "podinfo:1"
    world.until(Phase.SUCCEEDED)
    assert world.primary_image == "podinfo:3"


def test_a_primary_that_cannot_go_back_for_want_of_a_snapshot_says_so() -> None:
    world = promoting()
    del world.snapshots[world.status.promoted_revision]
    world.stuck = {"primary"}
    world.tick(3)
    assert (world.phase, world.weight) == (Phase.PROMOTING, 50)
    assert world.condition().reason == "SnapshotMissing"
    assert "cannot return" in world.condition().message


def test_a_promotion_that_somebody_else_began_is_analysed_with_the_primary_as_it_is_if_its_snapshot_is_lost() -> None:
    world = arrived(left("Promoting", weight=50))
    world.not_ready = {"primary"}
    world.tick()
    assert world.status.promoted_revision == ""
    world.snapshots.clear()
    world.push("podinfo:7")
    assert world.primary is not None
    world.primary["metadata"]["annotations"].pop(REVISION, None)
    world.tick(2)
    assert world.phase is Phase.PROGRESSING
    assert any(text.endswith("Restarting analysis for podinfo.test") for text in world.told)
    world.not_ready = set()
    world.until(Phase.SUCCEEDED)
    assert world.primary_image == "podinfo:7"


@pytest.mark.parametrize("skipped", [True, False])
def test_a_rollback_hook_is_asked_while_promoting_if_the_analysis_asked_it(*, skipped: bool) -> None:
    world = World(weighted(webhooks=[hook("rollback")]) | {"skipAnalysis": skipped}).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.until(Phase.PROMOTING)
    world.not_ready = {"primary"}
    world.edit(skipAnalysis=not skipped)
    world.asked.clear()
    world.hooks["rollback"] = True
    world.tick()
    assert ("rollback" in world.asked) is not skipped
    assert (world.status.returning is not None) is not skipped
