"""Why is it not further? The check with value and limit, what comes next and when, and what one can do."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import timedelta

import pytest

from handlers.core.explain import explain
from schemas.answers import Explanation
from schemas.base import format_time
from schemas.canary import Canary
from schemas.measurement import Measurement
from schemas.status import Phase
from tests.handlers.core.manifests import SUCCESS_RATE, hook, weighted
from tests.handlers.core.moments import waiting
from tests.handlers.core.rollouts import DEADLINE, progressing
from tests.handlers.core.world import World

RATE = "request-success-rate"


def explained(world: World) -> Explanation:
    return explain(Canary.from_object(copy.deepcopy(world.item)), 10)


def test_a_held_analysis_is_explained_with_each_check_and_what_comes_next() -> None:
    world = progressing(25, threshold=3)
    world.measured[RATE] = Measurement(
        name=RATE, outcome="value", value=42, samples=340, query="rate(x)", endpoint="http://prometheus"
    )
    world.tick()
    found = explained(world)
    assert found.doing == f"analyses revision {world.status.canary_revision} with 25 % of the users"
    assert found.why == "Halt podinfo.test advancement success rate 42.00% < 99%"
    assert found.since == world.now
    (check,) = found.checks
    assert (check.name, check.verdict, check.value, check.min, check.samples) == (RATE, "fail", 42, 99, 340)
    assert (check.query, check.endpoint) == ("rate(x)", "http://prometheus")
    due = format_time(world.now + timedelta(seconds=10))
    judged = f"judged again at {due}; canary weight 50 when everything passes"
    assert found.following == f"{judged}, rolled back after 2 more failed checks"
    assert "nats req canary.api.abort.test.podinfo '{}'" in found.commands


def test_what_was_not_asked_yet_is_there_with_its_limits() -> None:
    world = progressing(0)
    (check,) = explained(world).checks
    assert (check.name, check.verdict, check.min, check.value) == (RATE, "insufficient", 99, None)
    assert check.message == "not asked in the last step"


def test_the_deadline_of_empty_answers_is_named() -> None:
    world = progressing(25)
    world.answer(RATE, outcome="empty", detail="no values found")
    world.tick(2)
    assert world.status.no_data_since is not None
    end = format_time(world.status.no_data_since + timedelta(seconds=DEADLINE))
    assert explained(world).following.endswith(f"rolled back if there is no data until {end}")


def test_a_refused_revision_does_nothing_by_itself_and_restart_is_the_way() -> None:
    world = progressing(25)
    world.command("abort")
    world.until(Phase.FAILED)
    found = explained(world)
    assert found.following == "nothing by itself: push another revision, or restart the analysis of this one"
    assert "nats req canary.api.restart.test.podinfo '{}'" in found.commands


def waiting_for_promotion() -> World:
    world = World(weighted(webhooks=[hook("confirm-promotion")], metrics=[SUCCESS_RATE])).until(Phase.INITIALIZED)
    world.hooks["confirm-promotion"] = False
    world.push("podinfo:2")
    return world.until(Phase.WAITING_PROMOTION)


def waiting_for_traffic() -> World:
    world = World(weighted(webhooks=[hook("confirm-traffic-increase")])).until(Phase.INITIALIZED)
    world.hooks["confirm-traffic-increase"] = False
    world.push("podinfo:2")
    world.tick(3)
    return world


def paused() -> World:
    world = progressing(25)
    world.command("pause")
    return world


def promoting() -> World:
    world = progressing(25)
    while world.phase is not Phase.PROMOTING:
        world.tick()
    world.not_ready = {"primary"}
    world.tick()
    return world


def aborted_while_promoting() -> World:
    world = promoting()
    world.command("abort")
    return world


def failed() -> World:
    world = progressing(25)
    world.command("abort")
    return world.until(Phase.FAILED)


def promoted() -> World:
    return progressing(25).until(Phase.SUCCEEDED)


STORIES: list[Callable[[], World]] = [
    World,
    lambda: World().until(Phase.INITIALIZED),
    waiting,
    lambda: progressing(0),
    lambda: progressing(25),
    paused,
    waiting_for_traffic,
    waiting_for_promotion,
    promoting,
    aborted_while_promoting,
    failed,
    promoted,
]


@pytest.mark.parametrize("story", STORIES)
def test_every_command_that_it_offers_is_accepted(story: Callable[[], World]) -> None:
    world = story()
    found = explained(world)
    assert found.doing
    assert found.following
    for line in found.commands:
        verb = line.split(".")[2]
        reply = copy.deepcopy(world).command(verb, by="ana").reply
        assert reply is not None
        assert reply.accepted, reply.message
