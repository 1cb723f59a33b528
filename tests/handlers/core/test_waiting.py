"""People hold a Canary: before its promotion, or by a pause."""

from __future__ import annotations

from schemas.asked import Paused
from schemas.status import Phase
from tests.handlers.core.cluster import START
from tests.handlers.core.manifests import SUCCESS_RATE, weighted
from tests.handlers.core.rollouts import with_hooks
from tests.handlers.core.world import World


def waiting_promotion() -> World:
    world = with_hooks("confirm-promotion", "rollback", metrics=[SUCCESS_RATE])
    world.hooks["confirm-promotion"] = False
    world.push("podinfo:2")
    return world.until(Phase.WAITING_PROMOTION)


def test_while_it_waits_for_promotion_the_threshold_rolls_back() -> None:
    world = waiting_promotion()
    world.answer("request-success-rate", 1)
    world.tick(3)
    assert (world.phase, world.weight) == (Phase.FAILED, 0)


def test_while_it_waits_for_promotion_a_rollback_hook_rolls_back() -> None:
    world = waiting_promotion()
    world.hooks["rollback"] = True
    world.tick()
    assert (world.phase, world.weight) == (Phase.FAILED, 0)


def test_while_it_waits_for_promotion_a_new_revision_starts_from_zero() -> None:
    world = waiting_promotion()
    world.push("podinfo:3")
    assert (world.phase, world.weight) == (Phase.PROGRESSING, 0)
    assert world.condition("Promoted").message == "New revision detected, progressing canary analysis."


def test_while_it_waits_for_promotion_a_revert_ends_it() -> None:
    world = waiting_promotion()
    world.push("podinfo:1")
    assert (world.phase, world.weight) == (Phase.SUCCEEDED, 0)


def test_while_it_waits_for_promotion_a_missing_target_ends_it() -> None:
    world = waiting_promotion()
    world.target = None
    world.change()
    assert (world.phase, world.weight) == (Phase.FAILED, 0)


def test_no_data_never_ends_a_canary_that_people_keep_waiting() -> None:
    world = waiting_promotion()
    world.answer("request-success-rate", outcome="empty")
    world.tick(100)
    assert (world.phase, world.weight) == (Phase.WAITING_PROMOTION, 50)
    assert world.status.no_data_since is None


def test_a_paused_canary_does_not_poll_its_gate_and_says_who_paused_it() -> None:
    world = with_hooks("confirm-rollout")
    world.push("podinfo:2")
    world.given(paused=Paused(by="ann", since=START))
    world.asked.clear()
    world.tick()
    assert (world.phase, world.asked) == (Phase.WAITING, [])
    assert world.condition().message == "Halt podinfo.test advancement paused by ann since 2026-01-01T00:00:00Z"


def test_a_pause_holds_the_weight_asks_no_gate_and_still_rolls_back() -> None:
    world = with_hooks("confirm-traffic-increase", metrics=[SUCCESS_RATE])
    world.push("podinfo:2")
    world.tick()
    world.given(paused=Paused(by="ann"))
    world.asked.clear()
    world.tick(3)
    assert world.weight == 25
    assert set(world.asked) == {"request-success-rate"}
    assert world.told.count("Halt podinfo.test advancement paused by ann") == 1
    world.answer("request-success-rate", 1)
    world.tick(3)
    assert world.phase is Phase.FAILED


def test_a_pause_outlives_a_restart() -> None:
    world = World().until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick()
    world.given(paused=Paused(by="ann"))
    world.push("podinfo:3")
    world.tick(5)
    assert world.weight == 0
    assert world.status.paused is not None


def test_a_paused_idle_canary_says_that_a_new_revision_waits() -> None:
    world = World().until(Phase.INITIALIZED)
    world.given(paused=Paused(by="ann", since=START))
    world.push("podinfo:2")
    assert world.phase is Phase.INITIALIZED
    assert world.told[-1] == "New revision of podinfo.test waits: paused by ann since 2026-01-01T00:00:00Z"
    world.push("podinfo:1")
    assert world.condition().status == "False", "nothing waits any more"


def test_a_pause_holds_a_rollout_that_skips_its_analysis() -> None:
    world = World(weighted() | {"skipAnalysis": True}).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.given(paused=Paused(by="ann"))
    world.tick(3)
    assert (world.phase, world.primary_image) == (Phase.PROGRESSING, "podinfo:1")
    world.given(paused=None)
    world.until(Phase.SUCCEEDED)


def test_promote_clears_a_pause() -> None:
    for kinds in ((), ("confirm-rollout",)):
        world = with_hooks(*kinds)
        world.hooks["confirm-rollout"] = False
        world.push("podinfo:2")
        world.tick()
        world.given(paused=Paused(by="ann"))
        world.command("promote")
        assert world.status.paused is None
        world.until(Phase.SUCCEEDED)
        assert world.primary_image == "podinfo:2"
