"""Putting manifests into the cluster, as ``kubectl apply --server-side`` does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import yaml

from deploy.sandbox.binaries import CHECKOUT
from handlers.adapters.errors import NotFound
from handlers.adapters.kube import Kube, Object, find_access
from schemas import resources
from schemas.resources import CUSTOM_RESOURCE_DEFINITION, NAMESPACE, Resource

MANIFESTS = Path(__file__).parent / "manifests"
DEFINITIONS = (*sorted((CHECKOUT / "deploy" / "crds").glob("*.yaml")), MANIFESTS / "gloo-crds.yaml")
TUTORIAL = ("namespace", "loadtester", "podinfo", "virtualservice", "metrictemplate", "canary")
"""Manifests of the tutorial's application in the order of the tutorial."""
_KINDS = {(found.api_version, found.kind): found for found in vars(resources).values() if isinstance(found, Resource)}
_PATIENCE = 30.0
_FAREWELL = 40.0
"""Seconds; pods may take thirty to go."""
MANAGER = "kubectl"


@asynccontextmanager
async def connected(kubeconfig: Path | None = None) -> AsyncIterator[Kube]:
    """The API server of ``kubeconfig``, else of the environment. Raises :class:`AdapterError` without access."""
    async with Kube(await find_access(str(kubeconfig) if kubeconfig else None), user_agent="canarybus-sandbox") as kube:
        yield kube


def manifest(name: str) -> list[Object]:
    """The objects of ``manifests/<name>.yaml``."""
    return documents(MANIFESTS / f"{name}.yaml")


def documents(file: Path) -> list[Object]:
    return [found for found in yaml.safe_load_all(file.read_text(encoding="utf-8")) if found]


async def apply(kube: Kube, objects: list[Object]) -> None:
    """In their order. Raises KeyError for a kind that this project does not know."""
    for item in objects:
        await kube.apply(_KINDS[item["apiVersion"], item["kind"]], item, manager=MANAGER)


async def remove(kube: Kube) -> None:
    """The tutorial's namespace with all that is in it. Raises :class:`TimeoutError` when it does not go away."""
    await kube.delete(NAMESPACE, "", "test")
    deadline = time.monotonic() + _FAREWELL
    while await kube.find(NAMESPACE, "", "test"):
        if time.monotonic() > deadline:
            raise TimeoutError("the namespace test is still there")
        await asyncio.sleep(0.2)


async def define(kube: Kube) -> None:
    """Our definitions and Gloo's, and until the API serves them. Raises :class:`TimeoutError`."""
    found = [item for file in DEFINITIONS for item in documents(file)]
    await asyncio.gather(*(apply(kube, [item]) for item in found))
    deadline = time.monotonic() + _PATIENCE
    for item in found:
        while not await _served(kube, item["metadata"]["name"]):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the API does not serve {item['metadata']['name']}")
            await asyncio.sleep(0.05)


async def _served(kube: Kube, name: str) -> bool:
    item = await kube.get(CUSTOM_RESOURCE_DEFINITION, "", name)
    conditions = (item.get("status") or {}).get("conditions") or []
    if not any(found["type"] == "Established" and found["status"] == "True" for found in conditions):
        return False
    spec = item["spec"]
    version = next(version["name"] for version in spec["versions"] if version["served"])
    try:
        await kube.list(Resource(spec["group"], version, spec["names"]["plural"], spec["names"]["kind"]))
    except NotFound:
        return False
    return True
