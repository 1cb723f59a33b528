"""A podinfo on an autoscaler, and what is written on a ScaledObject."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.resources import CUSTOM_RESOURCE_DEFINITION, HORIZONTAL_POD_AUTOSCALER, SCALED_OBJECT, Resource
from tests import keda
from tests.handlers.house import NAMESPACE, House

KINDS = pytest.mark.parametrize("kind", [HORIZONTAL_POD_AUTOSCALER, SCALED_OBJECT], ids=["HPA", "KEDA"])


async def make_scaler(house: House, kind: Resource, **spec: Any) -> None:
    if kind is SCALED_OBJECT:
        await house.admin.create(CUSTOM_RESOURCE_DEFINITION, keda.DEFINITION)
        body = keda.scaled_object(**spec)
    else:
        ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"}
        body = {"metadata": {"name": "podinfo"}, "spec": {"scaleTargetRef": ref, "maxReplicas": 5, **spec}}
    body["metadata"]["namespace"] = NAMESPACE
    await house.admin.create(kind, body)


def naming(kind: Resource, **more: Any) -> dict[str, Any]:
    return {"autoscalerRef": {"apiVersion": kind.api_version, "kind": kind.kind, "name": "podinfo", **more}}


REF = naming(SCALED_OBJECT)["autoscalerRef"]


async def scaled(
    house: House, kind: Resource, *, replicas: int = 1, ref: dict[str, Any] | None = None, **spec: Any
) -> None:
    await house.definitions()
    await make_scaler(house, kind, **spec)
    await house.prepare(replicas=replicas, **naming(kind, **(ref or {})))
    await house.initialized()


async def worn(house: House, name: str = "podinfo") -> dict[str, str]:
    return dict((await house.object(SCALED_OBJECT, name))["metadata"].get("annotations") or {})


async def second_scaler(house: House, name: str = "second", target: str = "podinfo", **spec: Any) -> None:
    body = keda.scaled_object(name, scaleTargetRef={"name": target}, **spec)
    await house.admin.create(SCALED_OBJECT, {**body, "metadata": {"name": name, "namespace": NAMESPACE}})
