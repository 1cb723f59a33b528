"""What deploy/README.md says to do, done."""

from __future__ import annotations

import asyncio

import pytest

from handlers.adapters.kube import Kube
from schemas.resources import CANARY, DEPLOYMENT, POD
from tests.cluster.installation import NAMESPACE, kubectl
from tests.deploy.api import DEPLOY
from tests.deploy.canaries import changed

pytestmark = [pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module")]


@pytest.mark.parametrize("part", ["watcher", "handlers", "nats"])
async def test_the_pods_pass_the_restricted_security_standard(part: str, kube: Kube) -> None:
    """The namespace enforces it at the pod's creation: a pod that is there has passed."""
    labels = f"app.kubernetes.io/name=canarybus-{part}"
    pods, version = await kube.list(POD, NAMESPACE, labels=labels)
    if pods:
        return
    async with asyncio.timeout(30):
        async for event in kube.watch(POD, NAMESPACE, resource_version=version, labels=labels):
            if event.type == "ADDED":
                return
    raise AssertionError(f"no pod of {part} was made")


@pytest.mark.parametrize("step", [("-f", "crds"), ("-k", "kubernetes")], ids=["definitions", "manifests"])
async def test_installing_again_changes_nothing(step: tuple[str, str], kube: Kube, kubeconfig: str) -> None:
    flag, directory = step
    path = str(DEPLOY / directory)
    assert await kubectl(kubeconfig, "diff", "--server-side", "--force-conflicts", flag, path) == ""


@pytest.mark.parametrize("part", ["watcher", "handlers"])
async def test_the_image_is_named_with_its_version(part: str, kube: Kube) -> None:
    deployment = await kube.get(DEPLOYMENT, NAMESPACE, f"canarybus-{part}")
    name, _, version = deployment["spec"]["template"]["spec"]["containers"][0]["image"].partition(":")
    assert (name, version.count(".")) == ("canarybus", 2)


NARROW = "NAME STATUS WEIGHT LASTTRANSITIONTIME"
WIDE = "NAME STATUS WEIGHT SUSPENDED FAILEDCHECKS INTERVAL MIRROR STEPWEIGHT STEPWEIGHTS MAXWEIGHT LASTTRANSITIONTIME"


@pytest.mark.parametrize(("output", "columns"), [("", NARROW), ("wide", WIDE)], ids=["narrow", "wide"])
async def test_kubectl_shows_the_peers_columns(
    output: str, columns: str, kube: Kube, kubeconfig: str, namespace: str
) -> None:
    await kube.create(CANARY, {"metadata": {"name": f"a{output}", "namespace": namespace}, "spec": changed({})})
    table = await kubectl(kubeconfig, "get", "canaries", f"--namespace={namespace}", f"--output={output}")
    assert table.splitlines()[0].split() == columns.split()
