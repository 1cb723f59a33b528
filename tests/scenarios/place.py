"""The handlers in a namespace of their own, by the scenario's clock."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from handlers.adapters.kube import Access, Object
from schemas.base import format_time
from schemas.resources import DEPLOYMENT, ROUTE_TABLE, Resource
from tests.handlers.house import House
from tests.handlers.neighbours import CountingKube
from tests.scenarios.surroundings import Pods

TARGET, PRIMARY = "podinfo", "podinfo-primary"


class Watch(CountingKube):
    """Deployments say since when they are not available by the real clock; here they say it by the scenario's."""

    def __init__(self, access: Access, **options: Any) -> None:
        super().__init__(access, **options)
        self.away_since: dict[str, datetime] = {}

    async def find(self, resource: Resource, namespace: str, name: str) -> Object | None:
        found = await super().find(resource, namespace, name)
        if found is not None and resource is DEPLOYMENT and name in self.away_since:
            for condition in found["status"].get("conditions") or ():
                condition["lastUpdateTime"] = format_time(self.away_since[name])
        return found


class Place(House):
    """A house in a namespace of its own, whose pods are as a scenario says."""

    def __init__(self, kube: Watch, *rest: Any) -> None:
        super().__init__(kube, *rest)
        self.pods = Pods(self.admin, self.namespace)
        self.away_since = kube.away_since
        self.service = TARGET
        """The name that users call, and that of the RouteTable."""

    async def route(self) -> Object | None:
        """The RouteTable; that of the old name for as long as there is no other."""
        tables, _ = await self.admin.list(ROUTE_TABLE, self.namespace)
        named = [table for table in tables if table["metadata"]["name"] == self.service]
        return next(iter(named or tables), None)

    async def report(self) -> None:
        """Gloo speaks about all tables that it has."""
        for table in (await self.admin.list(ROUTE_TABLE, self.namespace))[0]:
            await self.gloo(table["metadata"]["name"])

    async def catch_up(self) -> None:
        await self.report()
        await self.pods.settle()
        for name in (TARGET, PRIMARY):
            if name in self.pods.away:
                self.away_since.setdefault(name, self.now)
            else:
                self.away_since.pop(name, None)
