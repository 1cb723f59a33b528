"""A promotion whose target is deleted before the primary got its template says that, rather than that pods are late."""

from __future__ import annotations

from schemas.events import ChangeReason
from schemas.status import Phase
from tests.handlers.core.manifests import weighted
from tests.handlers.core.world import World

MISSING = "Deployment podinfo.test is gone: nothing can be copied to podinfo-primary.test until it is there again"


def _nothing_copied(**spec: object) -> World:
    """The worker died when it had committed the promotion."""
    world = World({"progressDeadlineSeconds": 60, **weighted(), **spec}).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    while world.phase is not Phase.PROMOTING:
        world.tick(project=world.weight < 50 and not spec)
    return world


def test_a_target_that_is_gone_before_its_template_was_copied_is_what_people_are_told_once() -> None:
    world = _nothing_copied(skipAnalysis=True)
    world.target = None
    world.tick(3)
    ready = world.condition()
    assert (ready.reason, ready.message) == ("TargetMissing", MISSING)
    assert world.told.count(MISSING) == 1
    assert world.alerts[-1:] == [("error", MISSING)]
    assert world.status.waiting_for == "target"


def test_the_promotion_goes_on_when_the_target_is_there_again() -> None:
    world = _nothing_copied(skipAnalysis=True)
    world.target = None
    world.tick(2)
    world.target = world.gone
    world.set_image("podinfo:2")
    world.change(ChangeReason.REVISION)
    world.tick(4)
    assert (world.phase, world.primary_image) == (Phase.SUCCEEDED, "podinfo:2")


def test_past_the_deadline_the_promotion_fails_because_the_target_is_gone() -> None:
    world = _nothing_copied(skipAnalysis=True)
    world.target = None
    world.tick(8)
    assert world.alerts[-1] == ("error", f"Promotion failed, primary not ready: {MISSING}")
    assert world.condition().message.endswith(f"returning: {MISSING}")
    assert world.primary_image == "podinfo:1"


def test_whoever_was_alerted_that_users_left_a_target_that_is_gone_is_not_alerted_of_it_again() -> None:
    world = _nothing_copied()
    assert world.weight == 50
    world.target = None
    world.tick(3)
    assert (world.phase, world.weight) == (Phase.PROMOTING, 0)
    assert world.condition().message == MISSING
    gone = [text for _, text in world.alerts if "podinfo.test is gone" in text]
    assert gone == ["Deployment podinfo.test is gone, routing all traffic to primary"]
