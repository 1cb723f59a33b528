"""Nothing is held in silence: whatever a Canary waits for is named in its condition ``Held``, with the reason."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from schemas.asked import Paused
from schemas.status import Phase
from tests.handlers.core.manifests import SUCCESS_RATE, hook, weighted
from tests.handlers.core.stories import analysing
from tests.handlers.core.switched import arrived, left
from tests.handlers.core.world import World


def initialising(*, gateway: str | None = "Accepted", ready: bool = True, providers: str = "") -> World:
    world = World(weighted(metrics=[SUCCESS_RATE]))
    world.verdict, world.providers = gateway, providers
    world.not_ready = set() if ready else {"primary"}
    return world


def waiting_for_approval() -> World:
    world = World(weighted(webhooks=[hook("confirm-rollout")])).until(Phase.INITIALIZED)
    world.hooks["confirm-rollout"] = False
    world.push("podinfo:2")
    return world


def at_weight(**found: object) -> World:
    world = analysing(metrics=[SUCCESS_RATE])
    for name, value in found.items():
        setattr(world, name, value)
    return world


def at_first(missing: str) -> World:
    world = World(weighted()).until(Phase.INITIALIZED)
    world.not_ready = {missing}
    world.push("podinfo:2")
    return world


def without_data() -> World:
    world = at_weight()
    world.answer("request-success-rate", outcome="unreachable", detail="refused")
    return world


def gate_closed(name: str) -> World:
    world = analysing(webhooks=[hook(name)])
    world.hooks[name] = False
    return world


def paused() -> World:
    world = analysing()
    world.given(paused=Paused(by="ann"))
    return world


def paused_at_rest() -> World:
    world = World().until(Phase.INITIALIZED)
    world.given(paused=Paused(by="ann"))
    world.push("podinfo:2")
    return world


def suspended() -> World:
    world = analysing()
    world.edit(suspend=True)
    return world


def promoting(*, ready: bool, gateway: str = "Accepted") -> World:
    world = analysing()
    world.until(Phase.PROMOTING)
    world.not_ready = set() if ready else {"primary"}
    world.says(gateway)
    world.verdict = gateway
    return world


def ended_behind(gateway: str | None) -> World:
    world = analysing()
    world.verdict = gateway
    world.command("abort")
    return world


def invalid() -> World:
    world = World().until(Phase.INITIALIZED)
    world.edit_analysis(stepWeight=0)
    return world


def left_on_canary() -> World:
    world = arrived(left("Failed", weight=100))
    world.not_ready = {"primary"}
    return world


def primary_lost() -> World:
    world = World().until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick(2)
    world.command("abort")
    world.tick(3)
    assert world.status.settled
    world.primary = None
    world.snapshots.clear()
    return world


HELD: list[tuple[str, Callable[[], World], str, str]] = [
    ("primary never ready", lambda: initialising(ready=False), "NotReady", "primary"),
    ("providers away", lambda: initialising(providers="prometheus not avaiable"), "NoData", "data"),
    ("gateway behind at first", lambda: initialising(gateway="Pending"), "GatewayBehind", "gateway"),
    ("approval", waiting_for_approval, "GateClosed", "gate"),
    ("canary not ready", lambda: at_weight(not_ready={"target"}), "NotReady", ""),
    ("primary not ready", lambda: at_weight(not_ready={"primary"}), "NotReady", ""),
    ("canary not ready at first", lambda: at_first("target"), "NotReady", "target"),
    ("primary not ready at first", lambda: at_first("primary"), "NotReady", "primary"),
    ("no answer", without_data, "NoData", "data"),
    ("traffic gate", lambda: gate_closed("confirm-traffic-increase"), "GateClosed", "gate"),
    ("promotion gate", lambda: gate_closed("confirm-promotion"), "GateClosed", "gate"),
    ("paused", paused, "Paused", "gate"),
    ("paused at rest", paused_at_rest, "Paused", "gate"),
    ("suspended", suspended, "Suspended", ""),
    ("primary of a promotion", lambda: promoting(ready=False), "NotReady", "primary"),
    ("routes of a promotion", lambda: promoting(ready=True, gateway="Pending"), "GatewayBehind", "gateway"),
    ("routes of the end", lambda: ended_behind("Pending"), "GatewayBehind", "gateway"),
    ("routes of the end, refused", lambda: ended_behind("Rejected"), "GatewayBehind", "gateway"),
    ("no report of the end", lambda: ended_behind(None), "GatewayBehind", "gateway"),
    ("invalid", invalid, "Invalid", "target"),
    ("left on the canary", left_on_canary, "NotReady", "primary"),
    ("nothing to make the primary from", primary_lost, "SnapshotMissing", "target"),
]


@pytest.mark.parametrize(("story", "reason", "awaited"), [row[1:] for row in HELD], ids=[row[0] for row in HELD])
def test_what_is_held_says_why_for_what_and_since_when(story: Callable[[], World], reason: str, awaited: str) -> None:
    world = story()
    world.tick(4)
    found = world.condition()
    assert (found.status, found.reason, world.status.waiting_for) == ("True", reason, awaited)
    assert len(found.message) > 20, "a sentence"
    since, told, step = found.last_transition_time, len(world.notices), world.status.step
    world.tick()
    assert world.condition().last_transition_time == since
    assert (len(world.notices) - told, world.status.step - step <= 1) == (0, True), "told once"


def test_a_gateway_that_takes_its_time_at_the_end_is_no_news() -> None:
    world = ended_behind("Pending")
    world.change()
    assert world.condition().status == "False"
    world.says("Accepted")
    world.tick(3)
    assert world.status.settled
    assert "GatewayBehind" not in world.reasons


def test_a_primary_that_nothing_is_left_to_make_from_is_said_in_mid_analysis_and_can_be_left_by_a_way_back() -> None:
    world = at_weight()
    world.primary = None
    world.snapshots.pop(world.status.promoted_revision)
    world.change()
    assert world.condition().reason == "SnapshotMissing"
    assert world.alerts[-1] == ("error", world.condition().message)
    world.push("podinfo:1")
    world.tick(4)
    assert (world.phase, world.primary_image) == (Phase.SUCCEEDED, "podinfo:1")


def test_a_primary_whose_snapshot_is_lost_is_made_from_the_target_when_that_goes_back() -> None:
    world = primary_lost()
    world.tick(2)
    assert world.alerts[-1] == ("error", world.condition().message)
    world.push("podinfo:1")
    world.tick(4)
    assert (world.status.settled, world.primary_image) == (True, "podinfo:1")
