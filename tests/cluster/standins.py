"""In the place of Gloo and Prometheus: just enough for a rollout to be let through, or not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from aiohttp import web

from handlers.adapters.errors import NotFound, TransientError
from handlers.adapters.kube import Kube, Object
from schemas.resources import ROUTE_TABLE

_ACCEPTED = {
    "gloo-system": {
        "state": "Accepted",
        "reportedBy": "gloo",
        "subresourceStatuses": {"*v1.Proxy.gateway-proxy_gloo-system": {"state": "Accepted", "reportedBy": "gloo"}},
    }
}


class Gloo:
    """Accepts every RouteTable of one namespace whose report was cleared, as a healthy gateway does."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self._kube, self._namespace = kube, namespace
        self.weights: list[int] = []
        self.not_delegated: set[str] = set()
        """RouteTables that no VirtualService names: the gateway says nothing about them."""

    async def delegate(self, name: str) -> None:
        """A VirtualService names this one from now on, and no other."""
        items, _ = await self._kube.list(ROUTE_TABLE, self._namespace)
        self.not_delegated = {item["metadata"]["name"] for item in items} - {name}
        for item in items:
            await self._report(item)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Gloo]:
        task = asyncio.create_task(self._run())
        try:
            yield self
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        """``weights``: the canary's share of each table that was accepted, without repetitions."""
        items, version = await self._kube.list(ROUTE_TABLE, self._namespace)
        for item in items:
            await self._report(item)
        while True:
            with suppress(TransientError):
                async for event in self._kube.watch(ROUTE_TABLE, self._namespace, resource_version=version):
                    version = event.resource_version
                    if event.type in ("ADDED", "MODIFIED"):
                        await self._report(event.object)

    async def _report(self, item: Object) -> None:
        if (item.get("status") or {}).get("statuses") or item["metadata"]["name"] in self.not_delegated:
            return
        weight = canary_share(item)
        if self.weights[-1:] != [weight]:
            self.weights.append(weight)
        metadata = item["metadata"]
        patch = {"metadata": {"resourceVersion": metadata["resourceVersion"]}, "status": {"statuses": _ACCEPTED}}
        with suppress(TransientError, NotFound):  # written again meanwhile: that event comes too
            await self._kube.patch(ROUTE_TABLE, self._namespace, metadata["name"], patch)


def canary_share(route_table: Object) -> int:
    """Percent of the first route's traffic that goes to the canary's upstream."""
    destinations = route_table["spec"]["routes"][0]["routeAction"]["multi"]["destinations"]
    shares = {item["destination"]["upstream"]["name"]: int(item.get("weight", 0)) for item in destinations}
    return next((share for name, share in shares.items() if "-canaryupstream-" in name), 0)


class Prometheus:
    """Answers every query with one number; ``success_rate`` for the built-in metric."""

    def __init__(self) -> None:
        self.success_rate = 100.0
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Prometheus]:
        app = web.Application()
        app.router.add_route("*", "/api/v1/query", self._answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = "http://{}:{}".format(*runner.addresses[0][:2])
            yield self
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        query = request.query.get("query") or str((await request.post()).get("query", ""))
        value = self.success_rate if "envoy_response_code" in query else 1
        result = [{"metric": {}, "value": [0, str(value)]}]
        return web.json_response({"status": "success", "data": {"resultType": "vector", "result": result}})
