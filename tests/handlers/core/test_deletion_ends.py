"""A deletion always ends: users cannot be brought back, nobody has to be, or it is not ours to end."""

from __future__ import annotations

import pytest

from schemas.canary import Canary
from schemas.events import ChangeReason
from schemas.status import Phase
from tests.handlers.core.manifests import podinfo
from tests.handlers.core.reverting import at_rest, reverting
from tests.handlers.core.rollouts import DEADLINE, progressing
from tests.handlers.core.world import World


def test_a_target_that_never_gets_ready_ends_the_deletion_after_its_deadline_and_takes_nothing_away() -> None:
    world = at_rest()
    world.not_ready = {"target"}
    world.delete()
    world.tick(5)
    assert world.phase is Phase.TERMINATING
    world.wait(DEADLINE)
    world.tick()
    assert (world.phase, world.status.restored, world.weight) == (Phase.TERMINATED, False, 0)
    text = next(text for text in world.told if "was not reverted within 60s" in text)
    assert "canary not ready during finalizing" in text
    assert "ControllerRevision podinfo-revert-on-deletion owns them now" in text
    assert world.alerts[-1] == ("error", text)
    assert world.condition("Promoted").message == "Canary deleted, Deployment left as it is."


def test_a_gateway_that_never_follows_ends_the_deletion_after_its_deadline_and_takes_nothing_away() -> None:
    world = at_rest()
    world.verdict = "Rejected"
    world.delete()
    world.change()
    world.wait(DEADLINE + 1)
    world.tick()
    assert (world.phase, world.status.restored) == (Phase.TERMINATED, False)
    assert "its words" in world.told[-2]


def test_a_gateway_that_never_reports_is_believed_after_a_while() -> None:
    world = reverting()
    world.verdict = None
    world.until(Phase.INITIALIZED)
    assert world.status.gateway_silent
    world.delete()
    world.tick(4)
    assert (world.phase, world.status.restored) == (Phase.TERMINATED, True)


@pytest.mark.parametrize("when", ["before", "while it is scaled up", "after its users are back"])
def test_a_target_that_is_gone_ends_the_deletion_at_once(when: str) -> None:
    """Application and Canary deleted together, or the whole namespace: nothing must hold it."""
    world = at_rest()
    if when == "before":
        world.target = None
    world.not_ready = {"target"}
    world.delete()
    if when == "after its users are back":
        world.verdict = "Pending"
        world.not_ready = set()
        world.change()
        assert world.status.returned
    world.target = None
    world.change()
    assert (world.phase, world.status.restored) == (Phase.TERMINATED, False)
    assert (
        "Deployment podinfo.test is gone: nothing to revert to, podinfo-primary.test goes with the Canary" in world.told
    )


def test_a_target_on_its_way_out_counts_as_gone() -> None:
    world = at_rest()
    assert world.target is not None
    world.target["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    world.delete()
    assert world.phase is Phase.TERMINATED


def test_a_canary_that_was_never_looked_at_goes_without_touching_anything() -> None:
    world = reverting()
    world.delete()
    assert world.phases == [Phase.TERMINATED]
    assert world.told == ["Terminating canary podinfo.test", "Terminated canary podinfo.test"]
    assert world.target == podinfo()


def test_the_younger_of_two_on_one_target_leaves_it_to_the_older() -> None:
    world = reverting()
    world.older_twin = "elder.test"
    world.tick()
    world.delete()
    assert world.phase is Phase.TERMINATED
    assert world.target == podinfo()


def test_a_missing_primary_is_not_made_again_for_a_canary_that_goes() -> None:
    world = at_rest()
    world.primary = None
    world.delete()
    world.tick(3)
    assert world.primary is None
    assert (world.phase, world.canary_replicas) == (Phase.TERMINATED, 1)


def test_a_finalizer_without_revert_on_deletion_holds_nothing_and_the_target_at_zero_is_told() -> None:
    """The peer may have left its finalizer behind."""
    world = World().until(Phase.INITIALIZED)
    world.delete()
    assert (world.phase, world.canary_replicas) == (Phase.TERMINATED, 0)
    assert world.told[-2].startswith(
        "Canary podinfo.test was deleted without revertOnDeletion: Deployment podinfo.test"
    )


def test_a_canary_that_does_not_wait_for_us_is_left_to_garbage_collection() -> None:
    world = progressing()
    world.delete(finalizers=("foregroundDeletion",))
    assert not world.change().changed
    assert not world.tick().changed
    assert (world.phase, world.weight, world.told[-1]) == (
        Phase.PROGRESSING,
        25,
        "Advance podinfo.test canary weight 25",
    )


def test_an_unreadable_field_does_not_hide_the_names_and_the_wish_to_revert() -> None:
    world = at_rest(service={"name": "web", "port": 80})
    world.edit(progressDeadlineSeconds="soon")
    canary = Canary.from_object(world.item)
    assert canary.problems
    assert (canary.service, canary.spec.service.port, canary.spec.revert_on_deletion) == ("web", 80, True)
    world.delete()
    world.tick(3)
    assert (world.phase, world.status.restored) == (Phase.TERMINATED, True)
    assert world.change(ChangeReason.DELETED).changed is False
