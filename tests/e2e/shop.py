"""An application with users of its own, before canarybus has ever heard of it."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from deploy.sandbox.application import CONTAINER
from deploy.sandbox.follow import Follower, following
from deploy.sandbox.installation import manifest
from deploy.sandbox.load import Load
from handlers.adapters.kube import Kube, Object
from schemas.canary import Ref
from schemas.resources import (
    CANARY,
    DEPLOYMENT,
    NAMESPACE,
    ROUTE_TABLE,
    SERVICE,
    UPSTREAM,
    VIRTUAL_SERVICE,
    Resource,
)
from tests.patience import PATIENCE

RATE = 250.0
"""Requests per second on each way to the application."""
PORT = 9898
OLD, NEW = "stefanprodan/podinfo:6.0.0", "stefanprodan/podinfo:6.0.1"
ANALYSIS: Object = {"interval": "1s", "threshold": 2, "stepWeight": 25, "maxWeight": 50}


class Shop:
    """``podinfo`` in a namespace and under a domain of its own."""

    def __init__(self, kube: Kube, follower: Follower, namespace: str, gateway_url: str) -> None:
        self.kube = kube
        self.follower = follower
        self.namespace = namespace
        self.host = f"{namespace}.example.com"
        self.served: list[str] = []
        """How many of its users' requests were answered, and how many a second: for people."""
        self._gateway_url = gateway_url

    async def deploy(self, image: str = OLD) -> None:
        """The tutorial's Deployment, two pods, and nothing else; returns when they are ready."""
        deployment = next(item for item in manifest("podinfo") if item["kind"] == DEPLOYMENT.kind)
        spec = deployment["spec"] | {"replicas": 2}
        spec["template"]["spec"]["containers"][0]["image"] = image
        await self.apply(DEPLOYMENT, {"metadata": {"name": "podinfo", "labels": {"app": "podinfo"}}, "spec": spec})
        await self.ready("podinfo")

    async def ready(self, name: str) -> None:
        await self.until(DEPLOYMENT, name, lambda item: item.get("status", {}).get("readyReplicas") == 2)

    async def serve_without_us(self) -> None:
        """A Service, Gloo's Upstream of it, and a RouteTable that leads there: what was there before the Canary."""
        port = {"name": "http", "port": PORT, "targetPort": PORT}
        spec: Object = {"selector": {"app": "podinfo"}, "ports": [port]}
        await self.apply(SERVICE, {"metadata": {"name": "podinfo"}, "spec": spec})
        of_service = {"serviceName": "podinfo", "serviceNamespace": self.namespace, "servicePort": PORT}
        await self.apply(UPSTREAM, {"metadata": {"name": "podinfo"}, "spec": {"kube": of_service}})
        await self.apply(ROUTE_TABLE, {"metadata": {"name": "podinfo"}, "spec": {"routes": [self._to_the_upstream()]}})
        await self.delegate()
        straight = {"matchers": [{"prefix": "/"}], **self._to_the_upstream()}
        await self._virtual_service("straight", f"straight.{self.host}", straight)

    async def delegate(self) -> None:
        """The domain leads to the RouteTable ``podinfo``."""
        to_table = {"matchers": [{"prefix": "/"}], "delegateAction": {"ref": self._podinfo()}}
        await self._virtual_service("podinfo", self.host, to_table)

    async def canary(self, **spec: Any) -> None:
        """A Canary; ``spec`` adds to the least that it needs."""
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"}
        least = {"provider": "gloo", "targetRef": target, "service": {"port": PORT}, "analysis": ANALYSIS}
        await self.apply(CANARY, {"metadata": {"name": "podinfo"}, "spec": least | spec})

    async def push(self, image: str) -> None:
        """``kubectl set image``."""
        body = {"spec": {"template": {"spec": {"containers": [{"name": CONTAINER, "image": image}]}}}}
        await self.kube.patch(DEPLOYMENT, self.namespace, "podinfo", body, type="strategic")

    @asynccontextmanager
    async def users(self, host: str = "") -> AsyncIterator[Load]:
        """They have begun, and stay; none of their requests may fail."""
        async with Load(self._gateway_url, host=host or self.host, rate=RATE) as load:
            await self._begun(load)
            began, before = time.monotonic(), load.total.requests
            yield load
            self.served.append(told(load.total.requests - before, time.monotonic() - began, load.total.failed))
            await load.finish()
        assert not load.total.failed, f"{dict(load.total.failures)} of {load.total.requests}"

    async def _begun(self, load: Load) -> None:
        """The gateway has heard of the domain: until then nobody is a user."""
        async with asyncio.timeout(PATIENCE):
            while load.since_mark.statuses[200] < 50:
                load.mark()
                await load.wait_for(50)
        load.total.failures.clear()

    async def until(self, resource: Resource, name: str, met: Callable[[Object], bool]) -> Object:
        """The object as soon as ``met`` holds of it."""
        async with asyncio.timeout(PATIENCE):
            while not met(found := await self.kube.find(resource, self.namespace, name) or {}):
                await asyncio.sleep(0.05)
        return found

    async def gone(self, resource: Resource, name: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while await self.kube.find(resource, self.namespace, name):
                await asyncio.sleep(0.05)

    async def get(self, resource: Resource, name: str) -> Object:
        return await self.kube.get(resource, self.namespace, name)

    async def image(self, name: str) -> str:
        found = await self.get(DEPLOYMENT, name)
        return str(found["spec"]["template"]["spec"]["containers"][0]["image"])

    async def replicas(self, name: str) -> int:
        return int((await self.get(DEPLOYMENT, name))["spec"]["replicas"])

    async def apply(self, resource: Resource, item: Object) -> None:
        body = {**item, "metadata": {**item["metadata"], "namespace": self.namespace}}
        await self.kube.apply(resource, body, manager="kubectl")

    async def _virtual_service(self, name: str, host: str, route: Object) -> None:
        spec = {"virtualHost": {"domains": [host], "routes": [route]}}
        await self.apply(VIRTUAL_SERVICE, {"metadata": {"name": name}, "spec": spec})

    def _to_the_upstream(self) -> Object:
        return {"routeAction": {"single": {"upstream": self._podinfo()}}}

    def _podinfo(self) -> Object:
        return {"name": "podinfo", "namespace": self.namespace}


def told(requests: int, seconds: float, failed: int) -> str:
    """What is noted of the users of a test: their rate depends on the machine, so nothing is asserted of it."""
    return f"{requests} requests, {requests / seconds:.0f} a second, {failed} failed"


@asynccontextmanager
async def opened(kube: Kube, gateway_url: str) -> AsyncIterator[Shop]:
    """With its namespace, which goes with it."""
    name = f"shop-{secrets.token_hex(3)}"
    async with AsyncExitStack() as stack:
        await kube.create(NAMESPACE, {"metadata": {"name": name}})
        stack.push_async_callback(kube.delete, NAMESPACE, "", name)
        follower = await stack.enter_async_context(following(kube, Ref(name, "podinfo")))
        yield Shop(kube, follower, name, gateway_url)
