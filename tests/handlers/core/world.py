"""A world without a cluster: the pure core decides, and what it decides is made true at once or as slowly as a test wants."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

from handlers.core import desired, primary, validate
from handlers.core.draft import Decision
from handlers.core.gate import gateway
from handlers.core.observation import Answers, Observation, Rules
from handlers.core.plan import Plan, plan
from handlers.core.step import step
from handlers.core.verdict import everything_passed, judge
from schemas.canary import Canary, HookType, Webhook
from schemas.events import Change, ChangeReason, Command, Stimulus, Tick, Verb
from schemas.measurement import HookAnswer, Measurement
from schemas.status import CanaryStatus, Phase
from schemas.workload import PRIMARY_STEP, TARGET_STEP, Workload

KEYS = ("app", "name", "app.kubernetes.io/name")
START = datetime(2026, 1, 1, tzinfo=UTC)


def podinfo(image: str = "podinfo:1") -> dict[str, Any]:
    labels = {"app": "podinfo"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "podinfo", "namespace": "test", "uid": "d", "generation": 1, "resourceVersion": "1"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "podinfod", "image": image, "ports": [{"containerPort": 9898}]}]},
            },
        },
    }


def weighted(**analysis: Any) -> dict[str, Any]:
    return {
        "provider": "gloo",
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
        "service": {"port": 9898},
        "analysis": {"interval": "10s", "threshold": 3, "maxWeight": 50, "stepWeight": 25, **analysis},
    }


class World:
    """One Canary, its target, primary and RouteTable. Pods are ready and the gateway is quick unless told otherwise."""

    def __init__(self, spec: dict[str, Any] | None = None, *, drain: float = 0, no_data: str = "hold") -> None:
        self.now = START
        self.item: dict[str, Any] = {
            "metadata": {"name": "podinfo", "namespace": "test", "uid": "u", "generation": 1, "resourceVersion": "1"},
            "spec": spec or weighted(),
        }
        self.target: dict[str, Any] | None = podinfo()
        self.primary: dict[str, Any] | None = None
        self.route: dict[str, Any] | None = None
        self.rules = Rules(drain=drain, no_data=no_data)
        self.snapshots: dict[str, Any] = {}
        self.not_ready: set[str] = set()
        """Workloads whose newest pods do not become available."""
        self.stuck: set[str] = set()
        """Those whose Deployment has exceeded its progress deadline."""
        self.verdict: str | None = "Accepted"
        """What the gateway says about new routes; None: nothing at all."""
        self.hooks: dict[str, bool] = {}
        self.measured: dict[str, Measurement] = {}
        self.providers = ""
        self.told: list[str] = []
        self.reasons: list[str] = []
        self.decisions: list[Decision] = []
        self.weights: list[int] = []
        self.asked: list[str] = []

    # ---- what a test does

    @property
    def status(self) -> CanaryStatus:
        return CanaryStatus.model_validate(self.item.get("status") or {})

    @property
    def phase(self) -> Phase:
        return self.status.phase

    @property
    def weight(self) -> int:
        """In the RouteTable, of the route that the canary is on."""
        if self.route is None:
            return 0
        return int(self.route["spec"]["routes"][0]["routeAction"]["multi"]["destinations"][1]["weight"])

    @property
    def canary_replicas(self) -> int:
        return Workload(self.target).replicas if self.target else 0

    @property
    def primary_image(self) -> str:
        assert self.primary is not None
        return str(self.primary["spec"]["template"]["spec"]["containers"][0]["image"])

    def push(self, image: str) -> Decision:
        """A new image, and the change that the watcher announces for it."""
        assert self.target is not None
        self.target["spec"]["template"]["spec"]["containers"][0]["image"] = image
        return self.change(ChangeReason.REVISION)

    def edit(self, **spec: Any) -> Decision:
        self.item["spec"] = {**self.item["spec"], **spec}
        self.item["metadata"]["generation"] += 1
        return self.change(ChangeReason.SPEC)

    def tick(self, times: int = 1, *, slot: datetime | None = None) -> Decision:
        for _ in range(times):
            self.now += timedelta(seconds=10)
            due = slot or self.now
            decision = self.wake(Tick(namespace="test", name="podinfo", uid="u", slot=due, interval=10))
        return decision

    def change(self, reason: ChangeReason = ChangeReason.READY) -> Decision:
        self.now += timedelta(seconds=1)
        return self.wake(Change(namespace="test", name="podinfo", uid="u", reason=reason))

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

    def wake(self, stimulus: Stimulus) -> Decision:
        canary = Canary.from_object(copy.deepcopy(self.item))
        seen = self._observe(canary, stimulus)
        seen = seen.model_copy(update={"answers": self._ask(canary, seen)})
        decision = step(canary, seen)
        if decision.changed:
            self._commit(decision)
        self._project(seen)
        return decision

    def _observe(self, canary: Canary, stimulus: Stimulus) -> Observation:
        own = Workload(self.primary) if self.primary else None
        seen = Observation(
            now=self.now,
            stimulus=stimulus,
            rules=self.rules,
            route=copy.deepcopy(self.route),
            route_current=self.route is not None and desired.route_table_is_current(canary, canary.status, self.route),
            target=self._with_status(self.target, "target"),
            target_revision=Workload(self.target).revision() if self.target else "",
            primary=self._with_status(self.primary, "primary"),
            primary_current=own is not None and own.runs(canary.status.primary_revision),
        )
        return seen.model_copy(update={"problems": validate.problems(canary, seen)})

    def _with_status(self, item: dict[str, Any] | None, role: str) -> dict[str, Any] | None:
        if item is None:
            return None
        wanted = item["spec"]["replicas"]
        good = 0 if role in self.not_ready else wanted
        reason = "ProgressDeadlineExceeded" if role in self.stuck else "NewReplicaSetAvailable"
        status = {
            "observedGeneration": item["metadata"]["generation"],
            "replicas": wanted,
            "updatedReplicas": wanted,
            "availableReplicas": good,
            "conditions": [{"type": "Progressing", "status": "True", "reason": reason}],
        }
        return {**copy.deepcopy(item), "status": status}

    def _ask(self, canary: Canary, seen: Observation) -> Answers | None:
        wanted: Plan = plan(canary, seen)
        if not wanted:
            return None
        if wanted.providers:
            return Answers(providers=self.providers, asked=("providers",))
        asked = [hook.name for hook in (*wanted.rollback, *wanted.hooks, *wanted.gates)]
        self.asked += [*asked, *(metric.name for metric in wanted.metrics)]
        hooks = tuple(self._answer(hook) for hook in (*wanted.rollback, *wanted.hooks))
        measured = tuple(
            self.measured.get(metric.name, Measurement(name=metric.name, outcome="value", value=100.0))
            for metric in wanted.metrics
        )
        answers = Answers(hooks=hooks, measurements=measured, asked=(*asked, "metrics"))
        if everything_passed(judge(canary, seen, answers)):
            answers = answers.model_copy(update={"hooks": (*hooks, *(self._answer(hook) for hook in wanted.gates))})
        return answers

    def _answer(self, hook: Webhook) -> HookAnswer:
        usual = hook.hook_type is not HookType.ROLLBACK
        return HookAnswer(name=hook.name, type=hook.hook_type, passed=self.hooks.get(hook.name, usual), text="no")

    def _commit(self, decision: Decision) -> None:
        before = self.status
        for revision in {decision.status.canary_revision, decision.status.primary_revision} - {""}:
            if self.target is not None and Workload(self.target).revision() == revision:
                self.snapshots.setdefault(revision, copy.deepcopy(self.target["spec"]["template"]))
        assert decision.status.step == before.step + 1, "one commit is one step"
        self.item["status"] = decision.status.to_wire()
        self.decisions.append(decision)
        self.told += [notice.message for notice in decision.notices]
        self.reasons += [notice.reason.value for notice in decision.notices]
        if not self.weights or self.weights[-1] != decision.status.canary_weight:
            self.weights.append(decision.status.canary_weight)

    def _project(self, seen: Observation) -> None:
        """Routes, then the primary, then the target behind the drain, as the real projection does."""
        canary = Canary.from_object(copy.deepcopy(self.item))
        if canary.metadata.deletion_timestamp or seen.problems:
            return
        self._project_route(canary, seen)
        self._project_primary(canary)
        self._project_target(canary, seen)

    def _project_route(self, canary: Canary, seen: Observation) -> None:
        status = canary.status
        if self.route is not None and seen.route_current and seen.route_fence == status.route_step:
            if desired.route_table_is_current(canary, status, self.route):
                return
        self.route = desired.route_table(canary, status, self.route)
        self.report()

    def report(self) -> None:
        """The gateway speaks about the routes as they are."""
        assert self.route is not None
        if self.verdict is None:
            self.route.pop("status", None)
            return
        proxies = {"proxy": {"state": self.verdict, "reason": "" if self.verdict == "Accepted" else "its words"}}
        self.route["status"] = {"statuses": {"gloo-system": {"state": "Accepted", "subresourceStatuses": proxies}}}

    def _project_primary(self, canary: Canary) -> None:
        status = canary.status
        if self.target is None or not status.primary_step:
            return
        target = Workload(self.target)
        template = self.snapshots[status.primary_revision]
        if self.primary is None:
            self.primary = primary.primary(canary, status, target, template, KEYS)
            self.primary["kind"] = "Deployment"
            self.primary["metadata"]["generation"] = 1
        elif Workload(self.primary).fence(PRIMARY_STEP) < status.primary_step:
            self.primary = primary.primary_again(canary, status, Workload(self.primary), target, template, KEYS)

    def _project_target(self, canary: Canary, seen: Observation) -> None:
        status = canary.status
        if self.target is None or Workload(self.target).fence(TARGET_STEP) >= status.target_step:
            return
        wanted = desired.canary_wanted(status)
        since = status.verdict_since
        drained = gateway(canary, seen).applied and since is not None and seen.since(since) >= self.rules.drain
        if not wanted and not drained:
            return
        annotations = self.target["metadata"].setdefault("annotations", {})
        annotations[TARGET_STEP] = str(status.target_step)
        own = Workload(self.primary).replicas if self.primary else 1
        self.target["spec"]["replicas"] = (self.canary_replicas or own) if wanted else 0
