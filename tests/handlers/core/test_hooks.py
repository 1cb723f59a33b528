"""What hooks are told, and how often they are asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from handlers.core.hooks import phase_told
from schemas.canary import Canary, HookType
from schemas.status import Phase
from tests.handlers.core.manifests import SUCCESS_RATE, ab_testing, blue_green, hook, weighted
from tests.handlers.core.moments import failed, initialized, succeeded, waiting_promotion
from tests.handlers.core.rollouts import with_hooks
from tests.handlers.core.world import World


def read(world: World, kind: HookType) -> str:
    return phase_told(Canary.from_object(world.item), kind)


@pytest.mark.parametrize(
    ("given", "phase"), [(initialized, "Initialized"), (succeeded, "Succeeded"), (failed, "Failed")]
)
def test_a_gate_before_the_start_first_reads_the_phase_before_and_then_waiting(given, phase: str) -> None:  # type: ignore[no-untyped-def]
    world: World = given()
    world.edit_analysis(webhooks=[hook("confirm-rollout")])
    world.tick(3)
    world.hooks["confirm-rollout"] = False
    world.push("podinfo:3")
    assert world.phase is Phase.WAITING
    assert read(world, HookType.CONFIRM_ROLLOUT) == phase
    world.tick()
    assert read(world, HookType.CONFIRM_ROLLOUT) == "Waiting"


@pytest.mark.parametrize("kind", [HookType.ROLLOUT, HookType.CONFIRM_PROMOTION, HookType.PRE_ROLLOUT])
def test_hooks_of_the_analysis_read_progressing_while_it_waits_for_promotion(kind: HookType) -> None:
    world = waiting_promotion()
    assert read(world, kind) == "Progressing"
    assert read(world, HookType.ROLLBACK) == "WaitingPromotion"


@pytest.mark.parametrize("spec", [weighted, ab_testing, blue_green])
def test_a_closed_promotion_gate_is_asked_in_every_slot(spec: Callable[..., dict[str, Any]]) -> None:
    world = World(spec(webhooks=[hook("confirm-promotion")], metrics=[SUCCESS_RATE])).until(Phase.INITIALIZED)
    world.hooks["confirm-promotion"] = False
    world.push("podinfo:2")
    world.until(Phase.WAITING_PROMOTION)
    world.asked.clear()
    world.tick(4)
    assert world.asked == ["request-success-rate", "confirm-promotion"] * 4
    world.hooks["confirm-promotion"] = True
    world.until(Phase.SUCCEEDED)


@pytest.mark.parametrize("spec", [weighted, ab_testing, blue_green])
def test_a_closed_promotion_gate_keeps_no_bad_canary_alive(spec: Callable[..., dict[str, Any]]) -> None:
    world = World(spec(webhooks=[hook("confirm-promotion")], metrics=[SUCCESS_RATE])).until(Phase.INITIALIZED)
    world.hooks["confirm-promotion"] = False
    world.push("podinfo:2")
    world.until(Phase.WAITING_PROMOTION)
    world.answer("request-success-rate", 1)
    world.tick(3)
    assert (world.phase, world.weight) == (Phase.FAILED, 0)


def test_a_gate_that_is_taken_away_while_it_is_closed_lets_the_rollout_start() -> None:
    world = with_hooks("confirm-rollout")
    world.hooks["confirm-rollout"] = False
    world.push("podinfo:2")
    world.tick()
    world.edit_analysis(webhooks=[])
    assert world.phase is Phase.PROGRESSING


def test_what_a_closed_gate_says_is_in_the_status_and_tells_nobody_again() -> None:
    world = with_hooks("confirm-rollout")
    world.hooks["confirm-rollout"] = False
    world.push("podinfo:2")
    world.tick()
    closed = world.status.closed_gate
    assert closed is not None
    assert (closed.gate, closed.hook, closed.message, closed.since) == (
        "confirm-rollout",
        "confirm-rollout",
        "no",
        world.now,
    )
    told = list(world.told)
    world.tick(3)
    assert world.status.closed_gate == closed
    assert world.told == told
