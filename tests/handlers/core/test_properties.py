"""Whatever happens, in whatever order: what must hold of a Canary."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any
from zlib import crc32

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from schemas.events import ChangeReason
from schemas.status import IDLE, JUDGED, Phase
from schemas.workload import Workload
from tests.handlers.core.happenings import (
    ALL,
    IN_TURNS,
    LONG,
    Event,
    endings,
    events,
    happen,
    mend_everything,
    passing,
    troubles,
)
from tests.handlers.core.manifests import ab_testing, blue_green, weighted
from tests.handlers.core.repeats import content_of, fences_of
from tests.handlers.core.starts import STARTS, begin, specs_for
from tests.handlers.core.switched import left, move_in, named
from tests.handlers.core.watched import Watched
from tests.handlers.core.witness import DRAIN
from tests.peer import Left

STORIES = int(os.environ.get("STORIES", "0"))
"""``make properties``: so many, and others each time. The default suite tells a few, always the same ones."""


def play(holds: Callable[..., None], beginning: str, few: int, whole: int, **drawn: st.SearchStrategy[object]) -> int:
    """From each beginning ``few`` stories of its own; ``whole``: how many beginnings share ``STORIES``.

    How many went well to their end; raises what the first of the others breaks.
    """
    ended = 0

    def told_to_its_end(**story: Any) -> None:
        nonlocal ended
        holds(**story)
        ended += 1

    wanted = settings(deadline=None, suppress_health_check=list(HealthCheck), database=None, print_blob=True)
    told = settings(wanted, max_examples=-(-STORIES // whole) or few)(given(**drawn)(told_to_its_end))
    (told if STORIES else seed(crc32(beginning.encode()))(told))()
    return ended


@pytest.mark.parametrize("start", STARTS)
def test_every_promise_holds_in_every_story_and_every_story_ends(start: str) -> None:
    def holds(number: int, story: list[Event]) -> None:
        world = begin(number, start)
        for event in story:
            happen(world, event)
        _comes_to_rest(world)

    number = st.sampled_from(specs_for(start))
    assert play(holds, start, 9, len(STARTS), number=number, story=st.lists(events, min_size=8, max_size=24)) > 0


@pytest.mark.parametrize("start", STARTS)
def test_while_nothing_happens_nothing_is_told_twice_and_every_story_comes_to_rest(start: str) -> None:
    def holds(number: int, story: list[Event], last: tuple[Event, Event], wakes: list[Event]) -> None:
        world = begin(number, start)
        for event in (*story, *last):
            happen(world, event)
        _stands_still(world, wakes)

    number = st.sampled_from(specs_for(start))
    drawn = {"story": st.lists(events, max_size=8), "last": st.tuples(troubles, events | st.just(("push", 3)))}
    assert play(holds, start, 4, len(STARTS), number=number, **drawn, wakes=st.lists(passing, max_size=12)) > 0


LEFT = [
    *(left(phase, weighted(**ALL)) for phase in ("Initializing", "Initialized", "Waiting", "Succeeded", "Failed")),
    *(left(phase, weighted(**ALL), weight=25) for phase in ("Progressing", "WaitingPromotion", "Promoting")),
    left("Finalising", weighted(**ALL)),
    left("Failed", weighted(**ALL), weight=100),
    left("Progressing", ab_testing(**ALL), weight=100, iterations=1),
    left("WaitingPromotion", ab_testing(**ALL), weight=100),
    left("Progressing", blue_green(**ALL), iterations=1),
    left("Progressing", blue_green(**ALL), weight=100, iterations=3),
    left("Promoting", blue_green(**ALL), weight=100),
]
LOOKED = ("change", ChangeReason.SPEC)
FIRST: tuple[Event, ...] = (LOOKED, ("dies", LOOKED), ("wait",), ("pods", "primary", "unready"))


@pytest.mark.parametrize("found", LEFT, ids=named)
def test_every_promise_holds_from_whatever_the_peer_has_left(found: Left) -> None:
    def holds(first: Event, story: list[Event]) -> None:
        world = Watched(found.spec, drain=DRAIN)
        move_in(world, found)
        happen(world, first)
        for event in story:
            happen(world, event)
        if world.primary is None and world.phase is Phase.FAILED:
            # nobody knows what it ran, and what the target runs was refused: it asks for another
            mend_everything(world)
            world.push("podinfo:9")
        _comes_to_rest(world)

    story = st.lists(events, max_size=16)
    assert play(holds, named(found), 4, len(LEFT), first=st.sampled_from(FIRST), story=story) > 0


def _stands_still(world: Watched, wakes: list[Event]) -> None:
    """Long enough for whatever has a deadline, and for what that leads to."""
    world.moved = False
    for event in (*wakes, *LONG):
        happen(world, event)
    before = world.status
    for event in IN_TURNS:
        steps, kept = world.status.step, content_of(world.status)
        happen(world, event)
        assert content_of(world.status) == kept, "nothing happens, and it moves"
        noted = world.status.step - steps
        assert noted <= (event == ("tick",)), f"written {noted} times in one wake, and nothing happens"
        assert not noted or world.phase in JUDGED, f"at rest, nothing is written: {world.status.last_step}"
    assert fences_of(world.status) == fences_of(before)


def _comes_to_rest(world: Watched) -> None:
    mend_everything(world)
    for _ in range(60):
        if world.phase in IDLE and world.status.settled:
            break
        world.tick()
    status = world.status
    assert world.phase in IDLE, f"never ends: {status.phase} {world.told[-3:]}"
    assert status.settled
    assert world.weight == status.canary_weight == 0
    assert world.canary_replicas == 0 or world.item["spec"]["targetRef"]["kind"] == "Service"
    assert world.primary is not None
    assert Workload(world.primary).runs(status.promoted_revision)
    assert status.waiting_for == ""
    assert not world.tick().changed, "at rest, nothing is written"


@pytest.mark.parametrize("start", STARTS)
def test_every_story_may_end_in_a_deletion_and_no_deletion_goes_on_for_ever(start: str) -> None:
    def holds(number: int, story: list[Event], ending: list[Event], mended: bool) -> None:
        world = begin(number, start)
        world.item["spec"]["revertOnDeletion"] = True
        for event in story:
            happen(world, event)
        world.delete()
        _is_over(world, ending, mended=mended)

    number, story = st.sampled_from(specs_for(start)), st.lists(events, max_size=3)
    ending = st.lists(endings, max_size=12)
    assert play(holds, start, 4, len(STARTS), number=number, story=story, ending=ending, mended=st.booleans()) > 0


def _is_over(world: Watched, ending: list[Event], *, mended: bool) -> None:
    for event in ending:
        if world.phase is Phase.TERMINATING:
            happen(world, event)
    if mended and world.phase is Phase.TERMINATING:
        world.target = world.target or world.gone
        world.not_ready, world.stuck = set(), set()
        world.says("Accepted")
    for _ in range(8):
        world.tick()
    assert world.phase is Phase.TERMINATED, f"never ends: {world.status.phase} {world.told[-3:]}"
    if world.status.restored:
        assert world.weight == world.status.canary_weight == 100
        assert len(world.destinations()) == 1
    assert not world.tick().changed
