"""Targets of each kind in a cluster: what is created, how a new image is pushed, which one an object runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from handlers.adapters.kube import Object

LABELS = {"app": "podinfo"}


def target_object(kind: str, *, namespace: str, replicas: int = 1, image: str = "podinfo:1") -> Object:
    metadata = {"name": "podinfo", "namespace": namespace}
    if kind == "Service":
        ports = [{"name": "http", "port": 9898, "targetPort": 9898}]
        return {"metadata": metadata, "spec": {"selector": _chosen(image), "ports": ports}}
    container = {"name": "podinfod", "image": image, "ports": [{"containerPort": 9898}]}
    template = {"metadata": {"labels": dict(LABELS)}, "spec": {"containers": [container]}}
    spec: dict[str, Any] = {"selector": {"matchLabels": dict(LABELS)}, "template": template}
    return {"metadata": metadata, "spec": spec | ({"replicas": replicas} if kind == "Deployment" else {})}


def pushed(kind: str, image: str) -> Object:
    """A strategic merge patch."""
    if kind == "Service":
        return {"spec": {"selector": _chosen(image)}}
    return {"spec": {"template": {"spec": {"containers": [{"name": "podinfod", "image": image}]}}}}


def image_of(item: Mapping[str, Any]) -> str:
    """Of a Service, that of the pods that it chooses."""
    template = item["spec"].get("template")
    if template is None:
        return str(item["spec"]["selector"]["version"]).replace("-", ":")
    return str(template["spec"]["containers"][0]["image"])


def _chosen(image: str) -> dict[str, str]:
    return {**LABELS, "version": image.replace(":", "-")}
