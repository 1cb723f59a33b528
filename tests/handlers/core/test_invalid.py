"""An invalid Canary: told by field and remedy, traffic untouched, healed when mended."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from schemas.events import ChangeReason
from schemas.status import Phase
from tests.handlers.core import shapes
from tests.handlers.core.manifests import podinfo, weighted
from tests.handlers.core.moments import progressing, promoting
from tests.handlers.core.world import World

NO_STEPS = "spec.analysis: no step is defined; set stepWeight, stepWeights or iterations"


def spec() -> dict[str, object]:
    return weighted() | {"progressDeadlineSeconds": 60}


def test_a_new_canary_that_is_invalid_says_what_to_mend_once_and_touches_nothing() -> None:
    world = World(weighted(stepWeight=0))
    world.tick(3)
    assert world.phase is Phase.NEW
    assert world.told == [NO_STEPS]
    assert world.alerts == [("error", f"Canary podinfo.test is invalid: {NO_STEPS}")]
    assert world.condition().reason == "Invalid"
    assert (world.primary, world.route, world.canary_replicas) == (None, None, 2)


def test_a_mended_canary_goes_on_where_it_was() -> None:
    world = World(weighted(stepWeight=0))
    world.tick(2)
    world.edit_analysis(stepWeight=50)
    world.until(Phase.INITIALIZED)
    assert world.reasons[1] == "Mended"
    assert world.condition().status == "False"


def test_an_idle_canary_that_is_mended_waits_for_nothing_any_more() -> None:
    world = World().until(Phase.INITIALIZED)
    world.tick()
    world.edit_analysis(stepWeight=0)
    assert world.status.waiting_for == "target"
    world.edit_analysis(stepWeight=50)
    world.tick(2)
    assert (world.status.waiting_for, world.status.settled) == ("", True)
    assert world.condition().status == "False"


def test_a_deleted_target_of_an_idle_canary_leaves_primary_and_traffic_alone_and_its_return_starts_nothing() -> None:
    world = World().until(Phase.INITIALIZED)
    kept, world.target = world.target, None
    world.change(ChangeReason.READY)
    assert world.told[-1] == "spec.targetRef: Deployment podinfo.test not found; create it or mend the name"
    assert (world.phase, world.weight, world.primary_image) == (Phase.INITIALIZED, 0, "podinfo:1")
    world.target = kept
    world.tick(3)
    assert world.phase is Phase.INITIALIZED
    assert world.status.settled


def test_a_rollout_whose_spec_breaks_is_held_for_one_deadline_then_ended() -> None:
    world = World(spec()).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick()
    world.edit_analysis(stepWeight=0)
    world.tick(5)
    assert (world.phase, world.weight) == (Phase.PROGRESSING, 25)
    world.tick(2)
    assert (world.phase, world.weight) == (Phase.FAILED, 0)
    text = f"Rolling back podinfo.test still invalid after the progress deadline: {NO_STEPS}"
    assert text in world.told
    assert world.alerts[-1] == ("error", text)
    world.edit_analysis(stepWeight=25)
    world.tick(3)
    assert (world.phase, world.canary_replicas) == (Phase.FAILED, 0)


def test_a_rollout_that_is_mended_in_time_goes_on() -> None:
    world = World(spec()).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick()
    world.edit_analysis(stepWeight=0)
    world.tick(3)
    world.edit_analysis(stepWeight=25)
    world.until(Phase.SUCCEEDED)
    assert world.weights == [0, 25, 50, 0]


@pytest.mark.parametrize("at", [Phase.PROMOTING, Phase.FINALISING])
def test_a_promotion_whose_spec_breaks_for_good_goes_back_and_ends_after_one_deadline(at: Phase) -> None:
    world = World(spec()).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    if at is Phase.FINALISING:
        world.until(Phase.PROMOTING)
        world.verdict = "Pending"
    world.until(at)
    world.edit_analysis(stepWeight=0)
    world.tick(5)
    assert world.phase is at
    world.tick(15)
    assert (world.phase, world.weight) == (Phase.FAILED, 0)
    world.says("Accepted")
    world.edit_analysis(stepWeight=25)
    world.tick(4)
    assert world.phase is Phase.FAILED
    assert world.status.settled
    assert world.primary_image == "podinfo:1"
    assert world.status.primary_revision == world.status.promoted_revision


def test_the_younger_of_two_canaries_on_one_target_stands_back_until_the_older_goes() -> None:
    world = World()
    world.older_twin = "elder.test"
    world.tick(2)
    assert world.phase is Phase.NEW
    assert world.target == podinfo()
    assert "already belongs to Canary elder.test" in world.told[0]
    world.older_twin = ""
    world.until(Phase.INITIALIZED)


def test_an_abort_of_an_invalid_rollout_still_works() -> None:
    world = World(spec()).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick()
    world.edit_analysis(stepWeight=0)
    world.command("abort")
    assert (world.phase, world.weight) == (Phase.FAILED, 0)


def test_a_spec_that_cannot_be_read_at_all_is_told_and_harms_nobody() -> None:
    world = World().until(Phase.INITIALIZED)
    world.edit(progressDeadlineSeconds="soon")
    assert world.told[-1].startswith("spec.progressDeadlineSeconds: ")
    assert world.phase is Phase.INITIALIZED
    world.edit(progressDeadlineSeconds=600)
    world.tick(2)
    assert world.status.settled


@pytest.mark.parametrize("how", ["gone", "scaled to zero"])
@pytest.mark.parametrize(("at", "ends"), [(progressing, Phase.FAILED), (promoting, Phase.PROMOTING)])
def test_users_of_a_target_that_is_gone_do_not_wait_for_a_spec_to_be_mended(
    at: Callable[[], World], ends: Phase, how: str
) -> None:
    world = at()
    world.edit_analysis(stepWeight=0)
    assert world.weight > 0
    assert world.target is not None
    if how == "gone":
        world.target = None
    else:
        shapes.park(world.target)
    world.change()
    assert (world.phase, world.status.canary_weight) == (ends, 0)
    assert f"Deployment podinfo.test {'is' if how == 'gone' else 'was'} {how}" in world.told[-1] + world.told[-2]
    assert world.alerts[-1][0] == "error"


def test_what_serves_users_is_repaired_although_nothing_can_be_judged() -> None:
    world = World().until(Phase.INITIALIZED)
    world.tick()
    world.edit_analysis(metrics=[{"name": "errors"}])
    world.route, world.primary = None, None
    world.change(ChangeReason.DRIFT)
    world.tick()
    assert (world.weight, world.primary_image) == (0, "podinfo:1")
    assert world.condition().reason == "Invalid"


def test_a_primary_is_made_again_in_the_middle_of_a_rollout_that_cannot_be_judged() -> None:
    world = progressing()
    world.edit_analysis(stepWeight=0)
    world.primary = None
    world.change(ChangeReason.DRIFT)
    assert (world.weight, world.primary_image) == (25, "podinfo:1")


def test_what_cannot_be_made_is_left_alone() -> None:
    world = World().until(Phase.INITIALIZED)
    world.tick()
    world.edit(service={"port": 0})
    route, world.route = world.route, None
    world.change(ChangeReason.DRIFT)
    assert route is not None
    assert world.route is None
