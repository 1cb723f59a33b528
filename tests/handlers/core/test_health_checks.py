"""What tools read of a Canary that know the peer's: each condition is whole, and none is called ``Ready``."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType

import pytest

from tests.handlers.core import moments
from tests.handlers.core.world import World

MOMENTS = [
    found
    for found in vars(moments).values()
    if isinstance(found, FunctionType) and found.__module__ == moments.__name__
]


def suspended() -> World:
    world = World()
    world.edit(suspend=True)
    return world


def invalid() -> World:
    world = World()
    world.edit_analysis(mirror=True)
    return world


@pytest.mark.parametrize("moment", [*MOMENTS, suspended, invalid], ids=lambda moment: moment.__name__)
def test_every_condition_says_what_it_is_and_why_in_words(moment: Callable[[], World]) -> None:
    world = moment()
    world.tick()
    conditions = world.status.to_wire()["conditions"]
    assert "Promoted" in (types := {condition["type"] for condition in conditions})
    assert types <= {"Promoted", "Held"}
    for condition in conditions:
        assert all(condition.get(field) for field in ("status", "reason", "message", "lastTransitionTime")), condition
