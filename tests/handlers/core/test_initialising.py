"""From nothing to Initialized, whatever is missing on the way."""

from __future__ import annotations

import copy

from schemas.status import Phase
from tests.handlers.core.manifests import SUCCESS_RATE, on_podinfo, weighted
from tests.handlers.core.world import World


def test_the_first_tick_is_enough_to_begin() -> None:
    world = World()
    world.tick()
    assert world.phase is Phase.INITIALIZING
    assert world.condition("Promoted").status == "Unknown"
    assert world.condition("Promoted").message == "New Deployment detected, starting initialization."


def test_initialisation_is_told_with_the_peers_words() -> None:
    world = World(weighted(metrics=[SUCCESS_RATE])).until(Phase.INITIALIZED)
    assert world.told[-1] == "Initialization done! podinfo.test"
    assert world.alerts[-1] == ("info", "New Deployment detected, initialization completed.")
    assert world.notices[-1].with_facts
    assert world.condition("Promoted").message == "Deployment initialization completed."
    assert world.condition("Promoted").status == "True"


def test_an_unready_primary_is_waited_for_with_the_target_serving() -> None:
    world = World()
    world.not_ready = {"primary"}
    world.tick(5)
    assert world.phase is Phase.INITIALIZING
    assert world.canary_replicas == 2
    assert world.status.waiting_for == "primary"
    found = "0 of 2 (readyThreshold 100%) updated replicas are available"
    assert world.told == [f"podinfo-primary.test not ready: waiting for rollout to finish: {found}"]


def test_a_primary_past_the_deadline_alerts_once_and_goes_on_when_it_is_ready() -> None:
    world = World()
    world.not_ready = {"primary"}
    world.tick(100)
    assert [severity for severity, _ in world.alerts] == ["error"]
    assert world.condition().reason == "DeadlineExceeded"
    world.not_ready = set()
    world.until(Phase.INITIALIZED)
    assert world.condition().status == "False"


def test_until_the_first_promotion_the_primary_follows_the_target() -> None:
    world = World()
    world.stuck = {"primary"}
    world.tick(3)
    world.stuck = set()
    world.push("podinfo:2")
    assert world.primary_image == "podinfo:2"
    world.until(Phase.INITIALIZED)
    assert world.status.promoted_revision == world.status.primary_revision
    world.tick(3)
    assert world.phase is Phase.INITIALIZED


def test_a_provider_that_does_not_answer_is_named_and_alerted_once() -> None:
    world = World(weighted(metrics=[SUCCESS_RATE]))
    world.providers = "prometheus not avaiable: connection refused"
    world.tick(6)
    assert world.phase is Phase.INITIALIZING
    text = "Error checking metric providers: prometheus not avaiable: connection refused"
    assert world.alerts == [("error", text)]
    assert world.status.waiting_for == "data"
    world.providers = ""
    world.until(Phase.INITIALIZED)


def test_with_skip_analysis_no_provider_is_asked_and_the_primary_must_still_be_ready() -> None:
    world = World(on_podinfo({"stepWeight": 50, "metrics": [SUCCESS_RATE]}, skipAnalysis=True))
    world.providers = "down"
    world.not_ready = {"primary"}
    world.tick(4)
    assert world.phase is Phase.INITIALIZING
    world.not_ready = set()
    world.until(Phase.INITIALIZED)


def test_the_target_is_parked_only_after_the_drain() -> None:
    world = World(drain=25)
    world.tick(2)
    assert world.phase is Phase.INITIALIZED
    world.tick(2)
    assert world.canary_replicas == 2
    world.tick()
    assert world.canary_replicas == 0
    assert not world.status.settled, "nobody has seen it yet"
    world.tick()
    assert world.status.settled


def test_a_gateway_that_never_reports_is_noted_and_believed_after_a_while() -> None:
    world = World()
    world.verdict = None
    world.until(Phase.INITIALIZED)
    assert world.status.gateway_silent
    assert world.reasons.count("GatewaySilent") == 1
    assert "no VirtualService delegates to it" in world.told[0]
    world.push("podinfo:2")
    world.until(Phase.SUCCEEDED)


def test_a_gateway_that_reports_later_is_waited_for_from_then_on() -> None:
    world = World()
    world.verdict = None
    world.until(Phase.INITIALIZED)
    world.says("Accepted")
    world.tick()
    assert not world.status.gateway_silent
    world.push("podinfo:2")
    world.tick()
    world.says(None)
    world.tick(3)
    assert world.weight == 25, "a gateway that used to report is not believed when it is silent"


def test_routes_that_are_refused_keep_it_from_being_initialised_in_the_gateways_words() -> None:
    world = World()
    world.verdict = "Rejected"
    world.tick(4)
    assert world.phase is Phase.INITIALIZING
    assert world.told[-1] == "RouteTable podinfo.test: its words"
    assert world.canary_replicas == 2
    world.says("Accepted")
    world.until(Phase.INITIALIZED)


def test_pending_routes_keep_it_from_being_initialised_without_a_word() -> None:
    world = World()
    world.verdict = "Pending"
    world.tick(3)
    assert world.phase is Phase.INITIALIZING
    assert world.told == []
    assert world.status.waiting_for == "gateway"


def test_a_silence_is_counted_from_when_the_routes_are_there() -> None:
    """Under another port they are written when the gateway has had time to know the new upstreams."""
    world = World(drain=5).until(Phase.INITIALIZED)
    world.verdict = None
    world.edit(service={"port": 9000})
    assert world.route is not None
    before = copy.deepcopy(world.route)
    while world.route["spec"] == before["spec"]:
        world.tick()
    world.change()
    assert world.phase is Phase.INITIALIZING
    assert not [alert for _, alert in world.alerts if "gets no status" in alert], "it had a second"
    world.tick()
    assert [alert for _, alert in world.alerts if "gets no status" in alert]
