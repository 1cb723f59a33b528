"""Users of an application: whether every way that they may come leads to pods that can answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from handlers.adapters.kube import Kube, Object
from schemas.resources import DEPLOYMENT, ROUTE_TABLE, SERVICE, UPSTREAM


class Users:
    """Come through RouteTables that a VirtualService delegates to, and through Services, from inside the cluster."""

    def __init__(self, kube: Kube, namespace: str, *, tables: tuple[str, ...] = (), services: tuple[str, ...] = ()):
        self._kube, self._namespace = kube, namespace
        self.tables, self.services = list(tables), list(services)
        self.met: list[str] = []
        """What they met that was no answer; empty when all is well."""

    async def try_everything(self, *_: str) -> None:
        """All ways first, then the pods: what is read later is newer, and pods go last."""
        chosen: dict[str, dict[str, str]] = {}
        for table in self.tables:
            for name, port in await self._through_gateway(table):
                await self._through_service(name, port, chosen)
        for name in self.services:
            await self._through_service(name, None, chosen)
        pods = await self._pods()
        for name, selector in chosen.items():
            if not any(selector.items() <= labels.items() for labels in pods):
                self.met.append(f"Service {name} selects {selector}: no pod can answer")

    async def keep_trying(self) -> None:
        """Until cancelled."""
        while True:
            await self.try_everything()
            await asyncio.sleep(0.02)

    async def _through_gateway(self, table: str) -> list[tuple[str, int]]:
        """Services and their ports."""
        found = await self._kube.find(ROUTE_TABLE, self._namespace, table)
        if found is None:
            self.met.append(f"RouteTable {table} is missing")
        led = []
        for name in _upstreams(found or {}):
            upstream = await self._kube.find(UPSTREAM, self._namespace, name)
            if upstream is None:
                self.met.append(f"Upstream {name} is missing")
            else:
                kube = upstream["spec"]["kube"]
                led.append((kube["serviceName"], kube["servicePort"]))
        return led

    async def _through_service(self, name: str, port: int | None, chosen: dict[str, dict[str, str]]) -> None:
        service = await self._kube.find(SERVICE, self._namespace, name)
        if service is None:
            self.met.append(f"Service {name} is missing")
            return
        ports = [item["port"] for item in service["spec"]["ports"]]
        if port is not None and port not in ports:
            self.met.append(f"Service {name} has no port {port}, only {ports}")
        chosen[name] = service["spec"].get("selector") or {}

    async def _pods(self) -> list[Object]:
        """Labels of those that are available."""
        items, _ = await self._kube.list(DEPLOYMENT, self._namespace)
        running = [item for item in items if (item.get("status") or {}).get("availableReplicas")]
        return [item["spec"]["template"]["metadata"]["labels"] for item in running]


def _upstreams(table: Object) -> Iterator[str]:
    for route in (table.get("spec") or {}).get("routes") or ():
        destinations: list[Any] = ((route.get("routeAction") or {}).get("multi") or {}).get("destinations") or []
        for item in destinations:
            if item.get("weight"):
                yield item["destination"]["upstream"]["name"]
