"""A world without a cluster: the pure core decides, and what it decides is made true as slowly as a test wants."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from handlers.core.aftermath import carried_out
from handlers.core.draft import Decision
from handlers.core.gate import makes
from handlers.core.observation import Answers, Observation
from handlers.core.plan import Plan, asks_gates, plan
from handlers.core.step import step
from schemas.base import format_time
from schemas.canary import FINALIZER, Canary, HookType, Webhook
from schemas.events import Change, ChangeReason, Command, Stimulus, Tick, Verb
from schemas.measurement import HookAnswer, Measurement
from schemas.status import CanaryStatus, Condition, Notice, Phase
from tests.handlers.core import shapes
from tests.handlers.core.manifests import weighted
from tests.handlers.core.projection import Projected
from tests.handlers.core.shapes import copied


class World(Projected):
    """One Canary in its cluster, the hooks and metrics that it asks, and a record of all that was told."""

    def __init__(self, spec: dict[str, Any] | None = None, *, drain: float = 0, no_data: str = "hold") -> None:
        kind = (spec or {}).get("targetRef", {}).get("kind", "Deployment")
        super().__init__(kind=kind, drain=drain, no_data=no_data)
        self.item: dict[str, Any] = {
            "metadata": {"name": "podinfo", "namespace": "test", "uid": "u", "generation": 1, "resourceVersion": "1"},
            "spec": spec or weighted(),
        }
        self.hooks: dict[str, bool] = {}
        """Whether a hook passes; unless said, all do but the rollback hooks."""
        self.measured: dict[str, Measurement] = {}
        """What a metric answers; unless said, 100."""
        self.providers = ""
        self.moved = False
        """Whether pods or routes move while hooks and metrics are asked."""
        self.notices: list[Notice] = []
        self.decisions: list[Decision] = []
        self.weights: list[int] = []
        self.phases: list[Phase] = []
        self.asked: list[str] = []

    # ---- what a test looks at

    @property
    def status(self) -> CanaryStatus:
        return CanaryStatus.model_validate(self.item.get("status") or {})

    @property
    def phase(self) -> Phase:
        return self.status.phase

    @property
    def told(self) -> list[str]:
        return [notice.message for notice in self.notices]

    @property
    def reasons(self) -> list[str]:
        return [notice.reason.value for notice in self.notices]

    @property
    def alerts(self) -> list[tuple[str, str]]:
        return [(notice.severity, notice.alert) for notice in self.notices if notice.severity]

    def condition(self, kind: str = "Held") -> Condition:
        return next(item for item in self.status.conditions if item.type == kind)

    # ---- what a test does

    def push(self, image: str) -> Decision:
        """A new image, and the change that the watcher announces for it."""
        self.set_image(image)
        return self.change(ChangeReason.REVISION)

    def set_image(self, image: str) -> None:
        """Nobody is told."""
        assert self.target is not None
        shapes.set_image(self.target, image)
        self.roll_out()

    def edit(self, **spec: Any) -> Decision:
        self.item["spec"] = {**self.item["spec"], **spec}
        self.item["metadata"]["generation"] += 1
        return self.change(ChangeReason.SPEC)

    def delete(self, *, finalizers: tuple[str, ...] = (FINALIZER,)) -> Decision:
        """Somebody deletes it; it stays for as long as a finalizer holds it."""
        deletion = {"deletionTimestamp": format_time(self.now), "finalizers": list(finalizers)}
        self.item["metadata"] |= deletion | {"generation": self.item["metadata"]["generation"] + 1}
        return self.change(ChangeReason.DELETED)

    def edit_analysis(self, **analysis: Any) -> Decision:
        return self.edit(analysis={**self.item["spec"]["analysis"], **analysis})

    def given(self, **status: Any) -> None:
        """Somebody else wrote this into the status: a command that comes later, another controller."""
        self.item["status"] = self.status.model_copy(update=status).to_wire()

    def answer(self, metric: str, value: float | None = None, *, outcome: str = "value", detail: str = "") -> None:
        self.measured[metric] = Measurement.model_validate(
            {"name": metric, "outcome": outcome, "value": value, "detail": detail}
        )

    def tick(self, times: int = 1, *, slot: datetime | None = None, project: bool = True) -> Decision:
        for _ in range(times):
            self.now += timedelta(seconds=10)
            due = slot or self.now
            tick = Tick(namespace="test", name="podinfo", uid="u", slot=due, interval=10)
            decision = self.wake(tick, project=project)
        return decision

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def change(self, reason: ChangeReason = ChangeReason.READY, *, project: bool = True) -> Decision:
        self.now += timedelta(seconds=1)
        return self.wake(Change(namespace="test", name="podinfo", uid="u", reason=reason), project=project)

    def command(self, verb: str, **body: str) -> Decision:
        self.now += timedelta(seconds=1)
        body.setdefault("id", f"c{len(self.decisions)}")
        return self.wake(Command(namespace="test", name="podinfo", verb=Verb(verb), **body))

    def until(self, phase: Phase, most: int = 40) -> World:
        for _ in range(most):
            if self.phase is phase and (self.status.settled or phase not in (Phase.INITIALIZED, Phase.SUCCEEDED)):
                return self
            self.tick()
        raise AssertionError(f"never {phase}, is {self.phase}: {self.told[-5:]}")

    # ---- how the world works

    def wake(self, stimulus: Stimulus, *, project: bool = True) -> Decision:
        """One whole way through; without ``project`` the worker dies after its commit."""
        canary, seen = self.look(stimulus)
        decision = self.decide(canary, seen)
        if decision.changed:
            self._commit(canary, seen, decision)
        if project:
            committed = Canary.from_object(copied(self.item))
            self.project(committed, seen)
            self._note(committed, seen)
        return decision

    def decide(self, canary: Canary, seen: Observation) -> Decision:
        return step(canary, seen)

    def look_now(self) -> tuple[Canary, Observation]:
        """Without deciding anything."""
        return self.look(Change(namespace="test", name="podinfo", uid="u", reason=ChangeReason.READY))

    def look(self, stimulus: Stimulus) -> tuple[Canary, Observation]:
        canary = Canary.from_object(copied(self.item))
        seen = self.observe(canary, stimulus)
        return canary, seen.model_copy(update={"answers": self._ask(canary, seen)})

    def _ask(self, canary: Canary, seen: Observation) -> Answers | None:
        wanted: Plan = plan(canary, seen)
        if not wanted:
            return None
        if wanted.providers:
            self.asked.append("providers")
            return Answers(providers=self.providers, asked=("providers",))
        answers = self._answers(canary, seen, wanted)
        self.asked += answers.asked
        return answers

    def _answers(self, canary: Canary, seen: Observation, wanted: Plan) -> Answers:
        """In the order of the plan, and no further than the answers matter."""
        hooks = self._until(wanted.rollback, passed=True)
        if any(signal.passed for signal in hooks):
            return Answers(hooks=hooks, asked=_names(hooks), moved=self.moved)
        hooks += (others := self._until(wanted.hooks, passed=False))
        if not all(answer.passed for answer in others):
            return Answers(hooks=hooks, asked=_names(hooks), moved=self.moved)
        measured = tuple(
            self.measured.get(metric.key, Measurement(name=metric.key, outcome="value", value=100.0))
            for metric in wanted.metrics
        )
        asked = (*_names(hooks), *(one.name for one in measured))
        answers = Answers(hooks=hooks, measurements=measured, moved=self.moved, asked=asked)
        if not asks_gates(canary, seen, answers):
            return answers
        gates = self._until(wanted.gates, passed=False)
        return answers.model_copy(update={"hooks": hooks + gates, "asked": asked + _names(gates)})

    def _until(self, hooks: Iterable[Webhook], *, passed: bool) -> tuple[HookAnswer, ...]:
        answers: list[HookAnswer] = []
        for hook in hooks:
            answers.append(self._answer(hook))
            if answers[-1].passed is passed:
                break
        return tuple(answers)

    def _answer(self, hook: Webhook) -> HookAnswer:
        usual = hook.hook_type is not HookType.ROLLBACK
        return HookAnswer(name=hook.name, type=hook.hook_type, passed=self.hooks.get(hook.name, usual), text="no")

    def _note(self, canary: Canary, seen: Observation) -> None:
        """What everything around it was made equal to is owed no more."""
        suspended = canary.spec.suspend and canary.status.settled
        made = makes(canary, seen) and seen.target is not None and not canary.asked and not suspended
        if canary.finalising if canary.deleting else made:
            decision = carried_out(canary, seen)
            if decision.changed:
                self._commit(canary, seen, decision)
            self.item["status"] = decision.status.to_wire()

    def _commit(self, canary: Canary, seen: Observation, decision: Decision) -> None:
        before = self.status
        self.keep_revisions(canary, seen, decision.status)
        assert decision.status.step == (before.step or seen.highest_fence) + 1, "one commit is one step"
        self.item["status"] = decision.status.to_wire()
        self.decisions.append(decision)
        self.notices += decision.notices
        if not self.weights or self.weights[-1] != decision.status.canary_weight:
            self.weights.append(decision.status.canary_weight)
        if not self.phases or self.phases[-1] is not decision.status.phase:
            self.phases.append(decision.status.phase)


def _names(answers: tuple[HookAnswer, ...]) -> tuple[str, ...]:
    return tuple(answer.name for answer in answers)
