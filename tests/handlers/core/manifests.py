"""What the worlds of these tests are made of: a Deployment, the specs of Canaries on it, and a Canary with one."""

from __future__ import annotations

from typing import Any

from schemas.canary import Canary

SUCCESS_RATE: dict[str, Any] = {"name": "request-success-rate", "interval": "10s", "thresholdRange": {"min": 99}}
DURATION: dict[str, Any] = {"name": "request-duration", "interval": "10s", "thresholdRange": {"max": 500}}


def podinfo(image: str = "podinfo:1", **template: Any) -> dict[str, Any]:
    labels = {"app": "podinfo"}
    container = {"name": "podinfod", "image": image, "ports": [{"containerPort": 9898}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "podinfo", "namespace": "test", "uid": "d", "generation": 1, "resourceVersion": "1"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container], **template}},
        },
    }


def on_podinfo(analysis: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "provider": "gloo",
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
        "service": {"port": 9898},
        "analysis": {"interval": "10s", "threshold": 3, **analysis},
        **spec,
    }


def weighted(**analysis: Any) -> dict[str, Any]:
    return on_podinfo({"maxWeight": 50, "stepWeight": 25, **analysis})


def stepped(*weights: int, **analysis: Any) -> dict[str, Any]:
    return on_podinfo({"stepWeights": list(weights), **analysis})


def ab_testing(iterations: int = 2, **analysis: Any) -> dict[str, Any]:
    match = [{"headers": {"x-canary": {"exact": "insider"}}}]
    return on_podinfo({"iterations": iterations, "match": match, **analysis})


def blue_green(iterations: int = 2, **analysis: Any) -> dict[str, Any]:
    return on_podinfo({"iterations": iterations, **analysis})


def hook(kind: str, **more: Any) -> dict[str, Any]:
    """Named after its type."""
    return {"name": kind, "type": kind, "url": "http://gate.test/", **more}


def canary(spec: dict[str, Any]) -> Canary:
    metadata = {"name": "web", "namespace": "test", "uid": "u", "generation": 1}
    return Canary.from_object({"metadata": metadata, "spec": spec})
