"""A target or a primary as read, whatever its kind: the door to :mod:`schemas.kinds`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas.gloo import fence_of
from schemas.kinds import KINDS
from schemas.kinds.anatomy import FROZEN, Kind, Patience, Readiness, frozen, is_kept, spec_of_user
from schemas.revision import REVISION, TEMPLATE, digest, revision_hash

TARGET_STEP = "canarybus.dev/target-step"
"""Fence of a target: the step at which its replicas last changed by our will."""
PRIMARY_STEP = "canarybus.dev/primary-step"
"""Fence of a primary: the step at which its template last changed."""
SCALER_STEP = "canarybus.dev/scaler-step"
"""Fence of a primary's scaler: the step at which its bounds last changed by our will."""
PAUSED_REPLICAS = "autoscaling.keda.sh/paused-replicas"
"""On a ScaledObject: KEDA holds its workload at this many replicas and does not scale it."""
PAUSED_SCALE_IN = "autoscaling.keda.sh/paused-scale-in"
"""On a ScaledObject: KEDA (2.18 and later) neither scales its workload in nor to zero; it goes on scaling it out."""
PAUSE = "canarybus.dev/pause"
"""On a target's ScaledObject: which of the two we wrote, ``replicas``, ``scale-in`` or ``none``."""
PAUSES = frozenset(
    {PAUSED_REPLICAS, PAUSED_SCALE_IN, "autoscaling.keda.sh/paused-scale-out", "autoscaling.keda.sh/paused"}
)
"""What holds one ScaledObject says nothing about another: never copied."""
OF_CONTROLLERS = ("deployment.kubernetes.io/", "deprecated.daemonset.")
"""How annotations begin that the controllers of workloads write beside the users'."""


@dataclass(frozen=True)
class Workload:
    """A value around the object as read; what depends on its kind is answered by :mod:`schemas.kinds`."""

    item: Mapping[str, Any]

    @property
    def kind(self) -> str:
        return str(self.item.get("kind", "Deployment"))

    @property
    def _says(self) -> Kind:
        return KINDS[self.kind]

    @property
    def name(self) -> str:
        return str(self.item["metadata"]["name"])

    @property
    def resource_version(self) -> str:
        return str(self.item["metadata"].get("resourceVersion", ""))

    @property
    def labels(self) -> Mapping[str, str]:
        return self.item["metadata"].get("labels") or {}

    @property
    def annotations(self) -> Mapping[str, str]:
        return self.item["metadata"].get("annotations") or {}

    @property
    def template(self) -> Mapping[str, Any]:
        """The pods' template; empty for a Service."""
        return self.item["spec"].get("template") or {}

    @property
    def spec(self) -> Mapping[str, Any]:
        """As its user wrote it, also while its pods are frozen."""
        return spec_of_user(self.item, self._says.keeps)

    @property
    def frozen(self) -> Mapping[str, Any] | None:
        """A merge patch of the spec that gives it back as its user wrote it last; None when we have frozen nothing."""
        return frozen(self.item, self._says.keeps)

    @property
    def keeps(self) -> Mapping[str, Any]:
        """A merge patch of the spec with which another template replaces no pods; empty for a Service."""
        return self._says.keeps

    @property
    def thawed(self) -> bool:
        """Whether somebody has written over what keeps its pods: an apply of the manifest, most likely."""
        return self.frozen is not None and not is_kept(self.item, self._says.keeps)

    @property
    def resting(self) -> bool:
        """Whether none of its pods is being replaced."""
        return self._says.resting(self.item)

    @property
    def content(self) -> Mapping[str, Any]:
        """What a revision is: the template, or of a Service its spec, without what is not the user's."""
        return self._says.content(self.item)

    @property
    def status(self) -> Mapping[str, Any]:
        return self.item.get("status") or {}

    @property
    def replicas(self) -> int:
        """Wanted ones; 0 when it is parked."""
        return self._says.size(self.item)

    @property
    def available(self) -> int:
        return self._says.available(self.item)

    def revision(self, configs: Mapping[str, str] | None = None) -> str:
        return revision_hash(self.content, configs)

    def fence(self, key: str) -> int:
        return fence_of(self.item, key)

    def runs(self, revision: str) -> bool:
        """Whether this primary carries that revision, unedited."""
        written = self.annotations.get(TEMPLATE)
        return self.annotations.get(REVISION) == revision and written == digest(self.content)

    @property
    def selector(self) -> Mapping[str, str]:
        """The labels by which it finds its pods; empty for a Service."""
        return self._says.selector(self.item)

    def selector_label(self, keys: Sequence[str]) -> tuple[str, str] | None:
        """The first of ``keys`` in ``spec.selector.matchLabels``, with its value."""
        return next(((key, self.selector[key]) for key in keys if key in self.selector), None)

    def readiness(self, *, threshold: int, deadline: float, now: datetime, since: datetime | None = None) -> Readiness:
        """``threshold`` in percent; ``deadline`` in seconds; ``since``: when readiness was lost (:class:`Patience`)."""
        return self._says.readiness(self.item, Patience(threshold, deadline, now, since))


__all__ = ["FROZEN", "PRIMARY_STEP", "TARGET_STEP", "Readiness", "Workload"]
