"""The cluster around one Canary, without a cluster: what there is, and what is observed of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from handlers.core import desired, pods, validate
from handlers.core.observation import Observation, Orphan, Rules
from schemas.canary import Canary
from schemas.events import Command, Stimulus, Verb
from schemas.revision import REVISION
from schemas.status import IDLE, CanaryStatus
from schemas.workload import Workload
from tests.handlers.core import shapes
from tests.handlers.core.shapes import copied, image_of

KEYS = ("app", "name", "app.kubernetes.io/name")
START = datetime(2026, 1, 1, tzinfo=UTC)


class Contents:
    """Of the ConfigMaps and Secrets around a target."""

    def __init__(self) -> None:
        self.configs: dict[str, str] = {}
        """Checksums of those that the target reads, by key."""
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


class Troubles:
    """What keeps pods and routes from following."""

    def __init__(self) -> None:
        self.room: dict[str, int] = {}
        """How many pods of a workload find a place to run; unless said, all."""
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


class Cluster(Contents, Troubles):
    """Target, primary and RouteTable. Pods are ready and the gateway is quick unless told otherwise."""

    def __init__(self, *, kind: str = "Deployment", drain: float = 0, no_data: str = "hold") -> None:
        Contents.__init__(self)
        Troubles.__init__(self)
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
        self.older_twin = ""
        self.orphans: tuple[Orphan, ...] = ()
        """What former names left, as far as nobody has cleared it."""
        self.gone = shapes.make(kind)
        """The target while somebody has deleted it."""
        self.snapshots: dict[str, Any] = {}
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

    @property
    def primary_least(self) -> int:
        assert self.primary_scaler is not None
        spec = self.primary_scaler["spec"]
        return int(spec.get("minReplicas", spec.get("minReplicaCount", 0)))

    # ---- what Kubernetes and the gateway do

    def roll_out(self) -> None:
        """Kubernetes replaces the target's pods, unless it was told not to."""
        if self.target is not None and not shapes.is_frozen(self.target):
            self.rolled = copied(Workload(self.target).content)

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
