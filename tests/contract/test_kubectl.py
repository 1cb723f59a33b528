"""kubectl itself, unmodified: `CANARYBUS_KUBECTL` names it, else the one in PATH."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
from pathlib import Path

import pytest

from .client import PATIENCE, Kube, path
from .conftest import deployment

KUBECTL = os.environ.get("CANARYBUS_KUBECTL", "kubectl")


class Kubectl:
    """Runs kubectl in one namespace."""

    def __init__(self, kubeconfig: str, namespace: str, cache: Path) -> None:
        self.environment = {**os.environ, "KUBECONFIG": kubeconfig, "HOME": str(cache)}
        self.namespace = namespace

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            KUBECTL, "-n", self.namespace, *arguments, env=self.environment,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip

    async def __call__(self, *arguments: str, code: int = 0, stdin: str = "") -> str:
        """What it prints (both streams), when it ends with the expected code."""
        process = await self.start(*arguments)
        async with asyncio.timeout(PATIENCE):
            output, complaints = await process.communicate(stdin.encode())
        text = (output + complaints).decode()
        assert process.returncode == code, text
        return text


@pytest.fixture
def kubectl(server: tuple[Kube, str], ns: str, tmp_path: Path) -> Kubectl:
    return Kubectl(server[1], ns, tmp_path)


@pytest.fixture
async def podinfo(kubectl: Kubectl) -> str:
    """A deployment that has been applied and is rolled out."""
    text = json.dumps(deployment(replicas=2))
    assert "deployment.apps/podinfo created" in await kubectl("apply", "-f", "-", stdin=text)
    assert "successfully rolled out" in await kubectl("rollout", "status", "deployment/podinfo", "--timeout=60s")
    return text


async def test_apply_again_changes_nothing_and_then_what_is_new(kubectl: Kubectl, podinfo: str) -> None:
    assert "unchanged" in await kubectl("apply", "-f", "-", stdin=podinfo)
    changed = json.loads(podinfo)
    changed["spec"]["replicas"] = 1
    changed["metadata"]["labels"]["tier"] = "front"
    assert "configured" in await kubectl("apply", "-f", "-", stdin=json.dumps(changed))
    shown = json.loads(await kubectl("get", "deployment", "podinfo", "-o", "json"))
    assert shown["spec"]["replicas"] == 1
    assert shown["metadata"]["labels"] == {"app": "podinfo", "tier": "front"}
    del changed["metadata"]["labels"]["tier"]
    await kubectl("apply", "-f", "-", stdin=json.dumps(changed))
    shown = json.loads(await kubectl("get", "deployment", "podinfo", "-o", "json"))
    assert shown["metadata"]["labels"] == {"app": "podinfo"}


async def test_server_side_apply(kubectl: Kubectl) -> None:
    text = json.dumps(deployment(replicas=0))
    assert "serverside-applied" in await kubectl("apply", "--server-side", "-f", "-", stdin=text)
    other = text.replace("podinfo:6.0.1", "podinfo:6.0.2")
    refused = await kubectl("apply", "--server-side", "--field-manager=other", "-f", "-", stdin=other, code=1)
    assert 'conflict with "kubectl"' in refused
    await kubectl("apply", "--server-side", "--force-conflicts", "--field-manager=other", "-f", "-", stdin=other)


async def test_get_shows_columns_and_more_of_them_when_wide(kubectl: Kubectl, podinfo: str) -> None:
    narrow = await kubectl("get", "deployments")
    assert narrow.splitlines()[0].split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert narrow.splitlines()[1].split()[:4] == ["podinfo", "2/2", "2", "2"]
    wide = await kubectl("get", "deploy", "-o", "wide")
    assert wide.splitlines()[1].split()[5:] == ["app", "podinfo:6.0.1", "app=podinfo"]
    assert "Running" in await kubectl("get", "pods")
    everything = await kubectl("get", "all")
    assert "replicaset.apps/podinfo-" in everything
    assert "pod/podinfo-" in everything


async def test_set_image_rolls_out(kubectl: Kubectl, podinfo: str) -> None:
    assert "image updated" in await kubectl("set", "image", "deployment/podinfo", "app=podinfo:6.0.2")
    await kubectl("rollout", "status", "deployment/podinfo", "--timeout=60s")
    images = await kubectl("get", "pods", "-l", "app=podinfo", "-o", "jsonpath={.items[*].spec.containers[0].image}")
    assert set(images.split()) == {"podinfo:6.0.2"}


async def test_rollout_restart_history_and_undo(kubectl: Kubectl, podinfo: str) -> None:
    assert "restarted" in await kubectl("rollout", "restart", "deployment/podinfo")
    await kubectl("rollout", "status", "deployment/podinfo", "--timeout=60s")
    history = await kubectl("rollout", "history", "deployment/podinfo")
    assert [line.split()[0] for line in history.splitlines() if line[:1].isdigit()] == ["1", "2"]
    assert "rolled back" in await kubectl("rollout", "undo", "deployment/podinfo")


async def test_scale_patch_label_and_annotate(kubectl: Kubectl, podinfo: str) -> None:
    assert "scaled" in await kubectl("scale", "deployment/podinfo", "--replicas=1")
    assert "patched" in await kubectl("patch", "deployment/podinfo", "-p", '{"spec":{"minReadySeconds":1}}')
    assert "patched" in await kubectl(
        "patch", "deployment/podinfo", "--type=merge", "-p", '{"spec":{"minReadySeconds":0}}'
    )
    assert "labeled" in await kubectl("label", "deployment/podinfo", "tier=front")
    assert "annotated" in await kubectl("annotate", "deployment/podinfo", "note=x")
    shown = json.loads(await kubectl("get", "deployment", "podinfo", "-o", "json"))
    assert shown["spec"]["replicas"] == 1
    assert shown["metadata"]["labels"]["tier"] == "front"


async def test_wait_sees_a_condition_come_true(kubectl: Kubectl, podinfo: str) -> None:
    waited = await kubectl("wait", "--for=condition=available", "deployment/podinfo", "--timeout=60s")
    assert "condition met" in waited


async def test_describe_tells_of_conditions_and_replicasets(kubectl: Kubectl, podinfo: str) -> None:
    told = await kubectl("describe", "deployment", "podinfo")
    assert "MinimumReplicasAvailable" in told
    assert "NewReplicaSet:" in told
    assert "podinfo-" in told
    assert "Node:" in await kubectl("describe", "pods")


async def test_get_watch_prints_what_happens(kubectl: Kubectl, kube: Kube) -> None:
    await kube.post(path("configmaps", kubectl.namespace), {"metadata": {"name": "first"}})
    process = await kubectl.start("get", "configmap", "first", "-w", "--no-headers")
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        assert (await process.stdout.readline()).split()[:2] == [b"first", b"0"]
        line = asyncio.create_task(process.stdout.readline())
        for number in itertools.count():
            # kubectl begins to watch some time after its first line, and never prints what came before
            await kube.patch(path("configmaps", kubectl.namespace, "first"), {"data": {"a": str(number)}})
            if (await asyncio.wait((line,), timeout=0.2))[0]:
                break
        assert (await line).split()[:2] == [b"first", b"1"]
    process.terminate()
    await process.communicate()


async def test_create_from_a_file_and_delete(kubectl: Kubectl) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: made}\ndata: {a: '1'}\n"
    assert "configmap/made created" in await kubectl("create", "-f", "-", stdin=text)
    assert "AlreadyExists" in await kubectl("create", "-f", "-", stdin=text, code=1)
    assert "deleted" in await kubectl("delete", "configmap", "made")
    assert "NotFound" in await kubectl("get", "configmap", "made", code=1)


async def test_create_namespace(kubectl: Kubectl, kube: Kube) -> None:
    name = f"{kubectl.namespace}-more"
    assert "created" in await kubectl("create", "ns", name)
    assert (await kube.get(f"/api/v1/namespaces/{name}")).expect(200)["status"]["phase"] == "Active"
    await kube.delete(f"/api/v1/namespaces/{name}")


async def test_a_misspelt_field_is_named(kubectl: Kubectl) -> None:
    text = json.dumps(deployment(replicas=0)).replace('"replicas"', '"replicsa"')
    process = await kubectl.start("apply", "-f", "-")  # newer ones refuse it, older ones pass a warning on
    output, complaints = await process.communicate(text.encode())
    assert b"replicsa" in complaints, output
