"""A rollout that the peer began goes on: weights, iterations, counters, gates, promotion."""

from __future__ import annotations

import pytest

from handlers.core.inherited import origin
from schemas.events import Change, ChangeReason
from schemas.status import Phase
from tests import peer
from tests.handlers.core.manifests import ab_testing, blue_green, hook, weighted
from tests.handlers.core.switched import TEN, arrived, left, named, pods_of_primary, taken_over
from tests.peer import Left


def test_weights_go_on_where_they_are() -> None:
    world = taken_over(left("Progressing", weight=30, failed_checks=1))
    world.until(Phase.SUCCEEDED)
    assert world.weights == [30, 40, 50, 0]
    assert world.promoted == [peer.NEW]
    assert "Starting canary analysis for podinfo.test" not in world.told, "acceptance tests were passed before"


def test_the_weight_is_the_route_tables_and_not_the_statuss() -> None:
    found = left("WaitingPromotion", weighted(**TEN, webhooks=[hook("confirm-promotion")]), weight=50)
    assert found.status["canaryWeight"] == 0
    assert found.status["iterations"] == -1
    world = arrived(found)
    world.hooks["confirm-promotion"] = False
    world.tick(4)
    assert (world.phase, world.weight, world.status.canary_weight) == (Phase.WAITING_PROMOTION, 50, 50)
    assert world.status.iterations == 0
    assert "request-success-rate" in world.asked, "while it waits it is judged"
    world.hooks["confirm-promotion"] = True
    world.until(Phase.SUCCEEDED)
    assert world.weights == [50, 0]


def test_a_failed_check_more_than_the_peer_counted_ends_it() -> None:
    world = taken_over(left("Progressing", weight=30, failed_checks=2))
    world.answer("request-success-rate", 10.0)
    world.tick(3)
    assert world.phase is Phase.FAILED
    assert world.weight == 0
    assert world.primary_image == peer.OLD


def test_a_threshold_that_the_peer_reached_rolls_back_without_another_failure() -> None:
    world = taken_over(left("Progressing", weight=30, failed_checks=3))
    world.change()
    assert (world.phase, world.weight) == (Phase.FAILED, 0)
    assert "Rolling back podinfo.test failed checks threshold reached 3" in world.told


@pytest.mark.parametrize(
    ("found", "left_to_do"),
    [
        (left("Progressing", ab_testing(4), weight=100, iterations=2), ["3/4", "4/4"]),
        (left("Progressing", ab_testing(2), weight=100, iterations=0), ["2/2"]),
        (left("Progressing", blue_green(4), iterations=3), ["4/4"]),
        (left("Progressing", blue_green(4), weight=100, iterations=4), []),
        (left("WaitingPromotion", ab_testing(2), weight=100), []),
        (left("WaitingPromotion", blue_green(2), weight=0), []),
        (left("WaitingPromotion", blue_green(2), weight=100), []),
    ],
    ids=lambda value: named(value) if isinstance(value, Left) else "",
)
def test_iterations_go_on_where_they_are(found: Left, left_to_do: list[str]) -> None:
    world = taken_over(found)
    world.until(Phase.SUCCEEDED)
    done = [text.rsplit(" ", 1)[1] for text in world.told if "canary iteration" in text]
    assert done == left_to_do
    assert world.promoted == [peer.NEW]
    switched = "Routing all traffic to canary" in world.told
    assert switched is (found.weight == 0)


def test_an_ab_test_gets_a_route_for_everybody_else() -> None:
    world = taken_over(left("Progressing", ab_testing(), weight=100, iterations=1))
    assert world.route is not None
    first, second = world.route["spec"]["routes"]
    assert first["matchers"] == [{"headers": [{"name": "x-canary", "value": "insider"}]}]
    assert "matchers" not in second
    assert [item["weight"] for item in world.destinations(1)] == [100, 0]


@pytest.mark.parametrize("found", [left("Promoting", weight=50), left("Promoting", weight=100)], ids=named)
def test_while_promoting_traffic_waits_for_a_primary_that_is_ready(found: Left) -> None:
    world = arrived(found)
    world.not_ready = {"primary"}
    world.tick(3)
    assert (world.phase, world.weight) == (Phase.PROMOTING, found.weight)
    world.not_ready = set()
    world.until(Phase.SUCCEEDED)
    assert world.promoted == [], "the primary had it already"


def test_half_way_back_to_the_primary_it_goes_on_step_by_step() -> None:
    world = taken_over(left("Promoting", weighted(**TEN, stepWeightPromotion=20), weight=30))
    world.until(Phase.SUCCEEDED)
    assert world.weights == [30, 10, 0]


def test_a_promotion_that_was_taken_over_and_fails_keeps_users_where_they_are() -> None:
    world = arrived(left("Promoting", weight=50))
    world.not_ready = world.stuck = {"primary"}
    world.tick(3)
    assert (world.phase, world.weight, world.canary_replicas) == (Phase.FAILED, 50, 2)
    assert world.alerts[-1][0] == "error"
    undone = peer.template(peer.OLD)
    undone["metadata"]["labels"]["app"] = "podinfo-primary"
    assert world.primary is not None
    world.primary["spec"]["template"] = undone
    world.not_ready = world.stuck = set()
    world.tick()
    assert (world.phase, world.weight) == (Phase.FAILED, 0)
    world.tick(3)
    assert world.status.settled
    assert world.primary_image == peer.OLD, "what people undid is not done again"


def test_nothing_can_be_aborted_back_to_a_revision_that_nobody_knows() -> None:
    world = taken_over(left("Finalising"))
    reply = world.command("abort").reply
    assert reply is not None
    assert not reply.accepted
    world.until(Phase.SUCCEEDED)
    assert world.promoted == []


def test_users_of_a_failed_promotion_stay_on_the_canary_until_the_primary_is_ready() -> None:
    world = arrived(left("Failed", weight=100))
    world.not_ready = {"primary"}
    world.tick(3)
    assert (world.weight, world.canary_replicas) == (100, 2)
    assert world.alerts[-1][0] == "error"
    assert "kubectl rollout undo deployment/podinfo-primary" in world.condition().message
    world.push("podinfo:3")
    world.tick(2)
    assert (world.phase, world.weight) == (Phase.FAILED, 100), "a fix does not send users to a broken primary"
    world.not_ready = set()
    world.tick()
    assert world.weight == 0
    world.until(Phase.SUCCEEDED)
    assert world.weights == [100, 0, 10, 20, 30, 40, 50, 0], "the fix is analysed before users see it again"
    assert world.primary_image == "podinfo:3"


def test_what_waits_for_approval_goes_on_waiting_for_it() -> None:
    world = arrived(left("Waiting", weighted(webhooks=[hook("confirm-rollout")])))
    world.hooks["confirm-rollout"] = False
    world.tick(4)
    assert (world.phase, world.weight, world.canary_replicas) == (Phase.WAITING, 0, 0)
    world.hooks["confirm-rollout"] = True
    world.until(Phase.SUCCEEDED)
    assert world.primary_image == peer.NEW


def test_what_waited_with_users_on_the_canary_asks_again_when_the_primary_has_them() -> None:
    world = arrived(left("Waiting", weighted(webhooks=[hook("confirm-rollout")]), weight=100))
    world.hooks["confirm-rollout"] = False
    world.change()
    assert (world.phase, world.weight) == (Phase.FAILED, 100)
    world.tick(4)
    assert (world.phase, world.weight) == (Phase.WAITING, 0)


@pytest.mark.parametrize("phase", ["Progressing", "WaitingPromotion"])
def test_a_primary_that_has_the_analysed_revision_already_is_being_promoted(phase: str) -> None:
    found = left(phase, weight=50)
    world = arrived(found)
    world.primary = arrived(left("Promoting", weight=50)).primary
    world.not_ready = {"primary"}
    world.tick(2)
    assert (world.phase, world.weight) == (Phase.PROMOTING, 50)
    world.not_ready = set()
    world.until(Phase.SUCCEEDED)
    assert world.promoted == []
    assert world.status.last_promoted_spec == found.status["lastPromotedSpec"], "it may have been so before"


@pytest.mark.parametrize("phase", ["Progressing", "WaitingPromotion"])
def test_a_target_that_was_taken_back_under_the_peer_ends_as_reverted_and_nothing_counts_as_promoted(
    phase: str,
) -> None:
    found = left(phase, weight=50, failed_checks=1)
    world = arrived(found)
    world.set_image(peer.OLD)
    world.change(ChangeReason.SPEC)
    assert (world.phase.value, world.weight) == (phase, 50), "nothing moves in the step that takes over"
    assert "podinfo-primary.test runs the revision of podinfo.test" in world.told[0]
    world.change()
    assert (world.phase, world.weight, world.status.failed_checks) == (Phase.SUCCEEDED, 0, 0)
    assert world.reasons == ["Adopted", "Reverted"]
    assert world.status.last_step is not None
    assert world.status.last_step.ended
    good = found.status["lastPromotedSpec"]
    assert (world.status.last_applied_spec, world.status.last_promoted_spec) == (good, good)
    world.tick(3)
    assert (world.status.settled, world.canary_replicas, world.promoted) == (True, 0, [])
    world.push(peer.NEW)
    assert world.phase is Phase.PROGRESSING, "what the peer analysed then was never promoted"


def test_a_push_that_the_peer_had_not_noticed_while_promoting_is_analysed_afterwards() -> None:
    world = arrived(left("Promoting", weight=50))
    world.set_image("podinfo:3")
    world.until(Phase.PROGRESSING)
    assert world.primary_image == peer.NEW
    world.until(Phase.SUCCEEDED)
    assert world.promoted == ["podinfo:3"]


def test_reverting_the_target_ends_a_rollout_that_was_taken_over() -> None:
    world = taken_over(left("Progressing", weight=30))
    world.push(peer.OLD)
    assert (world.phase, world.weight) == (Phase.SUCCEEDED, 0)
    assert "Reverted" in world.reasons
    assert world.item["status"]["lastAppliedSpec"] == world.item["status"]["lastPromotedSpec"]


def test_what_was_promoted_before_is_known_from_the_primary_and_comes_back_when_it_is_deleted() -> None:
    found = left("Progressing", weight=30)
    world = taken_over(found)
    world.primary = None
    world.tick()
    assert world.primary is not None
    assert pods_of_primary(world)["metadata"] == {
        "labels": {"app": "podinfo-primary"},
        "annotations": {"prometheus.io/scrape": "true", "flagger-id": world.status.promoted_revision},
    }
    assert world.primary_image == peer.OLD


def test_the_origin_of_a_copy_is_the_template_that_it_was_made_from() -> None:
    found = left("Progressing", weight=30)
    look = Change(namespace="test", name="podinfo", uid="u", reason=ChangeReason.SPEC)
    canary, seen = arrived(found).look(look)
    assert seen.primary_workload is not None
    assert origin(canary, seen, seen.primary_workload) == peer.template(peer.OLD)


def test_a_primary_whose_pods_were_restarted_by_hand_is_no_other_revision() -> None:
    world = arrived(left("Succeeded"))
    pods_of_primary(world)["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"] = "2026-01-01T00:00:00Z"
    world.tick(4)
    assert world.reasons == ["Adopted"]
    assert world.phase is Phase.SUCCEEDED


def test_what_was_pushed_while_nobody_looked_is_analysed_after_the_adoption() -> None:
    world = arrived(left("Succeeded"))
    world.set_image("podinfo:2")
    world.tick()
    assert "podinfo-primary.test runs another revision than podinfo.test" in world.told[0]
    world.tick()
    assert world.phase is Phase.PROGRESSING
    world.until(Phase.SUCCEEDED)
    assert world.weights == [0, 10, 20, 30, 40, 50, 0]


def test_a_rollout_that_is_promoted_by_hand_before_anybody_has_looked_at_it_can_be_aborted() -> None:
    world = arrived(left("Progressing", weight=20))
    world.command("promote")
    assert (world.phase, world.primary_image) == (Phase.PROMOTING, "podinfo:2")
    world.command("abort")
    world.tick(2)
    assert (world.phase, world.primary_image, world.weight) == (Phase.FAILED, "podinfo:1", 0)
