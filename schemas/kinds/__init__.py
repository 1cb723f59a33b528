"""The kinds that a Canary's target may have: one module each, all answering the same questions (:mod:`.anatomy`)."""

from __future__ import annotations

from schemas.kinds.anatomy import Kind
from schemas.kinds.daemonset import DaemonSetKind
from schemas.kinds.deployment import DeploymentKind
from schemas.kinds.service import ServiceKind

KINDS: dict[str, Kind] = {"Deployment": DeploymentKind(), "DaemonSet": DaemonSetKind(), "Service": ServiceKind()}
