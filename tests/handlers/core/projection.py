"""How decisions become true in a cluster that is none: all at once, in the order of the real projection."""

from __future__ import annotations

from typing import Any

from handlers.core import copies, desired, freezing, primary, scaler
from handlers.core.belongings import leads_here
from handlers.core.gate import makes, target_turn
from handlers.core.inherited import found_revisions, is_inherited
from handlers.core.kinds import Source, kind_of
from handlers.core.observation import Observation
from handlers.core.renaming import may_touch
from schemas.canary import Canary
from schemas.gloo import ROUTE_STEP
from schemas.status import CanaryStatus, Phase
from schemas.workload import PRIMARY_STEP, TARGET_STEP, Workload
from tests.handlers.core import shapes
from tests.handlers.core.cluster import Cluster
from tests.handlers.core.shapes import copied


class Projected(Cluster):
    """What was committed is made true by ``project``; nobody is in its way."""

    def keep_revisions(self, canary: Canary, seen: Observation, status: CanaryStatus) -> None:
        """Snapshots are kept before the commit that names them."""
        for revision, content in found_revisions(canary, seen).items():
            if revision in (status.canary_revision, status.primary_revision, status.promoted_revision):
                self.snapshots.setdefault(revision, copied(dict(content)))
                contents = seen.configs if revision == seen.target_revision else seen.primary_configs
                self.kept_configs.setdefault(revision, dict(contents))

    def project(self, canary: Canary, seen: Observation) -> None:
        """Routes, then the primary, then the target behind the drain, as the real projection does."""
        status = canary.status
        if canary.deleting:
            self._project_deletion(canary, seen)
            return
        if not status.step or (canary.spec.suspend and status.settled):
            return
        self._freeze_again(canary)
        if not makes(canary, seen):
            self._return_broken(status, seen)
            if seen.repairable or status.returning:
                self._project_primary(canary)
            return
        if kind_of(canary).brings_services and self.canary_copy is None:
            self._project_copy(canary, seen)
        self._project_route(canary, seen)
        self._project_primary(canary)
        self._project_scaler(canary)
        self._project_target(canary, seen)

    def _freeze_again(self, canary: Canary) -> None:
        if self.target is not None and freezing.is_undone(canary, Workload(self.target)):
            marks, kept = freezing.turned(canary, Workload(self.target))
            self.target = shapes.merge(self.target, {"metadata": {"annotations": marks}, "spec": kept})

    def _project_deletion(self, canary: Canary, seen: Observation) -> None:
        status = canary.status
        if status.phase is Phase.TERMINATING and canary.finalising:
            self._project_target(canary, seen)
            if status.returned and (self.route is None or leads_here(canary, self.route)):
                self._project_route(canary, seen)

    def _return_broken(self, status: CanaryStatus, seen: Observation) -> None:
        if self.route is None or status.canary_weight or seen.route_fence >= status.route_step:
            return
        self.route["spec"]["routes"] = desired.routes_back(self.route["spec"]["routes"])
        self.route["metadata"]["annotations"][ROUTE_STEP] = str(status.route_step)
        self.report()

    def _project_route(self, canary: Canary, seen: Observation) -> None:
        status = canary.status
        waits = status.phase is Phase.INITIALIZING and not may_touch(canary, seen)
        if self.route is not None and waits:
            return
        current = self.route is not None and desired.route_table_is_current(canary, status, self.route)
        if current and seen.route_fence == status.route_step:
            return
        made = desired.route_table(canary, status, self.route)
        theirs: dict[str, Any] = self.route["metadata"] if self.route else {}
        marks = {key: {**theirs.get(key, {}), **made["metadata"][key]} for key in ("labels", "annotations")}
        self.route = {**made, "metadata": {"generation": 1, **made["metadata"], **marks}}
        self.report()

    def _project_primary(self, canary: Canary) -> None:
        status = canary.status
        if self.target is None or not status.primary_step:
            return
        target, own = Workload(self.target), Workload(self.primary) if self.primary else None
        if self.primary is not None and own is not None and own.runs(status.primary_revision):
            self.primary["metadata"]["annotations"][PRIMARY_STEP] = str(status.primary_step)
            return
        template = self.snapshots.get(status.primary_revision)
        if template is None:
            return
        source = Source(canary, target, status.primary_revision, template, self.rules)
        if own is None:
            made = primary.primary(source, status)
            self.primary = {"kind": target.kind, **made, "metadata": {"generation": 1, **made["metadata"]}}
        elif is_inherited(source, status, own):
            self.primary = copied(dict(own.item))
            marks = primary.marks(status, own.content)
            self.primary["metadata"].setdefault("annotations", {}).update(marks)
            return
        else:
            self.primary = primary.primary_again(source, status, own)
        self.promoted.append(self.primary_image)
        self.primary_revisions.append(status.primary_revision)

    def _project_scaler(self, canary: Canary) -> None:
        ref = canary.spec.autoscaler_ref
        if ref is None or self.scaler is None or self.primary is None:
            return
        self.primary_scaler = {**scaler.clone(canary, canary.status, self.scaler)}
        self.primary["spec"]["replicas"] = max(self.primary["spec"]["replicas"], self.primary_least)

    def _project_target(self, canary: Canary, seen: Observation) -> None:
        status, turn = canary.status, target_turn(canary, seen)
        if self.target is None or Workload(self.target).fence(TARGET_STEP) >= status.target_step or turn == "wait":
            return
        wanted = turn == "run"
        copied = kind_of(canary).brings_services and not canary.deleting
        if wanted and copied and not self._project_copy(canary, seen):
            return
        target = Workload(seen.target or self.target)
        marks, kept = freezing.turned(canary, target)
        self.target["metadata"] = shapes.merge(
            self.target["metadata"], {"annotations": {TARGET_STEP: str(status.target_step), **marks}}
        )
        if wanted and self.canary_replicas and status.restart_step == status.target_step:
            self.restarts += 1
        own = Workload(self.primary).replicas if self.primary else 1
        begins = status.phase is Phase.PROGRESSING and canary.spec.autoscaler_ref is not None
        alone = begins or status.phase is Phase.TERMINATING
        enough = max(own, self.canary_replicas) if alone else self.canary_replicas or own
        sized = kind_of(canary).sized(Workload(self.target), enough if wanted else 0)
        self.target["spec"] = shapes.merge(self.target["spec"], {**kept, **sized})
        self.roll_out()

    def _project_copy(self, canary: Canary, seen: Observation) -> bool:
        """Whether it is what the status asks for."""
        existing, revision = Workload(self.canary_copy) if self.canary_copy else None, canary.status.canary_revision
        if copies.is_current(canary, existing):
            return True
        if self.target is None or not copies.may_change(canary, seen, existing) or revision not in self.snapshots:
            return False
        source = Source(canary, Workload(self.target), revision, self.snapshots[revision], self.rules)
        self.canary_copy = {"kind": "Service", **copies.copy(source, existing)}
        return True
