"""Nobody knows what a primary that is gone ran: it is made again, and nobody says meanwhile that all is well."""

from __future__ import annotations

from schemas.status import Phase
from tests.handlers.core.manifests import weighted
from tests.handlers.core.switched import arrived, left
from tests.handlers.core.world import World


def _both_deleted_and_the_target_applied_again(world: World) -> None:
    kept, world.target, world.primary = world.target, None, None
    world.tick()
    world.target, world.not_ready = kept, set()
    world.push("podinfo:9")
    world.tick(60)


def test_a_primary_deleted_after_the_peers_failed_promotion_is_made_again() -> None:
    world = arrived(left("Failed", weighted(), weight=100))
    world.not_ready = {"primary"}
    world.tick(2)
    _both_deleted_and_the_target_applied_again(world)
    assert world.primary is not None
    assert world.condition().status == "False"


def test_a_primary_deleted_after_an_aborted_takeover_is_made_again() -> None:
    world = arrived(left("Promoting", weighted(), weight=50))
    world.not_ready = {"primary"}
    world.tick(2)
    world.command("abort")
    assert (world.phase, world.status.canary_weight) == (Phase.FAILED, 50)
    _both_deleted_and_the_target_applied_again(world)
    assert world.primary is not None
    assert world.condition().status == "False"
