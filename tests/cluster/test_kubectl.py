"""What people see and wait for with kubectl, on a real API server."""

from __future__ import annotations

import pytest

from handlers.adapters.kube import Kube
from schemas.resources import CANARY
from tests.cluster.installation import kubectl
from tests.cluster.world import NEW, OLD, World
from tests.deploy.api import own_namespace
from tests.deploy.canaries import changed

pytestmark = [pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module")]
WIDE = ["SUSPENDED", "FAILEDCHECKS", "INTERVAL", "MIRROR", "STEPWEIGHT", "STEPWEIGHTS", "MAXWEIGHT"]
NOTICED = ("wait", "canary/podinfo", "--for=condition=promoted=unknown", "--timeout=15s")
PROMOTED = ("wait", "canary/podinfo", "--for=condition=promoted", "--timeout=60s")


async def test_the_columns_are_the_peers(kube: Kube, kubeconfig: str) -> None:
    async with own_namespace(kube) as namespace:
        await kube.create(CANARY, {"metadata": {"name": "podinfo", "namespace": namespace}, "spec": changed({})})
        moved = "2026-01-01T10:00:00Z"
        status = {"phase": "Progressing", "canaryWeight": 25, "failedChecks": 1, "lastTransitionTime": moved}
        await kube.patch(CANARY, namespace, "podinfo", {"status": status}, subresource="status")

        async def shown(*options: str) -> list[list[str]]:
            text = await kubectl(kubeconfig, "get", "canaries", f"--namespace={namespace}", *options)
            return [line.split() for line in text.splitlines()]

        narrow, row = await shown()
        assert narrow == ["NAME", "STATUS", "WEIGHT", "LASTTRANSITIONTIME"]
        assert row == ["podinfo", "Progressing", "25", moved]
        wide, row = await shown("--output=wide")
        assert wide == [*narrow[:3], *WIDE, narrow[-1]]
        assert (row[:3], row[-1]) == (["podinfo", "Progressing", "25"], moved)


async def test_a_pipeline_that_waits_is_told_of_rollouts_that_have_happened(world: World, kubeconfig: str) -> None:
    """After the first apply, and after each push: the image is in production when the wait is over."""
    namespace = f"--namespace={world.namespace}"
    await world.install_podinfo()
    await kubectl(kubeconfig, *PROMOTED, namespace)
    assert await world.image_of("podinfo-primary") == OLD
    await kubectl(kubeconfig, "set", "image", "deployment/podinfo", f"podinfod={NEW}", namespace)
    await kubectl(kubeconfig, *NOTICED, namespace)
    await kubectl(kubeconfig, *PROMOTED, namespace)
    assert await world.image_of("podinfo-primary") == NEW
    assert (await world.kube.get(CANARY, world.namespace, "podinfo"))["status"]["phase"] == "Succeeded"
