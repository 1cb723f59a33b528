"""The core's watched world with the faults and the questions that scenarios speak of."""

from __future__ import annotations

import copy
from typing import Any

from prometheus_client import CollectorRegistry

from handlers.adapters.outcomes import Outcomes
from handlers.core.draft import Decision
from handlers.core.observation import Answers, Observation
from handlers.core.pods import trouble_of
from handlers.core.queries import built_in, render
from schemas.canary import Canary, Metric
from schemas.events import Stimulus
from schemas.workload import Workload
from tests.handlers.core.shapes import image_of
from tests.handlers.core.watched import Watched
from tests.scenarios.failing import success_of, upstream_of
from tests.scenarios.manifest import DRAIN, NEVER


class CoreWorld(Watched):
    """The watched world with the faults that scenarios speak of."""

    def __init__(self, spec: dict[str, Any]) -> None:
        super().__init__(spec, drain=DRAIN)
        self.fault = ""
        self.queries: list[str] = []
        self.failing: set[str] = set()
        """Metrics of a canary whose every request ends with a 5xx."""
        self.broken: dict[str, str] = {}
        """By workload: the image whose pods never get ready, while those of before go on."""
        self.not_ready_since: dict[str, Any] = {}
        self.replies: list[str] = []
        self.counted = CollectorRegistry()
        self._outcomes = Outcomes(self.counted)

    def wake(self, stimulus: Stimulus, *, project: bool = True) -> Decision:
        fault, self.fault = self.fault, ""
        if fault == "conflict at the commit":
            # what was decided is lost with the commit: everything is read and decided again
            self.look(stimulus)
        seen = self.observe(Canary.from_object(copy.deepcopy(self.item)), stimulus)
        before = Canary.from_object(copy.deepcopy(self.item))
        decision = super().wake(stimulus, project=project and fault not in _BEFORE_ITS_WRITES)
        if decision.changed:
            self._outcomes.step(before, decision.status, 0.1)
        if fault == "stalls before its writes":
            self.late = (Canary.from_object(copy.deepcopy(self.item)), seen)
        if decision.reply is not None:
            self.replies.append(f"{'accepted' if decision.reply.accepted else 'refused'}: {decision.reply.message}")
        return decision

    def _ask(self, canary: Canary, seen: Observation) -> Answers | None:
        for metric in canary.spec.analysis.checks:
            if metric.key in self.failing:
                self._fail(metric.key, _query(canary, metric))
        answers = super()._ask(canary, seen)
        asked = set(answers.asked) if answers else set()
        for metric in canary.spec.analysis.checks:
            if metric.key in asked and not metric.template_ref:
                self.queries.append(_query(canary, metric))
        return answers

    def _fail(self, key: str, query: str) -> None:
        rate = success_of(query, upstream_of("test", self.item["spec"]["service"].get("name", "podinfo")))
        self.answer(key, rate, outcome="empty" if rate is None else "value", detail="no values found")

    def observe(self, canary: Canary, stimulus: Stimulus) -> Observation:
        if self.target is not None and NEVER in (image := image_of(Workload(self.target).content)):
            self.pod_trouble["podinfo"] = trouble_of(Workload(self.target), [_unpulled(image)])
        return super().observe(canary, stimulus)

    def _with_status(self, item: dict[str, Any] | None, role: str) -> dict[str, Any] | None:
        """Deployments say since when they are not available."""
        shown = super()._with_status(item, role)
        if shown is None:
            return None
        if shown["kind"] != "Deployment":
            return shown
        if NEVER in image_of(Workload(shown).content):
            shown["status"]["availableReplicas"] = 0
        if image_of(Workload(shown).content) == self.broken.get(role):
            # a rolling update stays at its first pod, and the others are those of before
            shown["status"] |= {"replicas": shown["spec"]["replicas"] + 1, "updatedReplicas": 1}
        if shown["status"]["availableReplicas"] >= shown["spec"]["replicas"]:
            self.not_ready_since.pop(role, None)
            return shown
        since = self.not_ready_since.setdefault(role, self.now)
        gone = {"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable"}
        shown["status"]["conditions"].append({**gone, "lastUpdateTime": since.isoformat()})
        return shown


def _query(canary: Canary, metric: Metric) -> str:
    query = render(metric.query, canary, metric) if metric.query else built_in(canary, metric)
    return " ".join(query.split())


def _unpulled(image: str) -> dict[str, Any]:
    """A pod as the kubelet leaves it."""
    container = {"name": "podinfod", "image": image, "state": {"waiting": {"reason": "ErrImagePull"}}}
    return {"metadata": {"name": "podinfo-5d8c7"}, "status": {"phase": "Pending", "containerStatuses": [container]}}


_BEFORE_ITS_WRITES = ("dies before its writes", "stalls before its writes")
