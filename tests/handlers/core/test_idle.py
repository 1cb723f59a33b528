"""No rollout runs: settle, repair, notice what is new."""

from __future__ import annotations

import pytest

from schemas.events import ChangeReason
from schemas.gloo import ROUTE_STEP
from schemas.status import Phase
from tests.handlers.core.manifests import SUCCESS_RATE, hook, weighted
from tests.handlers.core.world import World


def failed() -> World:
    world = World(weighted(metrics=[SUCCESS_RATE])).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick(2)
    world.command("abort")
    world.tick(3)
    assert (world.phase, world.status.settled) == (Phase.FAILED, True)
    return world


def settled() -> World:
    world = World().until(Phase.INITIALIZED)
    world.tick()
    return world


def test_an_idle_settled_canary_commits_nothing() -> None:
    world = settled()
    before = world.status
    for reason in (ChangeReason.RESYNC, ChangeReason.READY, ChangeReason.DRIFT):
        assert not world.change(reason).changed
    world.tick(3)
    assert world.status == before


def test_a_rollout_is_over_only_when_its_projection_was_seen() -> None:
    world = World(drain=15).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick(2)
    world.command("abort")
    assert (world.phase, world.weight, world.status.settled) == (Phase.FAILED, 0, False)
    assert world.status.waiting_for == "gateway"
    world.tick()
    assert world.canary_replicas == 2
    assert not world.status.settled
    world.tick(3)
    assert world.canary_replicas == 0
    assert world.status.settled


def test_routes_that_a_dead_worker_never_wrote_are_written_by_the_next_wake() -> None:
    world = World().until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick()
    world.hooks["rollback"] = True
    world.edit_analysis(webhooks=[hook("rollback")])
    world.tick(project=False)
    assert (world.phase, world.weight) == (Phase.FAILED, 25)
    world.tick()
    assert world.weight == 0


def test_refused_routes_of_an_ended_rollout_are_told_in_the_gateways_words() -> None:
    world = World().until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick()
    world.verdict = "Warning"
    world.command("abort")
    world.tick(3)
    assert world.told[-1] == "RouteTable podinfo.test: its words"
    assert world.canary_replicas == 2, "users may still be routed to it"
    assert not world.status.settled
    world.says("Accepted")
    world.tick(3)
    assert world.canary_replicas == 0
    assert world.condition().status == "False"


@pytest.mark.parametrize("what", ["weight", "route deleted", "primary deleted", "primary edited", "fence"])
def test_drift_is_told_once_repaired_and_settled_again(what: str) -> None:
    world = settled()
    assert world.route is not None
    assert world.primary is not None
    match what:
        case "weight":
            world.destinations()[1]["weight"] = 40
        case "fence":
            world.route["metadata"]["annotations"][ROUTE_STEP] = "9999"
        case "route deleted":
            world.route = None
        case "primary deleted":
            world.primary = None
        case _:
            world.primary["spec"]["template"]["spec"]["containers"][0]["image"] = "podinfo:foreign"
    world.change(ChangeReason.DRIFT)
    assert world.weight == 0
    assert world.primary_image == "podinfo:1"
    assert world.reasons[-1] == "Drift"
    world.tick(3)
    assert world.status.settled
    assert world.reasons.count("Drift") == 1


def test_the_primary_is_made_again_from_the_promoted_revision_not_from_the_target() -> None:
    world = failed()
    world.primary = None
    world.change(ChangeReason.DRIFT)
    assert world.primary_image == "podinfo:1"


def test_a_failed_revision_does_not_start_again_whatever_is_mended() -> None:
    world = failed()
    world.edit_analysis(metrics=[])
    world.change(ChangeReason.RESYNC)
    world.tick(3)
    assert world.phase is Phase.FAILED


def test_a_failed_revision_that_was_reverted_is_new_again_when_it_comes_back() -> None:
    world = failed()
    world.push("podinfo:1")
    assert world.phase is Phase.FAILED
    assert world.status.last_applied_spec == world.status.promoted_revision
    world.push("podinfo:2")
    assert world.status.phase is Phase.PROGRESSING


def test_a_new_revision_starts_from_any_idle_phase_even_before_the_last_one_is_settled() -> None:
    world = World().until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick(2)
    world.command("abort")
    assert not world.status.settled
    world.push("podinfo:3")
    assert world.phase is Phase.PROGRESSING
    assert world.canary_replicas == 2
    world.until(Phase.SUCCEEDED)
    assert world.primary_image == "podinfo:3"


def test_a_late_wake_of_an_ended_rollout_does_not_park_the_restarted_one() -> None:
    world = World(drain=30).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick(2)
    world.command("abort")
    ended = world.status.target_step
    world.push("podinfo:3")
    assert world.status.target_step > ended
    world.tick(3)
    assert world.canary_replicas == 2
    assert world.weight > 0
