"""ConfigMaps and Secrets in decisions: what belongs to which revision, what is told, what is waited for."""

from __future__ import annotations

from schemas.asked import Paused
from schemas.canary import HookType
from schemas.events import ChangeReason
from schemas.status import Phase
from tests.handlers.core.manifests import hook, weighted
from tests.handlers.core.world import World

BLUE, GREEN, RED = ({"configmap/colours": text} for text in ("blue", "green", "red"))
LOST = ("configmap colours.test get query error: not found; create it",)


def reading(*, gated: bool = False) -> World:
    """At rest with blue colours."""
    world = World(weighted(webhooks=[hook(HookType.CONFIRM_ROLLOUT.value)]) if gated else weighted())
    world.configs = dict(BLUE)
    world.until(Phase.INITIALIZED)
    return world


def recolour(world: World, configs: dict[str, str]) -> None:
    world.configs = dict(configs)
    world.change(ChangeReason.REVISION)


def test_the_status_has_the_contents_of_the_revision_that_it_names() -> None:
    world = reading()
    assert (world.status.tracked_configs, world.status.tracked_config_versions) == (
        BLUE,
        {"configmap/colours": "of blue"},
    )
    recolour(world, GREEN)
    assert (world.status.tracked_configs, world.status.tracked_config_versions) == (
        GREEN,
        {"configmap/colours": "of green"},
    )


def test_contents_that_are_not_taken_in_yet_stay_news() -> None:
    """Whoever compares the status with what is there finds the difference, for as long as it takes."""
    world = reading()
    world.given(paused=Paused(by="ann"))
    recolour(world, GREEN)
    assert world.status.phase.value == "Initialized"
    assert world.status.tracked_configs == BLUE
    assert world.status.tracked_config_versions == {"configmap/colours": "of blue"}
    world.given(paused=None)
    world.change(ChangeReason.REVISION)
    assert world.phase is Phase.PROGRESSING
    assert world.status.tracked_configs == GREEN


def test_a_version_alone_is_no_step() -> None:
    world = reading()
    world.config_version = "another"
    before = world.status.step
    assert not world.change(ChangeReason.RESYNC).changed
    assert world.status.step == before


def test_a_changed_content_is_named_when_it_starts_a_rollout_and_when_it_starts_it_again() -> None:
    world = reading()
    recolour(world, GREEN)
    assert world.told[-2:] == [
        "configmap colours has changed",
        "New revision detected! Scaling up podinfo.test",
    ]
    recolour(world, RED)
    assert world.told[-2:] == [
        "configmap colours has changed",
        "New revision detected! Restarting analysis for podinfo.test",
    ]


def test_a_changed_content_waits_for_the_gate_and_is_forgotten_when_it_comes_back() -> None:
    world = reading(gated=True)
    world.hooks["confirm-rollout"] = False
    recolour(world, GREEN)
    assert world.status.phase.value == "Waiting"
    assert "configmap colours has changed" in world.told
    recolour(world, BLUE)
    assert world.phase is Phase.INITIALIZED
    assert world.status.tracked_configs == BLUE


def test_a_content_that_comes_back_in_mid_analysis_ends_it_without_a_failure() -> None:
    world = reading()
    recolour(world, GREEN)
    world.tick(2)
    assert world.weight == 50
    recolour(world, BLUE)
    assert (world.phase, world.weight, world.status.failed_checks) == (Phase.SUCCEEDED, 0, 0)
    assert world.reasons[-1] == "Reverted"
    assert world.status.tracked_configs == BLUE


def test_a_content_that_is_lost_in_mid_analysis_is_held_for_one_deadline_and_then_ends_it() -> None:
    world = reading()
    recolour(world, GREEN)
    world.tick()
    world.missing_configs = LOST
    world.tick()
    assert (world.phase, world.weight) == (Phase.PROGRESSING, 25)
    assert world.condition().message == LOST[0]
    world.wait(601)
    world.tick()
    assert (world.phase, world.weight) == (Phase.FAILED, 0)
    world.tick()
    assert world.canary_replicas == 0


def test_a_content_that_is_lost_while_promoting_keeps_nobody_from_getting_back() -> None:
    """The primary reads copies of its own; what is live does not matter to it."""
    world = reading()
    recolour(world, GREEN)
    world.until(Phase.PROMOTING)
    world.not_ready.add("primary")
    world.missing_configs = LOST
    world.tick()
    world.wait(601)
    world.tick()
    assert world.status.returning
    assert world.primary_revisions[-1] == world.status.promoted_revision
    world.not_ready.clear()
    world.tick(2)
    assert (world.phase, world.weight) == (Phase.FAILED, 0)


def test_pods_start_anew_only_where_running_ones_have_read_other_contents() -> None:
    world = reading()
    recolour(world, GREEN)
    assert world.restarts == 0, "a parked target starts new pods anyway"
    world.tick()
    recolour(world, RED)
    assert world.restarts == 1
    world.push("podinfo:2")
    assert world.restarts == 1
