"""Scenarios on the pure core: decisions become true in a cluster of dictionaries, whose promises are watched."""

from __future__ import annotations

import copy
from typing import Any

from handlers.core.draft import Decision
from handlers.core.receivers import receivers
from schemas.canary import Canary
from schemas.events import ChangeReason, Command, Verb
from schemas.gloo import ROUTE_STEP
from schemas.status import IDLE, CanaryStatus, LastStep
from schemas.workload import Workload
from tests.handlers.core.shapes import image_of
from tests.peer import Left
from tests.scenarios.beginning import play_to
from tests.scenarios.core_world import CoreWorld
from tests.scenarios.format import Order, Start, Then
from tests.scenarios.manifest import deep, left_over, passes, spec_of, target_of
from tests.scenarios.play import ANYTHING, Seen, explained, hashes_of, moved, summary
from tests.scenarios.routes import copied_for_admin, in_words
from tests.scenarios.series import scraped

_CONFIG = "configmap/podinfo"
_MISSING = "configmap podinfo.test get query error: not found; create it"


class OnCore:
    def __init__(self) -> None:
        self.world: CoreWorld
        self._before: tuple[int, int, dict[str, Any]] = (0, 0, dict.fromkeys(("RouteTable", "target", "primary")))
        self._status = CanaryStatus()

    async def begin(self, start: Start) -> None:
        spec = spec_of(start, lambda name: f"http://gate.test/{name}")
        self.world = CoreWorld(spec)
        self.world.target = target_of(start)
        if start.content:
            self.world.configs = _contents(start.content)
        if start.left_by:
            self._move_in(Left(start.phase, spec, **left_over(start)))
        await play_to(self, start)

    def _move_in(self, left: Left) -> None:
        world = self.world
        world.target, world.primary, world.route = left.target, left.primary, left.route
        for item in (world.target, world.primary, world.route):
            item["metadata"] = {"generation": 1, "resourceVersion": "1", "annotations": {}, **item["metadata"]}
        world.item["status"] = left.status

    async def do(self, action: str, value: Any) -> None:
        world = self.world
        self._before = (len(world.notices), len(world.decisions), copy.deepcopy(self._objects()))
        self._status = world.status
        world.asked.clear()
        world.queries.clear()
        world.replies.clear()
        getattr(self, f"_{action}")(value)

    def _objects(self) -> dict[str, Any]:
        return {"RouteTable": self.world.route, "target": self.world.target, "primary": self.world.primary}

    async def see(self, _then: Then = ANYTHING) -> Seen:
        world, status = self.world, self.world.status
        notices, commits, objects = self._before
        told = world.notices[notices:]
        written = [name for name, item in self._objects().items() if item != objects[name]]
        conditions = {item.type: f"{item.status}: {item.reason}: {item.message}" for item in status.conditions}
        roles = {"target": world.target, "primary": world.primary}
        return Seen(
            phase=status.phase,
            weight=world.weight,
            failed_checks=status.failed_checks,
            iterations=status.iterations,
            reason=status.last_step.reason if status.last_step else "",
            held=conditions.get("Held", ""),
            promoted=conditions.get("Promoted", ""),
            waiting_for=status.waiting_for,
            settled=status.settled or status.phase not in IDLE,
            last_transition_time=moved(self._status, status),
            explain=explained(Canary.from_object(world.item)),
            image={role: image_of(Workload(item).content) for role, item in roles.items() if item},
            replicas={role: Workload(item).replicas for role, item in roles.items() if item},
            told=tuple(notice.message for notice in told),
            alerts=tuple((notice.severity, notice.alert) for notice in told if notice.severity),
            asked=tuple(dict.fromkeys(world.asked)),
            reply=world.replies[-1] if world.replies else "",
            routes=in_words(world.route),
            content={"primary": world.primary_configs.get(_CONFIG, "")},
            hashes=hashes_of(status),
            pods={"target": image_of(world.rolled) if world.canary_replicas else ""},
            queries=tuple(world.queries),
            reasons=tuple(notice.reason for notice in told),
            hears=tuple(receiver for decision in world.decisions[commits:] for receiver in _receivers(world, decision)),
            series=scraped(world.counted, Canary.from_object(world.item)),
            written=tuple(["the status"] * (len(world.decisions) > commits) + written),
            last=summary(status),
        )

    # ---- wakes

    def _push(self, image: str) -> None:
        self.world.push(image)

    def _silent_push(self, image: str) -> None:
        self.world.set_image(image)

    def _tick(self, value: int | str) -> None:
        match value:
            case int():
                self.world.tick(value)
            case "the same slot":
                self.world.tick(slot=self.world.status.last_tick)
            case "the next slot":
                assert self.world.status.last_tick is not None
                self.world.now = self.world.status.last_tick
                self.world.tick()
            case fault:
                self.world.fault = fault
                self.world.tick()

    def _wake(self, reason: str) -> None:
        self.world.change(ChangeReason(reason))

    def _command(self, value: str | Order) -> None:
        order = Order(verb=value) if isinstance(value, str) else value
        world = self.world
        last = world.status.last_command
        number = last.id if order.again and last else f"c{len(world.decisions)}"
        world.wait(1)
        body = order.model_dump(exclude={"verb", "again"})
        world.wake(Command(namespace="test", name="podinfo", verb=Verb(order.verb), id=number, **body))

    def _edit(self, spec: dict[str, Any]) -> None:
        self.world.item["spec"] = deep(self.world.item["spec"], spec)
        self.world.edit()

    def _delete(self, _canary: str) -> None:
        assert self.world.item["spec"].get("revertOnDeletion"), "on the core nobody is left who could be woken"
        self.world.delete()

    # ---- the world around

    def _wait(self, seconds: float) -> None:
        self.world.wait(seconds)

    def _metrics(self, answers: dict[str, float | str]) -> None:
        for name, answer in answers.items():
            self.world.failing.discard(name)
            if answer == "only 5xx":
                self.world.failing.add(name)
            elif isinstance(answer, str):
                self.world.answer(name, outcome=answer, detail="no values found" if answer == "empty" else "it is down")
            else:
                self.world.answer(name, answer)

    def _providers(self, state: str) -> None:
        self.world.providers = "prometheus not avaiable: it is down" if state == "away" else ""

    def _hooks(self, answers: dict[str, Any]) -> None:
        self.world.hooks |= {name: passes(answer) for name, answer in answers.items()}

    def _gateway(self, verdict: str) -> None:
        self.world.says(None if verdict == "silent" else verdict)

    def _pods(self, states: dict[str, str]) -> None:
        for role, state in states.items():
            for earlier in (self.world.room, self.world.broken):
                earlier.pop(role, None)
            self.world.not_ready.discard(role)
            match state.split():
                case ["not", "ready"]:
                    self.world.not_ready.add(role)
                case ["one", "ready"]:
                    self.world.room[role] = 1
                case [image, "not", "ready"]:
                    self.world.broken[role] = image

    def _content(self, value: str) -> None:
        world = self.world
        world.missing_configs = (_MISSING,) if value == "missing" else ()
        world.configs = world.configs if value == "missing" else _contents(value)
        world.change(ChangeReason.REVISION)

    def _second_canary(self, who: str) -> None:
        self.world.older_twin = "a-first.test" if who == "older" else ""

    def _late_worker(self, _writes: str) -> None:
        assert self.world.late is not None, "no worker has stalled"
        self.world.write_late()

    def _somebody(self, deed: str) -> None:
        world = self.world
        match deed.split():
            case ["deletes", "the", "RouteTable"]:
                world.route = None
            case ["deletes", "the", "primary"]:
                world.primary = None
            case ["deletes", "the", "target"] if world.target is not None:
                world.gone, world.target = world.target, None
            case ["restores", "the", "target"]:
                world.target = world.gone
            case ["deletes", "the", "snapshots"]:
                world.snapshots.clear()
            case _:
                self._hands_on(deed)

    def _hands_on(self, deed: str) -> None:
        """What somebody writes into an object that is there."""
        route, target, primary = self.world.route, self.world.target, self.world.primary
        assert route is not None
        assert target is not None
        assert primary is not None
        match deed:
            case "edits the RouteTable":
                shares = self.world.destinations()
                shares[0]["weight"], shares[1]["weight"] = 12, 88
            case "labels the RouteTable":
                route["metadata"].setdefault("labels", {})["owner"] = "somebody"
            case "adds options to the route":
                route["spec"]["routes"][0]["options"] = {"timeout": "3s"}
            case "copies the route for /admin":
                copy = copied_for_admin(route["spec"]["routes"][0])
                route["spec"]["routes"] = [copy, *route["spec"]["routes"], copy]
            case "empties the RouteTable":
                route["spec"] = {}
            case "copies a fence to the RouteTable":
                route["metadata"]["annotations"][ROUTE_STEP] = "9999"
            case "edits the primary":
                primary["spec"]["template"]["spec"]["containers"][0]["image"] = "podinfo:edited"
            case "scales the target to 0":
                target["spec"]["replicas"] = 0
            case "scales the primary to 3":
                primary["spec"]["replicas"] = 3
            case _:
                raise AssertionError(f"nobody knows how somebody {deed}")


def _contents(text: str) -> dict[str, str]:
    return {_CONFIG: text}


def _receivers(world: CoreWorld, decision: Decision) -> tuple[str, ...]:
    return receivers(Canary.from_object(world.item), decision.status.last_step or LastStep())
