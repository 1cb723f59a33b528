"""The kinds that a target may have: one module each, all answering the same questions (:mod:`.anatomy`)."""

from __future__ import annotations

from handlers.core.kinds.anatomy import Source, TargetKind
from handlers.core.kinds.daemonset import DaemonSetTarget
from handlers.core.kinds.deployment import DeploymentTarget
from handlers.core.kinds.service import ServiceTarget
from schemas.canary import Canary

KINDS: dict[str, TargetKind] = {
    "Deployment": DeploymentTarget(),
    "DaemonSet": DaemonSetTarget(),
    "Service": ServiceTarget(),
}


def kind_of(canary: Canary) -> TargetKind:
    """Of any other kind nothing is ever made; the Canary is Invalid."""
    return KINDS.get(canary.spec.target_ref.kind, KINDS["Deployment"])


__all__ = ["KINDS", "Source", "TargetKind", "kind_of"]
