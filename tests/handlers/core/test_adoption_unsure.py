"""What is taken over and cannot be as it was meant: the safe side is the primary, and the reason is said."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schemas.status import Phase
from schemas.workload import TARGET_STEP
from tests import peer
from tests.handlers.core.manifests import ab_testing, blue_green, weighted
from tests.handlers.core.switched import TEN, arrived, left, named, taken_over
from tests.handlers.core.world import World
from tests.peer import Left


def broken_route(world: World) -> None:
    assert world.route is not None
    world.route["spec"]["routes"][0]["routeAction"]["multi"]["destinations"] = []


@pytest.mark.parametrize("found", [left("Progressing", weight=30), left("WaitingPromotion", weight=50)], ids=named)
def test_weights_that_nobody_can_read_start_the_analysis_again(found: Left) -> None:
    world = arrived(found)
    broken_route(world)
    world.tick()
    assert (world.phase, world.weight, world.status.canary_weight) == (Phase.PROGRESSING, 0, 0)
    assert world.told[0].endswith("its RouteTable names no weights, restarting the analysis")
    world.until(Phase.SUCCEEDED)
    assert world.weights == [0, 10, 20, 30, 40, 50, 0]


@pytest.mark.parametrize(
    "found",
    [
        left("Progressing", ab_testing(), weight=30, iterations=1),
        left("Progressing", ab_testing(), weight=0, iterations=1),
        left("Progressing", blue_green(), weight=30, iterations=1),
    ],
    ids=named,
)
def test_a_weight_that_fits_no_iteration_starts_the_analysis_again(found: Left) -> None:
    world = taken_over(found)
    assert (world.weight, world.status.iterations) == (0, 0)
    assert "fits no iteration" in world.told[0]
    world.until(Phase.SUCCEEDED)


def test_users_on_a_canary_without_pods_are_sent_to_the_primary_at_once() -> None:
    found = left("Succeeded", weight=20)
    world = arrived(found)
    assert world.target is not None
    world.target["spec"]["replicas"] = 0
    world.tick()
    assert world.weight == 0
    assert "has no pods, routing all traffic to primary" in world.told[0]


@pytest.mark.parametrize("phase", ["Initialized", "Succeeded"])
def test_users_that_somebody_left_on_the_canary_go_to_the_primary_when_it_is_ready(phase: str) -> None:
    world = arrived(left(phase, weight=20))
    world.not_ready = {"primary"}
    world.tick(2)
    assert (world.phase.value, world.weight) == (phase, 20)
    world.not_ready = set()
    world.tick(4)
    assert (world.phase.value, world.weight, world.canary_replicas) == (phase, 0, 0)
    assert world.status.settled


@pytest.mark.parametrize("phase", ["Initialized", "Succeeded", "Waiting", "Progressing", "Promoting", "Finalising"])
def test_a_missing_primary_is_made_again_from_the_target_before_anybody_is_sent_to_it(phase: str) -> None:
    found = left(phase, weight=30 if phase in ("Progressing", "Promoting") else 0)
    world = arrived(found)
    world.primary = None
    world.not_ready = {"primary"}
    world.tick(2)
    assert (world.phase, world.weight) == (Phase.INITIALIZING, found.weight)
    assert world.alerts[0][0] == "error"
    world.not_ready = set()
    world.until(Phase.INITIALIZED)
    assert (world.weight, world.canary_replicas) == (0, 0)


def test_a_missing_primary_is_not_made_from_a_revision_that_was_refused() -> None:
    world = arrived(left("Failed"))
    world.primary = None
    world.tick(3)
    assert world.primary is None
    assert world.phase is Phase.FAILED
    assert world.alerts == [("error", world.condition().message)]
    world.push("podinfo:3")
    world.until(Phase.INITIALIZED)
    assert world.primary_image == "podinfo:3"


def test_a_target_that_is_gone_in_the_middle_sends_everybody_to_the_primary_in_that_wake() -> None:
    world = arrived(left("Progressing", weight=30))
    world.target = None
    world.change()
    assert world.phase is Phase.FAILED
    assert world.status.canary_weight == 0


def test_a_target_that_is_gone_while_promoting_leaves_users_to_the_primary() -> None:
    world = arrived(left("Promoting", ab_testing(), weight=100))
    world.target = None
    world.change()
    assert (world.phase, world.status.canary_weight) == (Phase.FINALISING, 0)


def test_users_that_were_left_on_a_target_that_is_gone_go_to_the_primary_ready_or_not() -> None:
    world = arrived(left("Failed", weight=20))
    world.not_ready = {"primary"}
    world.tick()
    assert world.weight == 20
    world.target = None
    world.change()
    assert (world.phase, world.weight) == (Phase.FAILED, 0)
    assert world.told[-1] == "Deployment podinfo.test is gone, routing all traffic to primary"
    world.tick(2)
    assert world.condition().reason == "Invalid"


def test_a_refused_revision_stays_refused_when_a_config_that_was_missing_is_back() -> None:
    world = arrived(left("Failed"))
    configs, world.configs = world.configs, {}
    world.missing_configs = ("configmap settings.test not found",)
    world.tick(2)
    assert world.condition().reason == "Invalid"
    world.configs, world.missing_configs = configs, ()
    world.tick(5)
    assert (world.phase, world.status.settled) == (Phase.FAILED, True)


@pytest.mark.parametrize("phase", ["Initialized", "Succeeded"])
def test_a_config_that_changed_while_nobody_looked_is_another_revision(phase: str) -> None:
    world = arrived(left(phase))
    own = dict(world.configs)
    world.configs = {"configmap/settings": "0123456789abcdef"}
    world.carried_configs = own
    world.tick()
    assert "podinfo-primary.test runs another revision than podinfo.test" in world.told[0]
    world.tick()
    assert world.phase is Phase.PROGRESSING


def test_an_idle_canary_whose_target_is_missing_is_adopted_when_that_is_back() -> None:
    world = arrived(left("Failed"))
    target, world.target = world.target, None
    world.tick(2)
    assert world.condition().reason == "Invalid"
    world.target = target
    world.tick(4)
    assert world.phase is Phase.FAILED
    assert any("the revision of podinfo.test stays refused" in text for text in world.told)
    assert world.primary_image == peer.OLD


def test_a_canary_that_nobody_can_read_is_adopted_when_it_is_mended() -> None:
    world = arrived(left("Progressing", weight=30))
    spec = world.item["spec"]
    world.item["spec"] = {**spec, "service": {"port": "none"}}
    world.tick(2)
    assert (world.condition().reason, world.weight) == ("Invalid", 30)
    world.item["spec"] = spec
    world.tick()
    assert (world.phase, world.weight) == (Phase.PROGRESSING, 30)
    world.until(Phase.SUCCEEDED)
    assert world.weights == [30, 40, 50, 0]


def test_a_suspended_canary_keeps_its_weight_and_says_it() -> None:
    world = arrived(left("Progressing", weighted(**TEN), weight=30))
    world.item["spec"]["suspend"] = True
    world.tick(4)
    assert (world.phase, world.weight, world.canary_replicas) == (Phase.PROGRESSING, 30, 2)
    assert "canary weight stays at 30" in world.condition().message
    world.edit(suspend=False)
    world.until(Phase.SUCCEEDED)
    assert world.weights == [30, 40, 50, 0]


def test_an_abort_that_comes_first_is_obeyed_at_once() -> None:
    world = arrived(left("Progressing", weight=30))
    reply = world.command("abort", by="me").reply
    assert reply is not None
    assert reply.accepted
    assert (world.phase, world.weight) == (Phase.FAILED, 0)


def test_a_gateway_that_reports_nothing_does_not_end_what_is_taken_over() -> None:
    found = left("Progressing", weight=30)
    world = arrived(found)
    world.says(None)
    world.tick(2)
    assert world.status.gateway_silent
    assert "GatewaySilent" in world.reasons
    world.until(Phase.SUCCEEDED)


def test_steps_go_on_above_the_fences_of_an_earlier_life() -> None:
    world = arrived(left("Succeeded"))
    assert world.target is not None
    world.target["metadata"]["annotations"] = {TARGET_STEP: "57"}
    world.tick()
    assert world.status.step == 58
    world.tick(3)
    assert world.status.settled


def test_a_status_that_another_controller_wrote_over_ours_is_said() -> None:
    world = taken_over(left("Succeeded"))
    world.tick(3)
    world.item["status"] = left("Succeeded").status
    world.tick()
    assert world.told[-1] == "another controller wrote the status of podinfo.test over ours; run one of the two"
    world.tick(3)
    assert world.status.settled
    assert world.promoted == []


def test_the_end_of_a_rollout_that_was_taken_over_is_told_to_the_peer_in_its_own_hashes() -> None:
    found = left("Progressing", weight=30)
    world = taken_over(found)
    world.until(Phase.SUCCEEDED)
    assert world.item["status"]["lastPromotedSpec"] == found.status["lastAppliedSpec"]
    world.tick(3)
    assert world.reasons.count("NewRevision") == 0, "and to us it is no other revision"


def test_nothing_that_is_taken_over_waits_longer_than_the_deadline_for_its_target() -> None:
    world = arrived(left("Progressing", weight=30))
    world.not_ready = {"target"}
    world.tick(2)
    world.now += timedelta(seconds=700)
    world.stuck = {"target"}
    world.tick()
    assert world.phase is Phase.FAILED


def test_a_primary_that_goes_while_users_are_left_on_the_canary_is_made_from_the_next_good_revision() -> None:
    world = arrived(left("Failed", weight=20))
    world.not_ready = {"primary"}
    world.tick(2)
    world.primary = None
    world.tick(2)
    assert world.condition().message.endswith("the only revision there is was refused: give podinfo.test a good one")
    world.push("podinfo:9")
    assert (world.phase, world.weight) == (Phase.INITIALIZING, 20), "nobody is sent to a primary that is not there yet"
    world.not_ready = set()
    world.until(Phase.INITIALIZED)
    assert (world.weight, world.primary_image) == (0, "podinfo:9")
