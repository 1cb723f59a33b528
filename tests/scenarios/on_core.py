"""Scenarios on the pure core: decisions become true in a cluster of dictionaries, whose promises are watched."""

from __future__ import annotations

import copy
from typing import Any

from handlers.core.draft import Decision
from handlers.core.observation import Answers, Observation
from handlers.core.receivers import receivers
from schemas.canary import Canary
from schemas.events import ChangeReason, Command, Stimulus, Verb
from schemas.gloo import ROUTE_STEP
from schemas.status import IDLE, LastStep
from schemas.workload import Workload
from tests.handlers.core.shapes import image_of
from tests.handlers.core.watched import Watched
from tests.peer import Left
from tests.scenarios.beginning import play_to
from tests.scenarios.format import Order, Start
from tests.scenarios.manifest import DRAIN, NEVER, deep, left_over, passes, spec_of
from tests.scenarios.play import Seen, hashes_of, summary
from tests.scenarios.routes import in_words


class CoreWorld(Watched):
    """The watched world with the faults that scenarios speak of."""

    def __init__(self, spec: dict[str, Any]) -> None:
        super().__init__(spec, drain=DRAIN)
        self.fault = ""
        self.late: tuple[Canary, Observation] | None = None
        """What a worker that stalled after its commit is about to write."""
        self.kept: Answers | None = None
        """Answers of a try whose commit was lost."""
        self.once: set[str] = set()
        """Hooks that pass the next time they are asked, and no more."""
        self.gone_for_good = False
        """Whether somebody has deleted the Canary, and nothing held it."""
        self.not_ready_since: dict[str, Any] = {}
        self.replies: list[str] = []

    def wake(self, stimulus: Stimulus, *, project: bool = True) -> Decision:
        if self.gone_for_good:
            return Decision(self.status)
        fault, self.fault = self.fault, ""
        if fault == "conflict at the commit":
            # what was decided is lost with the commit: everything is read and decided again, nothing asked twice
            self.kept = self.look(stimulus)[1].answers
        seen = self.observe(Canary.from_object(copy.deepcopy(self.item)), stimulus)
        decision = super().wake(stimulus, project=project and fault not in _BEFORE_ITS_WRITES)
        self._forget()
        if fault == "stalls before its writes":
            self.late = (Canary.from_object(copy.deepcopy(self.item)), seen)
        if decision.reply is not None:
            self.replies.append(f"{'accepted' if decision.reply.accepted else 'refused'}: {decision.reply.message}")
        return decision

    def _ask(self, canary: Canary, seen: Observation) -> Answers | None:
        return self.kept or super()._ask(canary, seen)

    def _forget(self) -> None:
        self.kept = None
        spent = self.once & set(self.asked)
        self.hooks |= dict.fromkeys(spent, False)
        self.once -= spent

    def write_late(self) -> None:
        """Each write is guarded by the version that was read: over what has moved on, everything is read again."""
        assert self.late is not None, "no worker has stalled"
        (canary, seen), self.late = self.late, None
        if (seen.route, seen.target, seen.primary) != self._objects():
            canary = Canary.from_object(copy.deepcopy(self.item))
            seen = self.observe(canary, seen.stimulus)
        self.project(canary, seen)
        self._cluster_is_safe()

    def _objects(self) -> tuple[Any, Any, Any]:
        return self.route, self._with_status(self.target, "target"), self._with_status(self.primary, "primary")

    def _with_status(self, item: dict[str, Any] | None, role: str) -> dict[str, Any] | None:
        """Deployments say since when they are not available."""
        shown = super()._with_status(item, role)
        if shown is None:
            return None
        if NEVER in image_of(shown["spec"]["template"]):
            shown["status"]["availableReplicas"] = 0
        if shown["status"]["availableReplicas"] or not shown["spec"]["replicas"]:
            self.not_ready_since.pop(role, None)
            return shown
        since = self.not_ready_since.setdefault(role, self.now)
        gone = {"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable"}
        shown["status"]["conditions"].append({**gone, "lastUpdateTime": since.isoformat()})
        return shown


_BEFORE_ITS_WRITES = ("dies before its writes", "stalls before its writes")


class OnCore:
    def __init__(self) -> None:
        self.world: CoreWorld
        self._before: tuple[int, int, dict[str, Any]] = (0, 0, dict.fromkeys(("RouteTable", "target", "primary")))

    async def begin(self, start: Start) -> None:
        spec = spec_of(start, lambda name: f"http://gate.test/{name}")
        self.world = CoreWorld(spec)
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
        world.asked.clear()
        world.replies.clear()
        getattr(self, f"_{action}")(value)

    def _objects(self) -> dict[str, Any]:
        return {"RouteTable": self.world.route, "target": self.world.target, "primary": self.world.primary}

    async def see(self) -> Seen:
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
            ready=conditions.get("Ready", ""),
            promoted=conditions.get("Promoted", ""),
            waiting_for=status.waiting_for,
            settled=status.settled or status.phase not in IDLE,
            image={role: image_of(item["spec"]["template"]) for role, item in roles.items() if item},
            replicas={role: Workload(item).replicas for role, item in roles.items() if item},
            told=tuple(notice.message for notice in told),
            alerts=tuple((notice.severity, notice.alert) for notice in told if notice.severity),
            asked=tuple(dict.fromkeys(world.asked)),
            reply=world.replies[-1] if world.replies else "",
            routes=in_words(world.route),
            hashes=hashes_of(status),
            gone=world.gone_for_good,
            reasons=tuple(notice.reason for notice in told),
            hears=tuple(receiver for decision in world.decisions[commits:] for receiver in _receivers(world, decision)),
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
        """It stays for as long as our finalizer holds it."""
        if self.world.item["spec"].get("revertOnDeletion"):
            self.world.delete()
        else:
            self.world.gone_for_good = True

    # ---- the world around

    def _wait(self, seconds: float) -> None:
        self.world.wait(seconds)

    def _metrics(self, answers: dict[str, float | str]) -> None:
        for name, answer in answers.items():
            if isinstance(answer, str):
                self.world.answer(name, outcome=answer, detail="no values found" if answer == "empty" else "it is down")
            else:
                self.world.answer(name, answer)

    def _providers(self, state: str) -> None:
        self.world.providers = "prometheus not avaiable: it is down" if state == "away" else ""

    def _hooks(self, answers: dict[str, Any]) -> None:
        self.world.hooks |= {name: passes(answer) for name, answer in answers.items()}
        self.world.once |= {name for name, answer in answers.items() if answer == "passes once"}

    def _gateway(self, verdict: str) -> None:
        self.world.says(None if verdict == "silent" else verdict)

    def _pods(self, states: dict[str, str]) -> None:
        for role, state in states.items():
            (self.world.not_ready.add if state == "not ready" else self.world.not_ready.discard)(role)

    def _second_canary(self, who: str) -> None:
        self.world.older_twin = "a-first.test" if who == "older" else ""

    def _late_worker(self, _writes: str) -> None:
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
            case ["makes", "a", "Service", *_]:
                pass  # the core sees no Services
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


def _receivers(world: CoreWorld, decision: Decision) -> tuple[str, ...]:
    return receivers(Canary.from_object(world.item), decision.status.last_step or LastStep())
