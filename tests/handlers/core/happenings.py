"""What may happen to a Canary, in whatever order: its users, its people, its cluster, and the workers themselves."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from schemas.events import ChangeReason, Verb
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

STRATEGIES = ("weights", "A/B", "blue/green")
WHAT = ("invalid", "valid", "suspend", "go on", "skip", "analyse", "lower", "ungated", "gated", "rename", *STRATEGIES)
"""Of a Canary's spec, edited."""
Event = tuple[Any, ...]
ticks = st.just(("tick",))
events: st.SearchStrategy[Event] = st.one_of(
    ticks,
    ticks,
    ticks,
    st.sampled_from([("again",), ("wait",), ("lose", "route"), ("lose", "primary"), ("edit", "route")]),
    st.sampled_from([("crash",), ("lost reply",), ("conflict", 4), ("stall",), ("late",), ("repeat",)]),
    st.tuples(st.just("change"), st.sampled_from(ChangeReason)),
    st.tuples(st.just("push"), st.integers(1, 4)),
    st.tuples(st.just("silent push"), st.integers(1, 4)),
    st.tuples(st.just("providers"), st.sampled_from(["", "prometheus not avaiable: it is down"])),
    st.tuples(st.just("moved"), st.booleans()),
    st.tuples(st.just("config"), st.sampled_from(["one", "other", "gone"])),
    st.tuples(st.just("metric"), st.sampled_from(["good", "bad", "empty", "unreachable"])),
    st.tuples(st.just("hook"), st.sampled_from(HOOKS), st.booleans()),
    st.tuples(st.just("gateway"), st.sampled_from(["Accepted", "Accepted", "Pending", "Warning", "Rejected", None])),
    st.tuples(st.just("command"), st.sampled_from([*Verb, Verb.PROMOTE])),
    st.tuples(st.just("pods"), st.sampled_from(["target", "primary"]), st.sampled_from(["ready", "unready", "stuck"])),
    st.tuples(st.just("target"), st.sampled_from(["gone", "back", "parked"])),
    st.tuples(st.just("spec"), st.sampled_from(WHAT)),
)


def happen(world: Watched, event: Event) -> None:
    match event:
        case ("again",):
            world.tick(slot=world.status.last_tick)
        case ("tick",):
            world.tick()
        case ("crash" | "lost reply" | "conflict" | "stall" | "late" | "repeat", *_):
            fail(world, event)
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


def fail(world: Watched, event: Event) -> None:
    """A worker dies, comes late, loses to another, or its work is delivered to it twice."""
    match event:
        case ("crash",):
            world.tick(project=False)
        case ("lost reply",):
            world.tick(project=False)
            world.tick(slot=world.status.last_tick)
        case ("conflict", number):
            # everything was asked, then somebody else's write went first: it is all decided again on what is there now
            world.look_now()
            happen(world, ("silent push", number))
            world.tick()
        case ("stall",):
            world.stall()
        case ("late",):
            world.write_late()
        case ("repeat",) if (last := world.status.last_command) is not None:
            world.command(last.verb, id=last.id)


def turn(world: Watched, event: Event) -> None:
    """The world around it is another one from now on; nobody is told."""
    match event:
        case ("wait",):
            world.wait(45)
        case ("silent push", number) if world.target is not None:
            world.set_image(f"podinfo:{number}")
        case ("hook", name, passes):
            world.hooks[name] = passes
        case ("gateway", verdict):
            world.says(verdict)
        case ("metric", answer):
            measure(world, answer)
        case ("providers", problem):
            world.providers = problem
        case ("moved", whether):
            world.moved = whether
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
        case "weights" | "A/B" | "blue/green":
            asked = {name: analysis.get(name, []) for name in ("metrics", "webhooks")}
            made = {"weights": weighted, "A/B": ab_testing, "blue/green": blue_green}[what](**asked)
            world.edit(analysis=made["analysis"])
        case "ungated" | "gated":
            hooks = [one for one in analysis.get("webhooks", []) if not one["type"].startswith("confirm-")]
            gates = [hook(name) for name in HOOKS if name.startswith("confirm-")] if what == "gated" else []
            world.edit(analysis={**analysis, "webhooks": hooks + gates})
        case "lower":
            world.edit(analysis={**analysis, "maxWeight": 30, "threshold": 2})


def mend_everything(world: Watched) -> None:
    world.target = world.target or world.gone
    world.not_ready, world.stuck, world.missing_configs = set(), set(), ()
    world.hooks, world.providers, world.moved = {}, "", False
    world.command("resume")
    measure(world, "good")
    world.says("Accepted")
    for what in ("valid", "go on"):
        edit(world, what)


endings: st.SearchStrategy[Event] = st.one_of(
    ticks,
    st.sampled_from([("crash",), ("wait",), ("lose", "route"), ("lose", "primary")]),
    st.tuples(st.just("gateway"), st.sampled_from(["Accepted", "Pending", "Rejected", None])),
    st.tuples(st.just("command"), st.sampled_from(["abort", "promote"])),
    st.tuples(st.just("pods"), st.sampled_from(["target", "primary"]), st.sampled_from(["ready", "unready", "stuck"])),
    st.tuples(st.just("target"), st.sampled_from(["gone", "back", "parked"])),
    st.tuples(st.just("push"), st.integers(1, 4)),
)
