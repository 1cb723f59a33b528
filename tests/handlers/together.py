"""Watcher and handlers at work together on a real bus and an API server; nobody wakes anybody but they themselves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

import orjson
from nats.aio.subscription import Subscription
from prometheus_client import CollectorRegistry

from deploy.sandbox.kube import EmbeddedKubernetes
from handlers.adapters.kube import Access, Kube, Object
from handlers.app import App
from schemas.canary import Canary
from schemas.gloo import Verdict, read_report
from schemas.resources import CANARY, DEPLOYMENT, ROUTE_TABLE, UPSTREAM, Resource
from schemas.settings import Settings
from schemas.status import CanaryStatus
from tests.handlers.house import NAMESPACE, House
from watcher.app import Watcher

PATIENCE = 8.0
"""Seconds until a story counts as stuck."""


class Together:
    """What people do, and what they see. ``seen`` are all statuses of all canaries, in the order of their commits."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.gloo = Gloo(house.admin)
        self.seen: list[tuple[str, CanaryStatus]] = []
        self.handlers: Callable[[], AbstractAsyncContextManager[object]]
        self.watcher: Callable[[], AbstractAsyncContextManager[object]]
        self._news = asyncio.Condition()

    async def follow(self) -> None:
        """Until cancelled: every status that is written."""
        _, version = await self.house.admin.list(CANARY, NAMESPACE)
        async for event in self.house.admin.watch(CANARY, NAMESPACE, resource_version=version):
            if event.type in ("ADDED", "MODIFIED"):
                canary = Canary.from_object(event.object)
                async with self._news:
                    self.seen.append((canary.metadata.name, canary.status))
                    self._news.notify_all()

    async def until(
        self, enough: Callable[[CanaryStatus], Any], *, name: str = "podinfo", seconds: float = PATIENCE
    ) -> CanaryStatus:
        """The first status from now on (the present one included) that is as wanted."""
        found: list[CanaryStatus] = []
        begin = max((number for number, (its, _) in enumerate(self.seen) if its == name), default=0)

        def arrived() -> bool:
            found[:] = [status for its, status in self.seen[begin:] if its == name and enough(status)]
            return bool(found)

        async with self._news:
            try:
                async with asyncio.timeout(seconds):
                    await self._news.wait_for(arrived)
            except TimeoutError:
                last = [status for its, status in self.seen if its == name][-1:]
                raise AssertionError(f"stuck: {[one.model_dump(exclude_defaults=True) for one in last]}") from None
        return found[0]

    async def exists(self, resource: Resource, name: str, enough: Callable[[Object], Any] = bool) -> Object:
        """The object, once it is there and as wanted."""
        items, version = await self.house.admin.list(resource, NAMESPACE)
        for item in items:
            if item["metadata"]["name"] == name and enough(item):
                return item
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                async for event in self.house.admin.watch(resource, NAMESPACE, resource_version=version):
                    found = event.type in ("ADDED", "MODIFIED") and event.object["metadata"]["name"] == name
                    if found and enough(event.object):
                        return event.object
        raise AssertionError(f"no {resource.kind} {name} as wanted: {(await self.house.status()).last_step}")

    async def edit(self, **spec: Any) -> None:
        await self.house.admin.patch(CANARY, NAMESPACE, "podinfo", {"spec": spec})

    async def calm(self, **spec: Any) -> None:
        """Edit the Canary, and go on when that was acted upon, and noted: what is owed yet is not missed."""
        await self.edit(**spec)
        generation = (await self.house.object(CANARY, "podinfo"))["metadata"]["generation"]

        def is_calm(status: CanaryStatus) -> bool:
            return status.observed_generation == generation and not (status.waiting_for or status.surroundings_owed)

        await self.until(is_calm)

    async def tells(self, reason: str, heard: Subscription) -> None:
        """Until the watcher has told of a change for that reason; ``heard`` since before it could."""
        while orjson.loads((await heard.next_msg(timeout=PATIENCE)).data)["reason"] != reason:
            continue

    async def scale(self, name: str, replicas: int) -> None:
        await self.house.admin.patch(DEPLOYMENT, NAMESPACE, name, {"spec": {"replicas": replicas}})


class Gloo:
    """Reports on routes as the real one does: when they are written, and when an upstream that they name comes or goes.

    ``says`` is what it reports; None: it says nothing.
    """

    def __init__(self, kube: Kube) -> None:
        self.kube = kube
        self.says: str | None = "Accepted"

    async def run(self) -> None:
        await asyncio.gather(self._follow(ROUTE_TABLE), self._follow(UPSTREAM))

    async def _follow(self, resource: Resource) -> None:
        _, version = await self.kube.list(resource, NAMESPACE)
        async for _ in self.kube.watch(resource, NAMESPACE, resource_version=version):
            await self.report()

    async def report(self) -> None:
        upstreams, _ = await self.kube.list(UPSTREAM, NAMESPACE)
        there = {item["metadata"]["name"] for item in upstreams}
        tables, _ = await self.kube.list(ROUTE_TABLE, NAMESPACE)
        for table in tables:
            missing = _named(table) - there
            state = "Warning" if missing else self.says
            if state is None or read_report(table).verdict is Verdict(state.lower()):
                continue
            proxy = {"state": state, "reason": "" if state == "Accepted" else f"not found: {sorted(missing)}"}
            report = {"state": "Accepted", "reportedBy": "gloo", "subresourceStatuses": {"*v1.Proxy.gateway": proxy}}
            body = {"status": {"statuses": {"gloo-system": report}}}
            await self.kube.patch(ROUTE_TABLE, NAMESPACE, table["metadata"]["name"], body)


def _named(table: Object) -> set[str]:
    routes = (table.get("spec") or {}).get("routes") or ()
    destinations = [item for route in routes for item in route["routeAction"]["multi"]["destinations"]]
    return {item["destination"]["upstream"]["name"] for item in destinations}


@asynccontextmanager
async def surroundings(house: House, kubernetes: EmbeddedKubernetes, **changed: Any) -> AsyncIterator[Together]:
    """Without watcher and handlers, which come and go. ``KUBECONFIG`` must name the API server already."""
    await house.definitions()
    url = house.bus.client.connected_url
    assert url is not None
    # a resync would do what a story waits for
    fixed = {"nats_url": (url.geturl(),), "port": 0, "workers": 2, "min_interval": 0.2, "resync": 86400}
    settings: Settings = house.settings.model_copy(update=fixed | changed)
    people = Together(house)
    people.handlers = lambda: App(settings)
    people.watcher = lambda: _watching(settings, kubernetes)
    async with _meanwhile(people.gloo.run(), people.follow()):
        yield people


@asynccontextmanager
async def together(house: House, kubernetes: EmbeddedKubernetes, **changed: Any) -> AsyncIterator[Together]:
    """All of them, all the time."""
    async with surroundings(house, kubernetes, **changed) as people, people.watcher(), people.handlers():
        yield people


@asynccontextmanager
async def _watching(settings: Settings, kubernetes: EmbeddedKubernetes) -> AsyncIterator[None]:
    async with Kube(Access(kubernetes.url), user_agent="canarybus-watcher") as kube:
        watcher = Watcher(settings, kube, CollectorRegistry(), check_every=0.2)
        async with _meanwhile(watcher.run()):
            async with asyncio.timeout(PATIENCE):
                await watcher.ready()
            yield


@asynccontextmanager
async def _meanwhile(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(one) for one in work]
        try:
            yield
        finally:
            for task in running:
                task.cancel()
