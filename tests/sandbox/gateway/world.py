"""A namespace with the tutorial's application, and a gateway that serves it."""

from __future__ import annotations

import asyncio
import contextlib
from argparse import Namespace
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Self

import pytest

from deploy.sandbox.gateway.__main__ import serve
from deploy.sandbox.network import free_port
from handlers.adapters.kube import Kube, Object
from schemas.resources import ENDPOINT_SLICE, ROUTE_TABLE, SERVICE, UPSTREAM, VIRTUAL_SERVICE, Resource
from tests.patience import PATIENCE
from tests.sandbox.backends import Network, backend, saying
from tests.sandbox.gateway import objects
from tests.sandbox.gateway.objects import delegating, moved, virtual_service
from tests.sandbox.gateway.traffic import Client, client

PROXY = "*v1.Proxy.gateway-proxy_gloo-system"


def told(item: Object) -> Object:
    """What Gloo says of an object; empty if nothing."""
    found: Object = ((item.get("status") or {}).get("statuses") or {}).get("gloo-system") or {}
    return found


def under_proxy(item: Object) -> Object:
    """What it says of the routes that came out of the object; empty while that is pending."""
    found: Object = (told(item).get("subresourceStatuses") or {}).get(PROXY) or {}
    return found


def judged(item: Object) -> bool:
    return bool(under_proxy(item).get("state"))


class World:
    """A namespace with the tutorial's application, whose routes a gateway serves."""

    def __init__(self, kube: Kube, kubeconfig: Path, name: str, state: Path) -> None:
        self.kube = kube
        self.name = name
        self.kubeconfig = kubeconfig
        self._state = state
        self._network = Network()
        self.host = f"{name}.example.com"
        self.pods = AsyncExitStack()

    async def __aenter__(self) -> Self:
        for number, side in enumerate(("primary", "canary"), 1):
            await self.apply(SERVICE, objects.service(side))
            await self.apply(UPSTREAM, objects.upstream(side))
            await self.start_pod(side, number)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.pods.aclose()

    async def apply(self, resource: Resource, item: Object) -> Object:
        return await self.kube.apply(resource, moved(item, self.name), manager="tests")

    async def get(self, resource: Resource, name: str) -> Object:
        return await self.kube.get(resource, self.name, name)

    async def patch_routes(self, *routes: Object, clear: bool = True) -> Object:
        """As the product does it: the routes, and the status cleared in the same write."""
        body: Object = {"spec": {"routes": [moved(route, self.name) for route in routes]}}
        return await self.kube.patch(ROUTE_TABLE, self.name, "podinfo", body | ({"status": None} if clear else {}))

    async def start_pod(self, side: str, number: int, text: str = "") -> None:
        await self.pods.enter_async_context(backend(self._network.real(number), saying(text or side)))
        await self.apply(ENDPOINT_SLICE, objects.endpoint_slice(side, self._network.published(number)))

    async def delegate(self, *routes: Object, name: str = "podinfo") -> None:
        await self.apply(VIRTUAL_SERVICE, virtual_service(*(routes or [delegating()]), name=name, domains=[self.host]))

    @asynccontextmanager
    async def gateway(self, *, batch: float = 0.05, delay: tuple[float, float] = (0.05, 0.1)) -> AsyncIterator[Client]:
        options = Namespace(
            port=free_port(),
            admin_port=free_port(),
            state=self._state,
            batch=batch,
            verdict_delay=delay,
            namespace="gloo-system",
            proxy_name="gateway-proxy",
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("KUBECONFIG", str(self.kubeconfig))
            serving = asyncio.create_task(serve(options))
            try:
                await _listening(options.port)
                async with client(options.port) as asking:
                    yield asking
            finally:
                serving.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await serving

    async def until(
        self, resource: Resource, name: str, condition: Callable[[Object], bool], *, since: Object | None = None
    ) -> list[Object]:
        """Every version of the object from ``since`` (None: from now) to the first that meets the condition."""
        async with asyncio.timeout(PATIENCE):
            item = since or await self.get(resource, name)
            seen = [item]
            while not condition(item):
                version = item["metadata"]["resourceVersion"]
                async for event in self.kube.watch(resource, self.name, resource_version=version):
                    if event.type == "MODIFIED" and event.object["metadata"]["name"] == name:
                        item = event.object
                        seen.append(item)
                        if condition(item):
                            break
        return seen

    async def verdict(self, resource: Resource = ROUTE_TABLE, name: str = "podinfo") -> Object:
        """What is said under the proxy, as soon as it is no longer pending."""
        return under_proxy((await self.until(resource, name, judged))[-1])

    async def answers(self, asking: Client, wanted: tuple[int, str], in_a_row: int = 1) -> None:
        """Returns when the gateway has given this answer so many times in a row."""
        row = 0
        async with asyncio.timeout(PATIENCE):
            while row < in_a_row:
                row = row + 1 if await asking.get(host=self.host) == wanted else 0


async def _listening(port: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.01)
            else:
                writer.close()
                return
