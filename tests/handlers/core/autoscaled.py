"""Autoscalers of targets, Canaries that name one, and what it does to the sizes in a world."""

from __future__ import annotations

from typing import Any

from schemas.canary import Canary
from schemas.status import CanaryStatus, Phase
from tests.handlers.core.manifests import SUCCESS_RATE, canary, weighted
from tests.handlers.core.rollouts import DEADLINE
from tests.handlers.core.world import World

STATUS = CanaryStatus(step=9, target_step=7, scaler_step=5)
HPA: dict[str, Any] = {
    "metadata": {"name": "podinfo", "resourceVersion": "1"},
    "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
        "minReplicas": 2,
        "maxReplicas": 4,
        "metrics": [{"type": "Resource"}],
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}},
    },
}


def scaled_by(kind: str, **ref: Any) -> Canary:
    return canary(weighted() | {"autoscalerRef": {"kind": kind, "name": "podinfo", **ref}})


def hpa(**ref: Any) -> Canary:
    return scaled_by("HorizontalPodAutoscaler", **ref)


def keda(**ref: Any) -> Canary:
    return scaled_by("ScaledObject", **ref)


def scaled(spec: dict[str, Any] | None = None, *, most: int = 20) -> World:
    """On an autoscaler of 1 to ``most``, after initialisation; the primary has two pods."""
    wanted = spec or weighted(metrics=[SUCCESS_RATE])
    ref = {"kind": "HorizontalPodAutoscaler", "name": "podinfo"}
    world = World({**wanted, "autoscalerRef": ref, "progressDeadlineSeconds": DEADLINE})
    world.scaler = {**HPA, "spec": {**HPA["spec"], "minReplicas": 1, "maxReplicas": most}}
    return world.until(Phase.INITIALIZED)


def resize(world: World, *, primary: int | None = None, canary: int | None = None) -> None:
    """As an autoscaler does it, within its bounds."""
    if primary is not None:
        assert world.primary is not None
        world.primary["spec"]["replicas"] = max(primary, world.primary_least)
    if canary is not None:
        assert world.target is not None
        world.target["spec"]["replicas"] = canary


def primary_replicas(world: World) -> int:
    assert world.primary is not None
    return int(world.primary["spec"]["replicas"])


def analysed(world: World, weight: int) -> World:
    world.push("podinfo:2")
    while world.weight < weight:
        world.tick()
    return world
