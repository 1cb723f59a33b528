"""A kubelet at work on an API server: the embedded one, or with CANARYBUS_TEST_CLUSTER=1 the one of $KUBECONFIG
(a control plane without another kubelet that would take the pods)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploy.sandbox.kube import EmbeddedKubernetes
from deploy.sandbox.kubelet.__main__ import variables_of_the_node
from deploy.sandbox.kubelet.addresses import Addresses
from deploy.sandbox.kubelet.agent import Kubelet
from deploy.sandbox.kubelet.runner import Surroundings
from deploy.sandbox.load.client import Answer, Client
from deploy.sandbox.network import Network, dial
from handlers.adapters.errors import NotFound
from handlers.adapters.kube import Kube, Object, find_access
from schemas.resources import NAMESPACE, NODE, POD, Resource
from tests.patience import PATIENCE


@dataclass
class House:
    """A namespace, a node of its own and what runs there."""

    kube: Kube
    kubeconfig: Path
    state: Path
    namespace: str
    node: str
    network: int

    @asynccontextmanager
    async def kubelet(self, *, proxy: str = "", backoff: float = 10) -> AsyncIterator[Kubelet]:
        variables = variables_of_the_node() | {"DRAIN_SECONDS": "0.2"}
        around = Surroundings(self.kube, self.state, proxy, variables, backoff)
        kubelet = Kubelet(self.node, Addresses(self.network), around)
        work = asyncio.create_task(kubelet.run())
        registered = asyncio.create_task(kubelet.registered.wait())
        await asyncio.wait([work, registered], timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        try:
            yield kubelet
        finally:
            registered.cancel()
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work

    def pod(self, name: str = "podinfo", image: str = "stefanprodan/podinfo:6.0.1", **spec: Any) -> Object:
        """Port 9898, probed twice a second at most; ``container`` adds to its only container."""
        container = {
            "name": "podinfod",
            "image": image,
            "ports": [{"name": "http", "containerPort": 9898}],
            "readinessProbe": {
                "httpGet": {"path": "/readyz", "port": "http"},
                "periodSeconds": 1,
                "failureThreshold": 1,
            },
            **spec.pop("container", {}),
        }
        return {
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"nodeName": self.node, "containers": [container], **spec},
        }

    async def started(self, pod: Object) -> Object:
        """Creates ``pod`` and returns it when it is ready."""
        await self.kube.create(POD, pod)
        return await self.until(pod["metadata"]["name"], is_ready)

    async def until(self, name: str, met: Callable[[Object], bool], resource: Resource = POD) -> Object:
        """The object as soon as ``met`` holds."""
        seen: Object | None = None
        try:
            async with asyncio.timeout(PATIENCE):
                seen, version = await self._now(name, resource)
                while True:
                    if seen is not None and met(seen):
                        return seen
                    watch = self.kube.watch(resource, self.namespace, resource_version=version)
                    async for event in watch:
                        version = event.resource_version
                        if event.type != "BOOKMARK" and event.object["metadata"]["name"] == name:
                            seen = event.object
                            if met(seen):
                                return seen
        except TimeoutError:
            raise AssertionError(f"{name} did not get there: {(seen or {}).get('status')}") from None

    async def _now(self, name: str, resource: Resource) -> tuple[Object | None, str]:
        items, version = await self.kube.list(resource, self.namespace)
        return next((item for item in items if item["metadata"]["name"] == name), None), version

    async def gone(self, name: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    await self.kube.get(POD, self.namespace, name)
                except NotFound:
                    return
                await asyncio.sleep(0.02)


def is_ready(pod: Object) -> bool:
    return condition(pod, "Ready") == "True"


def condition(pod: Object, kind: str) -> str:
    found = pod.get("status", {}).get("conditions", [])
    return next((str(entry["status"]) for entry in found if entry["type"] == kind), "")


def container_status(pod: Object) -> Object:
    statuses = pod.get("status", {}).get("containerStatuses") or [{}]
    return dict(statuses[0])


def waits_for(pod: Object) -> str:
    """The reason why its container waits; empty if it does not."""
    return str(container_status(pod).get("state", {}).get("waiting", {}).get("reason", ""))


async def ask(pod: Object, path: str = "/", method: str = "GET") -> Answer:
    """One request to the pod, on a connection of its own."""
    client = Client(url(pod))
    try:
        return await client.request(path, method=method)
    finally:
        await client.close()


def url(pod: Object, port: int = 9898) -> str:
    return f"http://{dial(pod['status']['podIP'])}:{port}/"


async def until_refused(pod: Object) -> None:
    """The kernel ends the process; that tells nobody here, so the port is asked until nobody answers."""
    client = Client(url(pod))
    async with asyncio.timeout(PATIENCE):
        while (await client.request("/delay/0.02")).cause != "refused":
            pass
    await client.close()


@asynccontextmanager
async def house_on(kubeconfig: Path, directory: Path) -> AsyncIterator[House]:
    """A new namespace there; at the end its pods and the node are removed, whatever their state."""
    unique = uuid.uuid4().hex[:8]
    async with Kube(await find_access(str(kubeconfig)), user_agent="kubelet") as kube:
        network = Network()
        made = House(kube, kubeconfig, directory / "kubelet", f"test-{unique}", f"node-{unique}", network.octet)
        await kube.create(NAMESPACE, {"metadata": {"name": made.namespace}})
        yield made
        pods, _ = await kube.list(POD, made.namespace)
        for pod in pods:
            await kube.delete(POD, made.namespace, pod["metadata"]["name"], grace_seconds=0)
        await kube.delete(NAMESPACE, "", made.namespace)
        network.close()
        await kube.delete(NODE, "", made.node)


@pytest.fixture
async def embedded() -> AsyncIterator[EmbeddedKubernetes]:
    async with EmbeddedKubernetes(pods="process") as api:
        yield api


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    if os.environ.get("CANARYBUS_TEST_CLUSTER") == "1":
        async with house_on(Path(os.environ["KUBECONFIG"]), tmp_path) as made:
            yield made
    else:
        async with EmbeddedKubernetes(pods="process") as api, house_on(api.kubeconfig, tmp_path) as made:
            yield made
