"""What the peer left, in every phase: taken over without a rollout, a restarted pod or a weight that jumps."""

from __future__ import annotations

import pytest

from schemas.revision import is_our_hash
from schemas.status import Phase
from schemas.workload import PRIMARY_STEP, TARGET_STEP, Workload
from tests import peer
from tests.handlers.core.manifests import ab_testing, blue_green, hook, weighted
from tests.handlers.core.switched import TEN, left, named, pods_of_primary, taken_over
from tests.peer import Left

EVERY_PHASE = [
    left("Initializing"),
    left("Initialized"),
    left("Succeeded"),
    left("Failed"),
    left("Failed", weight=100),
    left("Waiting", weighted(webhooks=[hook("confirm-rollout")])),
    left("Progressing", weight=30, failed_checks=1),
    left("Progressing", weight=0),
    left("Progressing", ab_testing(), weight=100, iterations=1),
    left("Progressing", blue_green(), iterations=1),
    left("Progressing", blue_green(), weight=100, iterations=3),
    left("WaitingPromotion", weighted(**TEN, webhooks=[hook("confirm-promotion")]), weight=50),
    left("Promoting", weight=50),
    left("Promoting", weighted(**TEN, stepWeightPromotion=20), weight=30),
    left("Finalising"),
]


@pytest.mark.parametrize("found", EVERY_PHASE, ids=named)
def test_taking_over_moves_no_traffic_restarts_no_pod_and_scales_nothing(found: Left) -> None:
    world = taken_over(found)
    assert world.phase.value == found.phase
    assert world.weight == world.status.canary_weight == found.weight
    assert pods_of_primary(world) == found.primary["spec"]["template"]
    assert world.canary_replicas == found.target["spec"]["replicas"]
    assert world.reasons == ["Adopted"]
    assert world.status.failed_checks == found.failed_checks


@pytest.mark.parametrize("found", EVERY_PHASE, ids=named)
def test_what_the_peer_wrote_for_itself_stays_true(found: Left) -> None:
    world = taken_over(found)
    wire, before = world.item["status"], found.status
    for field in ("phase", "lastAppliedSpec", "lastPromotedSpec", "lastTransitionTime"):
        assert wire.get(field) == before.get(field), field
    assert wire["trackedConfigs"] == before.get("trackedConfigs", world.configs)
    if not (found.phase == "Failed" and found.weight):
        assert world.condition("Promoted").to_wire() == before["conditions"][0]


@pytest.mark.parametrize("found", EVERY_PHASE, ids=named)
def test_every_rollout_that_is_taken_over_ends(found: Left) -> None:
    world = taken_over(found)
    world.tick(25)
    assert world.phase in (Phase.INITIALIZED, Phase.SUCCEEDED, Phase.FAILED)
    assert (world.status.settled, world.weight, world.canary_replicas) == (True, 0, 0)
    assert world.primary is not None
    own, status = Workload(world.primary), world.status
    assert own.runs(status.promoted_revision)
    assert own.fence(PRIMARY_STEP) == status.primary_step
    assert world.target is not None
    assert Workload(world.target).fence(TARGET_STEP) == status.target_step
    refused = found.phase == "Failed" and not found.weight
    assert status.phase is (Phase.FAILED if found.phase == "Failed" else status.phase)
    assert world.primary_image == (peer.OLD if refused or found.phase.startswith("Initializ") else world.primary_image)


@pytest.mark.parametrize("phase", ["Initialized", "Succeeded", "Failed"])
def test_idle_canaries_start_nothing_until_something_is_pushed(phase: str) -> None:
    world = taken_over(left(phase))
    world.tick(5)
    assert world.reasons == ["Adopted"]
    assert world.status.settled
    assert world.primary_image == peer.OLD
    world.push("podinfo:3")
    assert world.phase is Phase.PROGRESSING
    world.until(Phase.SUCCEEDED)
    assert world.promoted == ["podinfo:3"]
    assert is_our_hash(world.status.last_promoted_spec)
