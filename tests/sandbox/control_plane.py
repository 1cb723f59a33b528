"""The Kubernetes API for tests of the sandbox's parts: the embedded one, or a real one when the run asks for it.

A real one is asked for with ``CANARYBUS_TEST_CLUSTER=1`` and ``KUBECONFIG``, as in the contract tests.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import yaml

from deploy.sandbox.binaries import CHECKOUT
from deploy.sandbox.installation import connected
from handlers.adapters.errors import Invalid, NotFound
from handlers.adapters.kube import Kube
from schemas.resources import CUSTOM_RESOURCE_DEFINITION, NAMESPACE, ROUTE_TABLE, UPSTREAM, VIRTUAL_SERVICE, Resource

_GLOO = CHECKOUT / "deploy" / "sandbox" / "manifests" / "gloo-crds.yaml"


@asynccontextmanager
async def control_plane() -> AsyncIterator[Path]:
    """Gives the path of a kubeconfig; pods do not start by themselves, Gloo's kinds are served."""
    if os.environ.get("CANARYBUS_TEST_CLUSTER") == "1":
        kubeconfig = Path(os.environ["KUBECONFIG"])
        await _serve_gloo(kubeconfig)
        yield kubeconfig
        return
    from deploy.sandbox.kube import EmbeddedKubernetes

    async with EmbeddedKubernetes(pods="process") as api:
        await _serve_gloo(api.kubeconfig)
        yield api.kubeconfig


@asynccontextmanager
async def namespace(kube: Kube) -> AsyncIterator[str]:
    """A namespace of the test's own; everything in it goes with it."""
    name = f"t-{secrets.token_hex(4)}"
    await kube.create(NAMESPACE, {"metadata": {"name": name}})
    try:
        yield name
    finally:
        await kube.delete(NAMESPACE, "", name)


async def _serve_gloo(kubeconfig: Path) -> None:
    async with connected(kubeconfig) as kube:
        for definition in yaml.safe_load_all(_GLOO.read_text()):
            await kube.apply(CUSTOM_RESOURCE_DEFINITION, definition, manager="tests")
        for resource in (VIRTUAL_SERVICE, ROUTE_TABLE, UPSTREAM):
            await _served(kube, resource)


async def _served(kube: Kube, resource: Resource) -> None:
    """A write is the only thing that tells when a new kind is really there."""
    body = {"metadata": {"namespace": "default", "name": f"probe-{secrets.token_hex(4)}"}, "spec": {}}
    while True:
        try:
            await kube.create(resource, body)
        except (NotFound, Invalid):
            continue
        await kube.delete(resource, "default", body["metadata"]["name"])
        return
