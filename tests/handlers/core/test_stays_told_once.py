"""A rollout that was taken over and cannot go back says so once, not in every wake."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from schemas.events import ChangeReason
from tests.handlers.core.manifests import hook, weighted
from tests.handlers.core.switched import arrived, left, taken_over
from tests.handlers.core.world import World


def _stuck_primary_after_the_target_went() -> World:
    world = taken_over(left("Promoting", weight=50))
    world.not_ready = {"primary"}
    world.tick()
    world.target = None
    world.tick(2)
    world.stuck = {"primary"}
    return world


def _reverted_with_a_stuck_primary() -> World:
    world = arrived(left("Progressing", {"progressDeadlineSeconds": 60, **weighted()}, new="podinfo:1"))
    world.not_ready = {"primary"}
    world.change(ChangeReason.SPEC)
    return world


def _hook_asks_for_ever() -> World:
    spec = {"progressDeadlineSeconds": 60, **weighted(webhooks=[hook("rollback")])}
    world = arrived(left("Progressing", spec, new="podinfo:1"))
    world.not_ready = {"primary"}
    world.change(ChangeReason.SPEC)
    world.hooks["rollback"] = True
    return world


def _invalid_while_finalising() -> World:
    world = arrived(left("Finalising", {"progressDeadlineSeconds": 60, **weighted()}))
    world.says("Pending")
    world.change(ChangeReason.SPEC)
    world.edit_analysis(stepWeight=0)
    return world


@pytest.mark.parametrize(
    "begin",
    [
        _stuck_primary_after_the_target_went,
        _reverted_with_a_stuck_primary,
        _hook_asks_for_ever,
        _invalid_while_finalising,
    ],
)
def test_what_cannot_go_back_is_told_once(begin: Callable[[], World]) -> None:
    world = begin()
    world.tick(10)
    before = len(world.notices)
    world.tick(4)
    assert world.condition().status == "True"
    assert world.notices[before:] == []
