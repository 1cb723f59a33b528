"""Whoever looks is told the reason that matters, and what can be done."""

from __future__ import annotations

from handlers.core.explain import explain
from schemas.canary import Canary
from schemas.status import Reason
from tests.handlers.core import moments
from tests.handlers.core.shapes import copied


def test_a_primary_lost_while_a_revision_waits_is_said_rather_than_the_gate() -> None:
    world = moments.waiting()
    world.primary = None
    world.snapshots.pop(world.status.promoted_revision)
    world.tick(3)
    assert world.primary is None
    assert world.condition().reason == Reason.SNAPSHOT_MISSING
    assert len([text for _, text in world.alerts if "the snapshot of revision" in text]) == 1


def test_everything_that_can_be_asked_for_while_a_revision_waits_is_offered() -> None:
    found = explain(Canary.from_object(copied(moments.waiting().item)), 10)
    offered = {command.split("api.")[1].split(".")[0] for command in found.commands}
    assert offered >= {"approve", "promote", "abort", "pause"}
