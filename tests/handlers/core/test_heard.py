"""Who is which receiver of alerts, and what each has heard."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from handlers.core.alerting import is_alert, receiver_of
from handlers.core.heard import Heard
from schemas.canary import AlertRef, Canary
from schemas.status import Phase
from tests.handlers.core.rollouts import with_hooks

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
LATER = BEGAN + timedelta(hours=1)


def receiver(namespace: str, name: str) -> str:
    ref = AlertRef.model_validate({"name": "a", "providerRef": {"name": name, "namespace": namespace}})
    return receiver_of(Canary.from_object({"metadata": {"name": "shop", "namespace": "test"}}), ref)


def test_no_two_providers_are_one_receiver_and_each_is_one_token_of_a_subject() -> None:
    places = [("prod", "eu-oncall"), ("prod-eu", "oncall"), ("prod", "a.b"), ("prod", "a-b"), ("prod", "a_b")]
    places += [("prod", "on call > *"), ("prod", "on call"), ("prod", "Ä"), ("prod", "")]
    found = [receiver(*place) for place in places]
    assert found[:2] == ["alert-prod_eu-oncall", "alert-prod-eu_oncall"]
    assert len({*found}) == len(places)
    assert all(is_alert(name) and not set(name) & set(". *>") for name in found)


def test_a_request_for_approval_is_not_of_the_rollout_before_and_neither_is_the_next_request() -> None:
    world = with_hooks("confirm-rollout")
    world.push("podinfo:2")
    world.until(Phase.SUCCEEDED)
    began = [world.status.revision_since]
    world.hooks["confirm-rollout"] = False
    for image in ("podinfo:3", "podinfo:4"):
        world.wait(600)
        world.push(image)
        assert world.phase is Phase.WAITING
        began.append(world.status.revision_since)
    assert len({*began}) == 3


def test_what_was_heard_is_read_as_it_was_written() -> None:
    heard = Heard().after(BEGAN, 7, ("C1", "17.5"))
    assert heard.line == "2026-01-01T00:00:00Z 7 C1 17.5"
    assert Heard.read(heard.line) == heard
    plain = Heard().after(None, 7, None)
    assert Heard.read(plain.line) == plain


@pytest.mark.parametrize("line", ["", "x", "2026-01-01T00:00:00Z C1 17.5", "a b,c d"])
def test_a_line_of_another_making_says_that_nothing_was_heard(line: str) -> None:
    assert Heard.read(line) == Heard()


def test_a_late_retry_does_not_take_the_place_of_the_newest_message() -> None:
    newest = Heard().after(LATER, 9, ("C1", "18.0"))
    assert newest.overtaken(LATER, 8)
    assert not newest.overtaken(LATER, 10)
    assert not newest.overtaken(BEGAN, 8), "of an earlier rollout: a message of its own"
    late = newest.after(BEGAN, 8, ("C1", "19.0"))
    assert (late.of(LATER), late.steps) == (("C1", "18.0"), (8, 9))


def test_only_the_newest_steps_are_kept() -> None:
    heard = Heard()
    for step in range(1, 100):
        heard = heard.after(BEGAN, step, None)
    assert heard.steps == tuple(range(84, 100))
