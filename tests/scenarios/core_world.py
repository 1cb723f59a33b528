"""The core's watched world with the faults and the questions that scenarios speak of."""

from __future__ import annotations

import copy
from typing import Any

from handlers.core.draft import Decision
from handlers.core.observation import Answers, Observation
from handlers.core.queries import built_in, render
from schemas.canary import Canary
from schemas.events import Stimulus
from schemas.workload import Workload
from tests.handlers.core.shapes import image_of
from tests.handlers.core.watched import Watched
from tests.scenarios.manifest import DRAIN, NEVER


class CoreWorld(Watched):
    """The watched world with the faults that scenarios speak of."""

    def __init__(self, spec: dict[str, Any]) -> None:
        super().__init__(spec, drain=DRAIN)
        self.fault = ""
        self.kept: Answers | None = None
        """Answers of a try whose commit was lost."""
        self.once: set[str] = set()
        """Hooks that pass the next time they are asked, and no more."""
        self.queries: list[str] = []
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
        answers = self.kept or super()._ask(canary, seen)
        asked = set(answers.asked) if answers else set()
        for metric in canary.spec.analysis.checks:
            if metric.key in asked and not metric.template_ref:
                query = render(metric.query, canary, metric) if metric.query else built_in(canary, metric)
                self.queries.append(" ".join(query.split()))
        return answers

    def _forget(self) -> None:
        self.kept = None
        spent = self.once & set(self.asked)
        self.hooks |= dict.fromkeys(spent, False)
        self.once -= spent

    def _with_status(self, item: dict[str, Any] | None, role: str) -> dict[str, Any] | None:
        """Deployments say since when they are not available."""
        shown = super()._with_status(item, role)
        if shown is None:
            return None
        if shown["kind"] != "Deployment":
            return shown
        if NEVER in image_of(Workload(shown).content):
            shown["status"]["availableReplicas"] = 0
        if shown["status"]["availableReplicas"] >= shown["spec"]["replicas"]:
            self.not_ready_since.pop(role, None)
            return shown
        since = self.not_ready_since.setdefault(role, self.now)
        gone = {"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable"}
        shown["status"]["conditions"].append({**gone, "lastUpdateTime": since.isoformat()})
        return shown


_BEFORE_ITS_WRITES = ("dies before its writes", "stalls before its writes")
