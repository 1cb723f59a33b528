"""Whatever happens, in whatever order: what must hold of a Canary."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.events import ChangeReason, Verb
from schemas.status import IDLE, Phase
from schemas.workload import Workload
from tests.handlers.core import shapes
from tests.handlers.core.manifests import DURATION, SUCCESS_RATE, ab_testing, blue_green, hook, stepped, weighted
from tests.handlers.core.shapes import of_kind
from tests.handlers.core.watched import Watched

HOOKS = ("confirm-rollout", "pre-rollout", "rollout", "confirm-traffic-increase", "confirm-promotion", "rollback")
ALL: dict[str, Any] = {"metrics": [SUCCESS_RATE, DURATION], "webhooks": [hook(name) for name in HOOKS]}
SPECS = (
    weighted(metrics=[SUCCESS_RATE]),
    weighted(**ALL),
    weighted(metrics=[{**SUCCESS_RATE, "consecutive": 2}], stepWeightPromotion=20),
    stepped(10, 60, metrics=[{**DURATION, "noData": "fail"}]),
    ab_testing(**ALL),
    ab_testing(metrics=[SUCCESS_RATE]),
    blue_green(**ALL),
    blue_green(),
    of_kind("DaemonSet", weighted(**ALL)),
    of_kind("DaemonSet", blue_green(metrics=[SUCCESS_RATE])),
    of_kind("Service", weighted(metrics=[SUCCESS_RATE], stepWeightPromotion=20)),
    of_kind("Service", ab_testing(**ALL)),
)
"""Some with every hook, some with few: what is never asked cannot be got wrong."""

STORIES = int(os.environ.get("STORIES", "0"))
"""``make properties``: so many, and others each time. The default suite tells a few, always the same ones."""


def stories(few: int) -> settings:
    wanted = settings(deadline=None, suppress_health_check=list(HealthCheck), database=None, print_blob=True)
    return settings(wanted, max_examples=STORIES or few, derandomize=not STORIES)


Event = tuple[Any, ...]
ticks = st.just(("tick",))
events: st.SearchStrategy[Event] = st.one_of(
    ticks,
    ticks,
    ticks,
    st.sampled_from([("again",), ("crash",), ("wait",), ("lose", "route"), ("lose", "primary"), ("edit", "route")]),
    st.tuples(st.just("change"), st.sampled_from(ChangeReason)),
    st.tuples(st.just("push"), st.integers(1, 4)),
    st.tuples(st.just("config"), st.sampled_from(["one", "other", "gone"])),
    st.tuples(st.just("metric"), st.sampled_from(["good", "bad", "empty", "unreachable"])),
    st.tuples(st.just("hook"), st.sampled_from(HOOKS), st.booleans()),
    st.tuples(st.just("gateway"), st.sampled_from(["Accepted", "Accepted", "Pending", "Warning", "Rejected", None])),
    st.tuples(st.just("command"), st.sampled_from([*Verb, Verb.PROMOTE])),
    st.tuples(st.just("pods"), st.sampled_from(["target", "primary"]), st.sampled_from(["ready", "unready", "stuck"])),
    st.tuples(st.just("target"), st.sampled_from(["gone", "back", "parked"])),
    st.tuples(
        st.just("spec"), st.sampled_from(["invalid", "valid", "suspend", "go on", "skip", "analyse", "lower", "rename"])
    ),
)


def happen(world: Watched, event: Event) -> None:
    match event:
        case ("again",):
            world.tick(slot=world.status.last_tick)
        case ("tick" | "crash" as how,):
            world.tick(project=how == "tick")
        case ("change", reason):
            world.change(reason)
        case ("push", number) if world.target is not None:
            world.push(f"podinfo:{number}")
        case ("config", content):
            world.missing_configs = ("configmap a.test is gone",) if content == "gone" else ()
            world.configs = {} if content == "gone" else {"configmap/a": content}
            world.change(ChangeReason.REVISION)
        case ("command", verb):
            world.command(verb)
        case ("spec", what):
            edit(world, what)
        case ("lose" | "edit" | "target", _):
            somebody(world, event)
        case _:
            turn(world, event)


def turn(world: Watched, event: Event) -> None:
    """The world around it is another one from now on; nobody is told."""
    match event:
        case ("wait",):
            world.wait(45)
        case ("hook", name, passes):
            world.hooks[name] = passes
        case ("gateway", verdict):
            world.says(verdict)
        case ("metric", answer):
            measure(world, answer)
        case ("pods", role, state):
            world.not_ready.discard(role)
            world.stuck.discard(role)
            {"unready": world.not_ready, "stuck": world.stuck}.get(state, set()).add(role)


def somebody(world: Watched, event: Event) -> None:
    """Hands that are not ours."""
    match event:
        case ("lose", "route"):
            world.route = None
        case ("lose", "primary"):
            world.primary = None
        case ("edit", "route") if world.route is not None:
            shares = world.destinations()
            shares[0]["weight"], shares[1]["weight"] = 12, 88
        case ("target", "gone") if world.target is not None:
            world.gone, world.target = world.target, None
        case ("target", "back"):
            world.target = world.target or world.gone
        case ("target", "parked") if world.target is not None:
            shapes.park(world.target)


def measure(world: Watched, answer: str) -> None:
    for name in ("request-success-rate", "request-duration"):
        good = answer == "good"
        if answer in ("good", "bad"):
            world.answer(name, (100 if good else 1) if name == "request-success-rate" else (1 if good else 9000))
        else:
            world.answer(name, outcome=answer, detail="no answer")


def edit(world: Watched, what: str) -> None:
    analysis = world.item["spec"]["analysis"]
    match what:
        case "invalid" | "valid":
            world.edit(service={"port": 0 if what == "invalid" else 9898})
        case "rename":
            world.edit(service={"port": 9000 + len(world.decisions) % 3})
        case "suspend" | "go on":
            world.edit(suspend=what == "suspend")
        case "skip" | "analyse":
            world.edit(skipAnalysis=what == "skip")
        case "lower":
            world.edit(analysis={**analysis, "maxWeight": 30, "threshold": 2})


def mend_everything(world: Watched) -> None:
    world.target = world.target or world.gone
    world.not_ready, world.stuck, world.missing_configs = set(), set(), ()
    world.hooks = {}
    world.command("resume")
    measure(world, "good")
    world.says("Accepted")
    for what in ("valid", "go on"):
        edit(world, what)


@stories(70)
@given(spec=st.sampled_from(SPECS), story=st.lists(events, min_size=20, max_size=50), at_rest=st.booleans())
def test_every_promise_holds_in_every_story_and_every_story_ends(
    spec: dict[str, Any], story: list[Event], at_rest: bool
) -> None:
    world = Watched(spec)
    if at_rest:
        measure(world, "good")
        world.until(Phase.INITIALIZED)
        world.push("podinfo:2")
    for event in story:
        happen(world, event)
    mend_everything(world)
    for _ in range(60):
        if world.phase in IDLE and world.status.settled:
            break
        world.tick()
    status = world.status
    assert world.phase in IDLE, f"never ends: {status.phase} {world.told[-3:]}"
    assert status.settled
    assert world.weight == status.canary_weight == 0
    assert world.canary_replicas == 0 or spec["targetRef"]["kind"] == "Service"
    assert world.primary is not None
    assert Workload(world.primary).runs(status.promoted_revision)
    assert status.waiting_for == ""
    assert not world.tick().changed, "at rest, nothing is written"


endings: st.SearchStrategy[Event] = st.one_of(
    ticks,
    st.sampled_from([("crash",), ("wait",), ("lose", "route"), ("lose", "primary")]),
    st.tuples(st.just("gateway"), st.sampled_from(["Accepted", "Pending", "Rejected", None])),
    st.tuples(st.just("command"), st.sampled_from(["abort", "promote"])),
    st.tuples(st.just("pods"), st.sampled_from(["target", "primary"]), st.sampled_from(["ready", "unready", "stuck"])),
    st.tuples(st.just("target"), st.sampled_from(["gone", "back", "parked"])),
    st.tuples(st.just("push"), st.integers(1, 4)),
)


@stories(40)
@given(
    spec=st.sampled_from(SPECS),
    story=st.lists(events, max_size=30),
    ending=st.lists(endings, max_size=12),
    mended=st.booleans(),
)
def test_every_story_may_end_in_a_deletion_and_no_deletion_goes_on_for_ever(
    spec: dict[str, Any], story: list[Event], ending: list[Event], mended: bool
) -> None:
    world = Watched({**spec, "revertOnDeletion": True})
    measure(world, "good")
    world.until(Phase.INITIALIZED)
    for event in story:
        happen(world, event)
    world.delete()
    for event in ending:
        if world.phase is Phase.TERMINATING:
            happen(world, event)
    if mended and world.phase is Phase.TERMINATING:
        world.target = world.target or world.gone
        world.not_ready, world.stuck = set(), set()
        world.says("Accepted")
    for _ in range(8):
        world.tick()
    assert world.phase is Phase.TERMINATED, f"never ends: {world.status.phase} {world.told[-3:]}"
    if world.status.restored:
        assert world.weight == world.status.canary_weight == 100
        assert len(world.destinations()) == 1
    assert not world.tick().changed
