"""Deployments and DaemonSets as far as we touch them: replicas, template, readiness (spec targets 3.1, 3.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from schemas.gloo import fence_of
from schemas.revision import REVISION, SCALE_TO_ZERO, TEMPLATE, digest, revision_hash

TARGET_STEP = "canarybus.dev/target-step"
"""Fence of a target: the step at which its replicas last changed by our will."""
PRIMARY_STEP = "canarybus.dev/primary-step"
"""Fence of a primary: the step at which its template last changed."""


class Readiness(NamedTuple):
    """``stuck`` means that waiting will not help any more (a progress deadline has passed)."""

    ready: bool
    stuck: bool = False
    message: str = ""


@dataclass(frozen=True)
class Workload:
    """A value around the object as read."""

    item: Mapping[str, Any]

    @property
    def kind(self) -> str:
        return str(self.item.get("kind", "Deployment"))

    @property
    def name(self) -> str:
        return str(self.item["metadata"]["name"])

    @property
    def resource_version(self) -> str:
        return str(self.item["metadata"].get("resourceVersion", ""))

    @property
    def annotations(self) -> Mapping[str, str]:
        return self.item["metadata"].get("annotations") or {}

    @property
    def template(self) -> Mapping[str, Any]:
        return self.item["spec"].get("template") or {}

    @property
    def status(self) -> Mapping[str, Any]:
        return self.item.get("status") or {}

    @property
    def replicas(self) -> int:
        """Wanted ones. A parked DaemonSet wants none; another counts its nodes, at least one."""
        if self.kind == "DaemonSet":
            selector = (self.template.get("spec") or {}).get("nodeSelector") or {}
            return 0 if SCALE_TO_ZERO in selector else max(1, int(self.status.get("desiredNumberScheduled", 0)))
        wanted = self.item["spec"].get("replicas")
        return 1 if wanted is None else int(wanted)

    @property
    def available(self) -> int:
        key = "numberAvailable" if self.kind == "DaemonSet" else "availableReplicas"
        return int(self.status.get(key, 0))

    def revision(self, configs: Mapping[str, str] | None = None) -> str:
        return revision_hash(self.template, configs)

    def fence(self, key: str) -> int:
        return fence_of(self.item, key)

    def runs(self, revision: str) -> bool:
        """Whether this primary carries that revision, unedited."""
        written = self.annotations.get(TEMPLATE)
        return self.annotations.get(REVISION) == revision and written == digest(self.template)

    def selector_label(self, keys: Sequence[str]) -> tuple[str, str] | None:
        """The first of ``keys`` in ``spec.selector.matchLabels``, with its value."""
        labels = (self.item["spec"].get("selector") or {}).get("matchLabels") or {}
        return next(((key, labels[key]) for key in keys if key in labels), None)

    def readiness(self, *, threshold: int, deadline: float, now: datetime) -> Readiness:
        """``threshold`` in percent of the updated replicas; ``deadline`` in seconds since availability was lost."""
        if self.kind == "DaemonSet":
            return self._daemon_set_readiness(threshold)
        return self._deployment_readiness(threshold, deadline, now)

    def _deployment_readiness(self, threshold: int, deadline: float, now: datetime) -> Readiness:
        status = self.status
        if int(self.item["metadata"].get("generation", 0)) > int(status.get("observedGeneration", 0)):
            return _waiting("observed deployment generation less than desired generation")
        if self._condition("Progressing").get("reason") == "ProgressDeadlineExceeded":
            return Readiness(False, True, f'deployment "{self.name}" exceeded its progress deadline')
        updated, available = int(status.get("updatedReplicas", 0)), self.available
        old = int(status.get("replicas", 0)) - updated
        if updated < self.replicas:
            found = _waiting(f"{updated} out of {self.replicas} new replicas have been updated")
        elif old > 0:
            found = _waiting(f"{old} old replicas are pending termination")
        elif available < int(updated * threshold / 100):
            found = _waiting(f"{available} of {updated} (readyThreshold {threshold}%) updated replicas are available")
        else:
            return Readiness(True)
        return found._replace(stuck=self._unavailable_for(now) > deadline)

    def _unavailable_for(self, now: datetime) -> float:
        available = self._condition("Available")
        if available.get("status") != "False" or not self._condition("Progressing"):
            return 0.0
        since = available.get("lastUpdateTime") or available.get("lastTransitionTime")
        if not since or available.get("reason") != "MinimumReplicasUnavailable":
            return 0.0
        return (now - datetime.fromisoformat(since).astimezone(UTC)).total_seconds()

    def _daemon_set_readiness(self, threshold: int) -> Readiness:
        status = self.status
        if int(self.item["metadata"].get("generation", 0)) > int(status.get("observedGeneration", 0)):
            return _waiting("observed daemonset generation less than desired generation")
        desired, updated = int(status.get("desiredNumberScheduled", 0)), int(status.get("updatedNumberScheduled", 0))
        if updated < desired:
            return _waiting(f"{updated} out of {desired} new pods have been updated")
        if self.available < int(desired * threshold / 100):
            return _waiting(f"{self.available} of {desired} (readyThreshold {threshold}%) updated pods are available")
        return Readiness(True)

    def _condition(self, kind: str) -> Mapping[str, Any]:
        found = [item for item in self.status.get("conditions") or () if item.get("type") == kind]
        return found[0] if found else {}


def _waiting(what: str) -> Readiness:
    return Readiness(False, False, f"waiting for rollout to finish: {what}")
