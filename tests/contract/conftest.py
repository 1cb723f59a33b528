"""The server that contract tests speak to, and a namespace of its own for each test."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator

import pytest

from deploy.sandbox.kube import EmbeddedKubernetes

from .client import Kube, Object, cluster_named_by_kubeconfig, path

ON_A_CLUSTER = os.environ.get("CANARYBUS_TEST_CLUSTER") == "1"


@pytest.fixture
async def server() -> AsyncIterator[tuple[Kube, str]]:
    """A client, and the path of a kubeconfig for the same server."""
    if ON_A_CLUSTER:
        kube = Kube(*cluster_named_by_kubeconfig())
        yield kube, os.environ["KUBECONFIG"]
        await kube.close()
    else:
        async with EmbeddedKubernetes(pods="instant") as api:
            kube = Kube(api.url, None)
            yield kube, str(api.kubeconfig)
            await kube.close()


@pytest.fixture
async def kube(server: tuple[Kube, str]) -> Kube:
    return server[0]


@pytest.fixture
async def ns(kube: Kube) -> AsyncIterator[str]:
    """A namespace that is there for one test."""
    name = f"contract-{uuid.uuid4().hex[:10]}"
    await kube.post("/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    await kube.delete(f"/api/v1/namespaces/{name}")


def widget_definition(group: str, **version: object) -> Object:
    """A CustomResourceDefinition of kind Widget in a group of its own."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList",
                      "shortNames": ["wd"], "categories": ["gadgets"]},
            "versions": [{"name": "v1", "served": True, "storage": True, **version}],
        },
    }  # fmt: skip


WIDGET_SCHEMA: Object = {
    "type": "object",
    "required": ["spec"],
    "properties": {
        "spec": {
            "type": "object",
            "required": ["size"],
            "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
            "properties": {
                "size": {"type": "integer", "minimum": 1, "maximum": 9},
                "note": {"type": "string", "pattern": "ab+c", "maxLength": 10, "minLength": 2},
                "color": {"type": "string", "enum": ["red", "green"]},
                "mode": {"type": "string", "default": "fast"},
                "port": {"x-kubernetes-int-or-string": True},
                "when": {"type": "string", "format": "date-time"},
                "list": {"type": "array", "items": {"type": "string"}, "maxItems": 2, "minItems": 1},
                "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "deep": {"type": "object", "default": {}, "properties": {"level": {"type": "integer", "default": 3}}},
                "a": {"type": "string"},
                "b": {"type": "string"},
                "either": {"type": "object", "properties": {"x": {"type": "string"}, "y": {"type": "string"},
                           "z": {"type": "string"}},
                           "anyOf": [{"required": ["x"]}, {"required": ["y"]}], "not": {"required": ["z"]}},
                "step": {"type": "number", "minimum": 0, "exclusiveMinimum": True, "multipleOf": 2},
                "named": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                          "items": {"type": "object", "required": ["name"],
                                    "properties": {"name": {"type": "string"}, "value": {"type": "string"}}}},
            },
        },
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}  # fmt: skip


class Widgets:
    """A custom resource of a test's own."""

    def __init__(self, kube: Kube, group: str, namespace: str) -> None:
        self.kube, self.group, self.namespace = kube, group, namespace

    def path(self, name: str = "", subresource: str = "") -> str:
        return path("widgets", self.namespace, name, subresource, group=self.group)

    def obj(self, name: str = "w", **spec: object) -> Object:
        return {"apiVersion": f"{self.group}/v1", "kind": "Widget", "metadata": {"name": name}, "spec": spec}


async def serve(kube: Kube, namespace: str, definition: Object) -> Widgets:
    """Install a definition and wait until its objects can be listed."""
    (await kube.post(path("customresourcedefinitions"), definition)).expect(201)
    name = definition["metadata"]["name"]
    await kube.until(path("customresourcedefinitions", name=name), _established)
    widgets = Widgets(kube, definition["spec"]["group"], namespace)
    while (await kube.get(widgets.path())).code != 200:
        await asyncio.sleep(0.05)
    return widgets


def _established(definition: Object) -> bool:
    conditions = definition.get("status", {}).get("conditions") or []
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


@pytest.fixture
async def widgets(kube: Kube, ns: str) -> AsyncIterator[Widgets]:
    """Widgets with a status subresource and a schema that has everything."""
    version = {"subresources": {"status": {}}, "schema": {"openAPIV3Schema": WIDGET_SCHEMA}}
    definition = widget_definition(f"{ns}.example.com", **version)
    yield await serve(kube, ns, definition)
    await kube.delete(path("customresourcedefinitions", name=definition["metadata"]["name"]))


@pytest.fixture
async def plain_widgets(kube: Kube, ns: str) -> AsyncIterator[Widgets]:
    """Widgets without any subresource, as Gloo's kinds are."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    definition = widget_definition(f"{ns}.plain.example.com", schema={"openAPIV3Schema": schema})
    yield await serve(kube, ns, definition)
    await kube.delete(path("customresourcedefinitions", name=definition["metadata"]["name"]))


def deployment(name: str = "podinfo", replicas: int = 1, image: str = "podinfo:6.0.1", **spec: object) -> Object:
    annotations = spec.pop("pod_annotations", None)
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}} | ({"annotations": annotations} if annotations else {}),
                "spec": {"containers": [{"name": "app", "image": image,
                                         "ports": [{"name": "http", "containerPort": 9898}]}],
                         "terminationGracePeriodSeconds": 0},
            },
            **spec,
        },
    }  # fmt: skip


def configmap(name: str = "one", labels: dict[str, str] | None = None, **data: str) -> Object:
    metadata: Object = {"name": name} | ({"labels": labels} if labels else {})
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata} | ({"data": data} if data else {})
