"""The proxy as a process of its own, with names from the Kubernetes API."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack

import httpx
import pytest

from deploy.sandbox.installation import connected
from deploy.sandbox.network import free_port
from schemas.resources import ENDPOINT_SLICE, SERVICE
from tests.patience import PATIENCE
from tests.sandbox.backends import Network, backend, saying
from tests.sandbox.control_plane import control_plane, namespace
from tests.sandbox.gateway.objects import endpoint_slice, moved, service
from tests.sandbox.processes import program

pytestmark = pytest.mark.e2e


async def test_services_are_found_as_they_come_and_pods_as_they_go() -> None:
    network, port, elsewhere = Network(), free_port(), free_port()
    async with AsyncExitStack() as stack:
        kubeconfig = await stack.enter_async_context(control_plane())
        kube = await stack.enter_async_context(connected(kubeconfig))
        name = await stack.enter_async_context(namespace(kube))
        await stack.enter_async_context(backend(network.real(1), saying("canary")))
        await stack.enter_async_context(backend("127.0.0.1", saying("prometheus"), elsewhere))
        static = f"flagger-prometheus.gloo-system:9090=127.0.0.1:{elsewhere}"
        arguments = ["-m", "deploy.sandbox.servicenet", "--port", str(port), "--static", static]
        proxy = await stack.enter_async_context(program(*arguments, environment={"KUBECONFIG": str(kubeconfig)}))
        await proxy.says(f"servicenet: serving 127.0.0.1:{port}")
        http = await stack.enter_async_context(
            httpx.AsyncClient(proxy=f"http://{name}:@127.0.0.1:{port}", trust_env=False)
        )

        async def ask(url: str, wanted: int) -> str:
            """The first answer with that status: what is written now is known a moment later."""
            async with asyncio.timeout(PATIENCE):
                while (answer := await http.get(url)).status_code != wanted:
                    pass
            return answer.text

        canary = "http://podinfo-canary:9898/"
        assert "there is no Service podinfo-canary" in await ask(canary, 502)
        await kube.create(SERVICE, moved(service("canary"), name))
        assert "no pod of the Service podinfo-canary" in await ask(canary, 503)
        pods = await kube.create(ENDPOINT_SLICE, moved(endpoint_slice("canary", network.published(1)), name))
        assert await ask(canary, 200) == "canary"
        await kube.delete(ENDPOINT_SLICE, name, pods["metadata"]["name"])
        await ask(canary, 503)
        assert await ask("http://flagger-prometheus.gloo-system:9090/", 200) == "prometheus"

        proxy.process.send_signal(signal.SIGTERM)
        assert await proxy.ends() == 0


async def test_without_a_cluster_it_says_so_and_ends() -> None:
    environment = {"KUBECONFIG": "nowhere"}
    async with program("-m", "deploy.sandbox.servicenet", "--port", str(free_port()), environment=environment) as proxy:
        assert "no access to Kubernetes" in await proxy.says("servicenet: ")
        assert await proxy.ends() == 1
