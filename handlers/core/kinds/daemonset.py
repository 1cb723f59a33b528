"""DaemonSets (spec targets 3.2): one pod on each node, so there is nothing to count, only to park."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from handlers.core.kinds import pods
from handlers.core.kinds.anatomy import Inherited, Object, Selectors, Source
from handlers.core.observation import Rules
from schemas.canary import Canary
from schemas.kinds.daemonset import SCALE_TO_ZERO
from schemas.workload import Readiness, Workload

_COPIED = ("updateStrategy", "minReadySeconds", "revisionHistoryLimit")


class DaemonSetTarget:
    brings_services = False

    def problems(
        self, canary: Canary, target: Workload, rules: Rules, primary: Workload | None = None
    ) -> Iterator[str]:
        yield from pods.problems(canary, target, rules, primary)
        place = f"daemonset {canary.target}.{canary.metadata.namespace}"
        strategy = (target.spec.get("updateStrategy") or {}).get("type") or "RollingUpdate"
        if strategy != "RollingUpdate":
            yield (
                f"{place} must have RollingUpdate strategy but have {strategy}; "
                "set its spec.updateStrategy.type to RollingUpdate"
            )
        if ports := _ports_of_the_node(target):
            yield (
                f"{place} asks for the node's own ports ({', '.join(map(str, ports))}), but its primary runs on the "
                "same nodes and only one pod can have them; remove hostPort and hostNetwork"
            )

    def selectors(self, target: Workload, keys: Sequence[str], primary: Workload | None = None) -> Selectors:
        return pods.selectors(target, keys, primary)

    def inherited(self, source: Source) -> Inherited:
        return pods.inherited(source)

    def content(self, source: Source) -> Object:
        """Affinity and spread stay as they are: the DaemonSet controller chooses the nodes."""
        return pods.template(source)

    def origin(self, canary: Canary, primary: Workload, rules: Rules) -> Object:  # noqa: ARG002 - no names in it
        return pods.origin(primary, rules)

    def spec(self, source: Source, existing: Workload | None) -> Object:
        return pods.spec(source, existing, _COPIED, self.content(source))

    def sized(self, target: Workload, size: int) -> Object:  # noqa: ARG002 - whatever it is now
        """A node selector that no node has, or its absence."""
        return {"template": {"spec": {"nodeSelector": {SCALE_TO_ZERO: None if size else "true"}}}}

    def frozen(self, target: Workload) -> Object:
        return dict(target.keeps)

    def primary_not_ready(self, place: str, found: Readiness) -> str:
        return f"primary daemonset {place} not ready: {found.message}"

    def canary_not_ready(self, place: str, found: Readiness) -> str:
        # the peer's own spelling: people's filters match it
        retryable = str(not found.stuck).lower()
        return f"canary damonset {place} not ready with retryable {retryable}: {found.message}"


def _ports_of_the_node(target: Workload) -> list[int]:
    """A scheduler never places two pods that name the same one on a node: one side would wait for ever."""
    spec = target.template.get("spec") or {}
    key = "containerPort" if spec.get("hostNetwork") else "hostPort"
    sidecars = [one for one in spec.get("initContainers") or () if one.get("restartPolicy") == "Always"]
    running = [*(spec.get("containers") or ()), *sidecars]
    return [int(port[key]) for container in running for port in container.get("ports") or () if port.get(key)]
