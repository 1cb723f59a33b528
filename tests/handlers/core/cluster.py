"""The cluster around one Canary, without a cluster: what is observed of it, and how decisions become true in it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from handlers.core import copies, desired, freezing, pods, primary, scaler, validate
from handlers.core.belongings import leads_here
from handlers.core.gate import makes, target_turn
from handlers.core.inherited import found_revisions, is_inherited
from handlers.core.kinds import Source, kind_of
from handlers.core.observation import Observation, Orphan, Rules
from handlers.core.renaming import may_touch
from schemas.canary import Canary
from schemas.events import Command, Stimulus, Verb
from schemas.gloo import ROUTE_STEP
from schemas.revision import REVISION
from schemas.status import IDLE, CanaryStatus, Phase
from schemas.workload import PRIMARY_STEP, TARGET_STEP, Workload
from tests.handlers.core import shapes
from tests.handlers.core.shapes import copied, image_of

KEYS = ("app", "name", "app.kubernetes.io/name")
START = datetime(2026, 1, 1, tzinfo=UTC)


class Cluster:
    """Target, primary and RouteTable. Pods are ready and the gateway is quick unless told otherwise."""

    def __init__(self, *, kind: str = "Deployment", drain: float = 0, no_data: str = "hold") -> None:
        self.now = START
        self.rules = Rules(drain=drain, no_data=no_data)
        self.target: dict[str, Any] | None = shapes.make(kind)
        self.rolled: Any = Workload(self.target).content
        """What the target's pods run."""
        self.primary: dict[str, Any] | None = None
        self.canary_copy: dict[str, Any] | None = None
        """Of a Service target: what the canary's upstream leads to."""
        self.route: dict[str, Any] | None = None
        self.scaler: dict[str, Any] | None = None
        """The target's autoscaler; the primary's follows it, and keeps to its minimum at once."""
        self.primary_scaler: dict[str, Any] | None = None
        self.room: dict[str, int] = {}
        """How many pods of a workload find a place to run; unless said, all."""
        self.configs: dict[str, str] = {}
        """Checksums of the ConfigMaps and Secrets that the target reads, by key."""
        self.config_version = ""
        """Moves when somebody touches one of them; unless said, with its content."""
        self.restarts = 0
        """How often running pods of the target were started anew for a content."""
        self.kept_configs: dict[str, dict[str, str]] = {}
        """The same in snapshots, by revision."""
        self.missing_configs: tuple[str, ...] = ()
        """What it cannot do without and is not there, in sentences."""
        self.carried_configs: dict[str, str] | None = None
        """Contents of the copies that a primary of somebody else reads; unless said, the same."""
        self.older_twin = ""
        self.orphans: tuple[Orphan, ...] = ()
        """What former names left, as far as nobody has cleared it."""
        self.gone = shapes.make(kind)
        """The target while somebody has deleted it."""
        self.snapshots: dict[str, Any] = {}
        self.not_ready: set[str] = set()
        """Workloads whose newest pods do not become available."""
        self.nodes = shapes.NODES
        """That DaemonSets run on."""
        self.pod_trouble: dict[str, str] = {}
        """Why pods of a workload are not ready, by its name; asked once it is past its deadline."""
        self.stuck: set[str] = set()
        """Those whose Deployment has exceeded its progress deadline."""
        self.verdict: str | None = "Accepted"
        """What the gateway says about new routes; None: nothing at all."""
        self.promoted: list[str] = []
        """Images that the primary was given, in order."""
        self.primary_revisions: list[str] = []
        """Revisions that it was given."""

    @property
    def weight(self) -> int:
        """In the RouteTable, of the route that the canary is on."""
        return 0 if self.route is None else int(self.destinations()[-1].get("weight", 0))

    def destinations(self, route: int = 0) -> list[dict[str, Any]]:
        assert self.route is not None
        found: list[dict[str, Any]] = self.route["spec"]["routes"][route]["routeAction"]["multi"]["destinations"]
        return found

    @property
    def canary_replicas(self) -> int:
        return Workload(self.target).replicas if self.target else 0

    @property
    def primary_image(self) -> str:
        assert self.primary is not None
        return image_of(Workload(self.primary).content)

    @property
    def primary_configs(self) -> dict[str, str]:
        """What the primary's copies hold."""
        annotations = self.primary["metadata"].get("annotations") or {} if self.primary else {}
        return self.kept_configs.get(annotations.get(REVISION, ""), {})

    # ---- what is seen of it

    def observe(self, canary: Canary, stimulus: Stimulus) -> Observation:
        self.roll_out()
        own, status = Workload(self.primary) if self.primary else None, canary.status
        revision = Workload(self.target).revision(self.configs) if self.target else ""
        lost = bool(status.primary_revision) and status.primary_revision not in {*self.snapshots, revision}
        lost = lost and not (own is not None and own.runs(status.primary_revision))
        if isinstance(stimulus, Command) and stimulus.verb is Verb.ROLLBACK and status.previous_revision:
            lost = status.previous_revision not in {*self.snapshots, revision}
        seen = Observation(
            now=self.now,
            stimulus=stimulus,
            rules=self.rules,
            route=copied(self.route),
            route_current=self.route is not None and desired.route_table_is_current(canary, status, self.route),
            target=self._with_status(self.target, "target"),
            target_revision=revision,
            primary=self._with_status(self.primary, "primary"),
            primary_current=own is not None and own.runs(status.primary_revision),
            snapshot_missing=lost,
            scaler=copied(self.scaler),
            primary_scaler=copied(self.primary_scaler),
            older_twin=self.older_twin,
            asked_target=self._with_status(self.target, "target"),
            orphans=self.orphans if status.former and status.phase in IDLE else None,
            configs=dict(self.configs) if self.target else {},
            config_versions={key: self.config_version or f"of {text}" for key, text in self.configs.items()}
            if self.target
            else {},
            config_problems=self.missing_configs,
            primary_configs=self._carried(status),
            lost=self._lost(canary) if status.settled and status.phase in IDLE else (),
        )
        overdue = [workload.name for workload in pods.overdue(canary, seen)]
        trouble = {name: self.pod_trouble[name] for name in overdue if name in self.pod_trouble}
        found = {"problems": validate.problems(canary, seen), "obstacles": validate.obstacles(canary, seen)}
        return seen.model_copy(update=found | {"pod_trouble": trouble})

    def _lost(self, canary: Canary) -> tuple[str, ...]:
        ref = canary.spec.autoscaler_ref
        return (f"spec.autoscalerRef: {ref.kind} {ref.name}.test",) if ref and self.scaler is None else ()

    def shown(self, role: Literal["target", "primary"]) -> dict[str, Any] | None:
        """With what its controller says about its pods."""
        return self._with_status(self.target if role == "target" else self.primary, role)

    def _with_status(self, item: dict[str, Any] | None, role: str) -> dict[str, Any] | None:
        if item is None:
            return None
        good = 0 if role in self.not_ready else self.room.get(role)
        status = shapes.status(item, good=good, stuck=role in self.stuck, nodes=self.nodes)
        if role == "target" and self.rolled != Workload(item).content:
            status |= dict.fromkeys(status.keys() & {"updatedReplicas", "updatedNumberScheduled"}, 0)
        return {**copied(item), "status": status}

    def _carried(self, status: CanaryStatus) -> dict[str, str]:
        if status.primary_step or self.primary is None:
            return {}
        return dict(self.configs if self.carried_configs is None else self.carried_configs)

    # ---- how decisions become true

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

    def report(self) -> None:
        """The gateway speaks about the routes as they are."""
        assert self.route is not None
        if self.verdict is None:
            self.route.pop("status", None)
            return
        proxies = {"proxy": {"state": self.verdict, "reason": "" if self.verdict == "Accepted" else "its words"}}
        self.route["status"] = {"statuses": {"gloo-system": {"state": "Accepted", "subresourceStatuses": proxies}}}

    def says(self, verdict: str | None) -> None:
        """From now on, and about the routes that are there."""
        self.verdict = verdict
        if self.route is not None:
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

    @property
    def primary_least(self) -> int:
        assert self.primary_scaler is not None
        spec = self.primary_scaler["spec"]
        return int(spec.get("minReplicas", spec.get("minReplicaCount", 0)))

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

    def roll_out(self) -> None:
        """Kubernetes replaces the target's pods, unless it was told not to."""
        if self.target is not None and not shapes.is_frozen(self.target):
            self.rolled = copied(Workload(self.target).content)

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
