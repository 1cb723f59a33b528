"""What may happen to a Canary, in whatever order: its users, its people, its cluster, and the workers themselves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from schemas.events import ChangeReason, Verb
from schemas.status import Phase
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
Event = tuple[Any, ...]

ASKED: dict[Phase, tuple[Verb, ...]] = {
    Phase.WAITING: (Verb.APPROVE, Verb.ABORT, Verb.PAUSE, Verb.RESUME, Verb.PROMOTE),
    Phase.PROGRESSING: (Verb.ABORT, Verb.RESTART, Verb.PAUSE, Verb.RESUME, Verb.APPROVE, Verb.PROMOTE),
    Phase.WAITING_PROMOTION: (Verb.APPROVE, Verb.ABORT, Verb.RESTART, Verb.PAUSE, Verb.RESUME, Verb.PROMOTE),
    Phase.PROMOTING: (Verb.ABORT,),
    Phase.FINALISING: (Verb.ABORT,),
    Phase.FAILED: (Verb.RESTART, Verb.PAUSE, Verb.RESUME),
}
"""What people ask for that is not refused."""


def _often(count: int, *these: Event) -> list[Event]:
    return [event for event in these for _ in range(count)]


WAKES = [
    *_often(16, ("tick",)),
    *_often(4, ("ticks", 3), ("change", ChangeReason.READY)),
    *_often(5, ("late tick",)),
    *_often(2, ("crash",)),
    *(("change", reason) for reason in ChangeReason if reason is not ChangeReason.READY),
    *(("push", number) for number in (1, 2, 3, 4)),
    *(("ask", number) for number in range(6)),
    *(("dies", event) for event in (("push", 3), ("ask", 0), ("ask", 1), ("change", ChangeReason.READY), ("tick",))),
    *(("again",), ("lost reply",), ("conflict", 4), ("stall",), ("late",), ("repeat",)),
    *(("command", verb) for verb in (Verb.APPROVE, Verb.ROLLBACK, Verb.PROMOTE)),
]
"""Most stories are told by ticks; what happens meanwhile is noticed at the next."""
AROUND: list[Event] = [
    *_often(4, ("mend",)),
    *_often(2, ("wait",), ("silent push", 3), ("metric", "bad"), ("metric", "empty"), ("gateway", "Pending")),
    *(("metric", "good"), ("metric", "unreachable"), ("silent push", 1), ("silent push", 2)),
    *(("gateway", verdict) for verdict in ("Accepted", "Warning", "Rejected", None)),
    *(("hook", name, name == "rollback") for name in HOOKS),
    *(("hook", name, name != "rollback") for name in HOOKS),
    *(("pods", role, state) for role in ("target", "primary") for state in ("ready", "unready", "stuck")),
    *(("providers", problem) for problem in ("", "prometheus not avaiable: it is down")),
    *(("moved", True), ("lose", "route"), ("lose", "primary"), ("edit", "route")),
    *(("target", what) for what in ("gone", "back", "parked")),
    *(("config", content) for content in ("one", "other", "gone")),
]
MEANWHILE: list[Event] = [
    ("meanwhile", event)
    for _ in range(2)
    for event in (
        *(("metric", answer) for answer in ("bad", "empty", "unreachable")),
        *(("hook", name, name == "rollback") for name in HOOKS),
        *(("gateway", verdict) for verdict in ("Pending", "Rejected", None)),
        *(("pods", role, state) for role in ("target", "primary") for state in ("unready", "stuck")),
        *(("target", "gone"), ("silent push", 3), ("moved", True)),
    )
]
"""For one tick; afterwards all is well again."""
EDITS: list[Event] = [
    ("spec", what) for what in ("suspend", "go on", "skip", "analyse", "lower", "ungated", "gated", *STRATEGIES)
]
RARE: list[Event] = [("spec", "invalid"), ("spec", "valid"), ("spec", "rename")]
events: st.SearchStrategy[Event] = st.sampled_from([*WAKES, *MEANWHILE, *AROUND, *EDITS, *RARE])


def happen(world: Watched, event: Event) -> None:
    match event:
        case ("tick" | "ticks" | "late tick" | "again" | "meanwhile", *_):
            go_on(world, event)
        case ("dies" | "crash" | "lost reply" | "conflict" | "stall" | "late" | "repeat", *_):
            fail(world, event)
        case ("change", reason):
            world.change(reason)
        case ("push", number) if world.target is not None:
            world.push(f"podinfo:{number}")
        case ("command" | "ask", what):
            verbs = ASKED.get(world.phase, (Verb.ROLLBACK, Verb.PAUSE, Verb.RESUME))
            world.command(verbs[what % len(verbs)] if isinstance(what, int) else what)
        case ("spec", what):
            edit(world, what)
        case ("lose" | "edit" | "target" | "config", _):
            somebody(world, event)
        case _:
            turn(world, event)


def go_on(world: Watched, event: Event) -> None:
    match event:
        case ("tick",):
            world.tick()
        case ("ticks", times):
            world.tick(times)
        case ("again",):
            world.tick(slot=world.status.last_tick)
        case ("meanwhile", other):
            turn(world, other)
            somebody(world, other)
            world.tick()
            _mend(world)
        case ("late tick",):
            # a change is noticed at once, the tick comes seven seconds late, and the next on time
            slot = world.now + timedelta(seconds=10)
            world.change()
            world.wait(6)
            world.tick(slot=slot)
            world.wait(-7)
            world.tick()


def fail(world: Watched, event: Event) -> None:
    """A worker dies, comes late, loses to another, or its work is delivered to it twice."""
    match event:
        case ("dies", other):
            world.dies = True
            happen(world, other)
            world.dies = False
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
        case ("mend",):
            _mend(world)
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
        case ("edit", "route") if world.route is not None and len(world.destinations()) > 1:
            shares = world.destinations()
            shares[0]["weight"], shares[1]["weight"] = 12, 88
        case ("target", "gone") if world.target is not None:
            world.gone, world.target = world.target, None
        case ("target", "back"):
            world.target = world.target or world.gone
        case ("target", "parked") if world.target is not None:
            shapes.park(world.target)
        case ("config", content):
            world.missing_configs = ("configmap a.test is gone",) if content == "gone" else ()
            world.configs = {} if content == "gone" else {"configmap/a": content}
            world.change(ChangeReason.REVISION)


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


def _mend(world: Watched) -> None:
    """Nobody is told."""
    world.target = world.target or world.gone
    world.not_ready, world.stuck, world.missing_configs = set(), set(), ()
    world.hooks, world.providers, world.moved = {}, "", False
    measure(world, "good")
    world.says("Accepted")


def mend_everything(world: Watched) -> None:
    _mend(world)
    world.command("resume")
    for what in ("valid", "go on"):
        edit(world, what)


endings: st.SearchStrategy[Event] = st.sampled_from(
    [
        *_often(6, ("tick",)),
        *(("crash",), ("wait",), ("mend",), ("lose", "route"), ("lose", "primary"), ("edit", "route")),
        *(("gateway", verdict) for verdict in ("Accepted", "Pending", "Rejected", None)),
        *(("command", verb) for verb in (Verb.ABORT, Verb.PROMOTE)),
        *(("pods", role, state) for role in ("target", "primary") for state in ("ready", "unready", "stuck")),
        *(("target", what) for what in ("gone", "back", "parked")),
        *(("push", 1), ("push", 3), ("stall",), ("late",), ("change", ChangeReason.READY)),
    ]
)


troubles: st.SearchStrategy[Event] = st.sampled_from(
    [
        *_often(3, *(("gateway", verdict) for verdict in ("Pending", "Warning", "Rejected", None))),
        *_often(2, *(("pods", role, state) for role in ("target", "primary") for state in ("unready", "stuck"))),
        *(("hook", name, name == "rollback") for name in HOOKS),
        *(("metric", answer) for answer in ("good", "bad", "empty", "unreachable")),
        *(("target", "gone"), ("target", "parked"), ("config", "gone"), ("spec", "invalid"), ("spec", "suspend")),
    ]
)
"""What lasts: from there on all that is told is about it."""
LOOKS: tuple[Event, ...] = tuple(("change", reason) for reason in ChangeReason if reason is not ChangeReason.DELETED)
passing: st.SearchStrategy[Event] = st.sampled_from(
    [
        *_often(6, ("tick",)),
        *LOOKS,
        *(("ticks", 3), ("late tick",), ("again",), ("wait",), ("crash",), ("lost reply",)),
    ]
)
"""Nothing but time, and those who look again, and die in between."""
LONG: tuple[Event, ...] = (("tick",), ("late tick",), *(("wait",), ("tick",), ("wait",), ("ticks", 2)) * 5)
"""Several progress deadlines, one after the other, with a few slots in each: as long as anything goes on by itself."""
IN_TURNS: tuple[Event, ...] = tuple(event for look in LOOKS for event in (("tick",), look))
