"""API servers for the tests of what is deployed: connected to, and with definitions installed."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from handlers.adapters.errors import NotFound
from handlers.adapters.kube import Kube, find_access
from schemas.resources import CANARY, CUSTOM_RESOURCE_DEFINITION, NAMESPACE

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
DEFINITIONS = (*sorted((DEPLOY / "crds").glob("*.yaml")), DEPLOY / "sandbox" / "manifests" / "gloo-crds.yaml")
_PATIENCE = 60.0
"""Seconds."""


def wanted_for_real() -> bool:
    """Whether the run is to use the API server of ``$KUBECONFIG``."""
    return os.environ.get("CANARYBUS_TEST_CLUSTER") == "1"


def manifests(files: Iterable[Path]) -> list[dict[str, Any]]:
    return [item for file in files for item in yaml.load_all(file.read_text(), Loader=yaml.CSafeLoader) if item]


@asynccontextmanager
async def connected(kubeconfig: str | Path, *, impersonate: str | None = None) -> AsyncIterator[Kube]:
    async with Kube(await find_access(str(kubeconfig)), user_agent="tests", impersonate=impersonate) as kube:
        yield kube


@asynccontextmanager
async def embedded() -> AsyncIterator[Kube]:
    """The embedded API with our definitions and Gloo's."""
    from deploy.sandbox.kube import EmbeddedKubernetes

    async with EmbeddedKubernetes(pods="instant") as api, connected(api.kubeconfig) as kube:
        await installed(kube)
        yield kube


async def installed(kube: Kube, definitions: Iterable[Path] = DEFINITIONS) -> None:
    """Applies the definitions and waits until their resources are served."""
    wanted = manifests(definitions)
    for definition in wanted:
        await kube.apply(CUSTOM_RESOURCE_DEFINITION, definition, manager="tests")
    async with asyncio.timeout(_PATIENCE):
        for definition in wanted:
            await established(kube, definition["metadata"]["name"])


async def established(kube: Kube, name: str) -> None:
    found, version = await kube.list(CUSTOM_RESOURCE_DEFINITION, fields=f"metadata.name={name}")
    if found and _is_established(found[0]):
        return
    selected = f"metadata.name={name}"
    async for event in kube.watch(CUSTOM_RESOURCE_DEFINITION, resource_version=version, fields=selected):
        if event.type != "BOOKMARK" and _is_established(event.object):
            return


def _is_established(definition: dict[str, Any]) -> bool:
    conditions = (definition.get("status") or {}).get("conditions") or ()
    return any(item["type"] == "Established" and item["status"] == "True" for item in conditions)


@asynccontextmanager
async def own_namespace(kube: Kube) -> AsyncIterator[str]:
    """A namespace of the test's own; everything in it goes with it."""
    name = f"t-{secrets.token_hex(4)}"
    await kube.create(NAMESPACE, {"metadata": {"name": name}})
    try:
        yield name
    finally:
        await kube.delete(NAMESPACE, "", name)
        await _let_go(kube, name)


async def _let_go(kube: Kube, namespace: str) -> None:
    """Canaries that nobody works for any more must not keep the namespace."""
    try:
        left, _ = await kube.list(CANARY, namespace)
    except NotFound:
        return
    for item in left:
        if item["metadata"].get("finalizers"):
            with suppress(NotFound):
                await kube.patch(CANARY, namespace, item["metadata"]["name"], {"metadata": {"finalizers": None}})
