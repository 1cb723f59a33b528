"""The handlers' inside on real neighbours: the Kubernetes API, a nats-server, an HTTP server that is asked.

Wakes are called directly, so that a test decides what meets what; time is the test's own.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import yaml
from prometheus_client import CollectorRegistry

from handlers.adapters.alerts import Alerts
from handlers.adapters.bus import Bus
from handlers.adapters.errors import AlreadyExists, NotFound
from handlers.adapters.kube import Kube, Object
from handlers.adapters.metrics import Providers
from handlers.adapters.outcomes import Outcomes
from handlers.adapters.webhooks import Webhooks
from handlers.advance import Advance
from handlers.alerting import Alerting
from handlers.ask import Asker
from handlers.measure import Measurer
from handlers.notify import Notifier
from handlers.observe import Observer
from schemas.canary import Canary, Ref
from schemas.events import Change, ChangeReason, Command, Reply, StepResult, Stimulus, Tick, Verb
from schemas.resources import (
    CANARY,
    CONTROLLER_REVISION,
    CUSTOM_RESOURCE_DEFINITION,
    DEPLOYMENT,
    ROUTE_TABLE,
    SERVICE,
    TARGETS,
    Resource,
)
from schemas.settings import Settings
from schemas.status import CanaryStatus, Phase
from schemas.workload import Workload
from tests.handlers.neighbours import Answering, CountingKube
from tests.handlers.targets import image_of, pushed, target_object

ROOT = Path(__file__).resolve().parents[2]
NAMESPACE = "default"
REF = Ref(NAMESPACE, "podinfo")


class House:
    """``tick()``, ``change()``, ``command()`` are wakes; ``gloo()`` lets the gateway speak."""

    def __init__(
        self,
        kube: CountingKube,
        admin: Kube,
        bus: Bus,
        answering: Answering,
        settings: Settings,
        namespace: str = NAMESPACE,
    ) -> None:
        self.kube, self.admin, self.bus, self.answering, self.settings = kube, admin, bus, answering, settings
        self.namespace, self.ref = namespace, Ref(namespace, "podinfo")
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.http = httpx.AsyncClient()
        self.uid = ""
        self.gateway: str | None = "Accepted"
        self.delegated = {"podinfo"}
        """RouteTables that a VirtualService delegates to: the gateway speaks about no others."""
        self.workloads = ["podinfo", "podinfo-primary"]
        self.resource = DEPLOYMENT
        """What the target is."""
        self.registry = CollectorRegistry()
        self.outcomes = Outcomes(self.registry)
        self.advance = self.worker()
        self._numbers = iter(range(1, 10_000))

    def neighbour(self, name: str) -> House:
        """The same cluster around another Canary."""
        other = House(self.kube, self.admin, self.bus, self.answering, self.settings, self.namespace)
        other.ref, other.workloads, other.delegated = Ref(self.namespace, name), self.workloads, self.delegated
        return other

    def worker(self, kube: Kube | None = None) -> Advance:
        """Another process: the same code, nothing shared but the outside."""
        mine = kube or self.kube
        providers = Providers(self.http, mine, self.bus.client)
        asker = Asker(Measurer(mine, providers, self.settings), Webhooks(self.http))
        observer = Observer(mine, self.settings, clock=lambda: self.now)
        return Advance(mine, self.bus, asker, self.settings, observer=observer, count=self.outcomes.step)

    def notifier(self, event_webhook: str = "", **settings: Any) -> Notifier:
        mine = self.settings.model_copy(update=settings)
        alerting = Alerting(self.admin, Alerts(self.http), mine, self.outcomes.alert)
        return Notifier(self.admin, self.bus, Webhooks(self.http), alerting, event_webhook)

    async def prepare(
        self, kind: str = "Deployment", *, replicas: int = 1, labels: dict[str, str] | None = None, **spec: Any
    ) -> None:
        """``labels`` of the target's pods beside the usual one."""
        self.resource = TARGETS[kind]
        spec.setdefault("targetRef", {"apiVersion": self.resource.api_version, "kind": kind, "name": "podinfo"})
        await self.definitions()
        target = target_object(kind, namespace=self.namespace, replicas=replicas)
        if labels:
            target["spec"]["template"]["metadata"]["labels"] |= labels
        await self.admin.create(self.resource, target)
        await self.ready("podinfo")
        await self.canary(**spec)

    async def definitions(self) -> None:
        for path in [*(ROOT / "deploy" / "crds").glob("*.yaml"), ROOT / "deploy/sandbox/manifests/gloo-crds.yaml"]:
            for item in yaml.load_all(path.read_text(), yaml.CSafeLoader):
                if item and item.get("kind") == "CustomResourceDefinition":
                    await self._definition(item)

    async def _definition(self, item: Object) -> None:
        try:
            await self.admin.create(CUSTOM_RESOURCE_DEFINITION, item)
        except AlreadyExists:
            return

    async def canary(self, **spec: Any) -> None:
        wanted = canary_object(self.namespace, **spec)
        wanted["metadata"]["name"] = self.ref.name
        made = await self.admin.create(CANARY, wanted)
        self.uid = made["metadata"]["uid"]

    async def ready(self, name: str, timeout: float = 10) -> None:  # noqa: ASYNC109 - for a person who waits
        """The pods are available; asked again and again, the API has no other way to say it."""
        async with asyncio.timeout(timeout):
            while True:
                found = await self.admin.find(self.resource, self.namespace, name)
                if found is not None:
                    workload = Workload(found)
                    state = workload.readiness(threshold=100, deadline=600, now=datetime.now(UTC))
                    if (state.ready or workload.frozen is not None) and workload.available == workload.replicas:
                        return
                await asyncio.sleep(0.01)

    async def gloo(self, name: str = "podinfo") -> None:
        """The gateway reports on routes that have no report yet."""
        found = await self.admin.find(ROUTE_TABLE, self.namespace, name)
        if found is None or self.gateway is None or (found.get("status") or {}).get("statuses"):
            return
        proxy = {"state": self.gateway, "reason": "" if self.gateway == "Accepted" else "its words"}
        report = {"state": "Accepted", "reportedBy": "gloo", "subresourceStatuses": {"*v1.Proxy.gateway": proxy}}
        with suppress(NotFound):  # garbage collection may be quicker
            await self.admin.patch(ROUTE_TABLE, self.namespace, name, {"status": {"statuses": {"gloo-system": report}}})

    # ---- wakes

    async def wake(self, stimulus: Stimulus, worker: Advance | None = None) -> Reply:
        return await (worker or self.advance)(self.ref, stimulus)

    async def tick(self, times: int = 1, *, worker: Advance | None = None) -> Reply:
        """A whole interval later; pods and gateway have had their time before it."""
        for _ in range(times):
            await self.catch_up()
            self.now += timedelta(seconds=10)
            reply = await self.wake(self.slot(), worker)
        return reply

    def slot(self) -> Tick:
        return Tick(namespace=self.namespace, name=self.ref.name, uid=self.uid, slot=self.now, interval=10)

    async def change(self, reason: ChangeReason = ChangeReason.READY, worker: Advance | None = None) -> Reply:
        await self.catch_up()
        self.now += timedelta(seconds=1)
        number = str(next(self._numbers))
        change = Change(namespace=self.namespace, name=self.ref.name, uid=self.uid, reason=reason, version=number)
        return await self.wake(change, worker)

    async def command(self, verb: str, worker: Advance | None = None, **body: str) -> Reply:
        self.now += timedelta(seconds=1)
        body.setdefault("id", f"c{next(self._numbers)}")
        return await self.wake(Command(namespace=self.namespace, name=self.ref.name, verb=Verb(verb), **body), worker)

    async def catch_up(self) -> None:
        for table in self.delegated:
            await self.gloo(table)
        for name in self.workloads:
            if await self.admin.find(self.resource, self.namespace, name):
                await self.ready(name)

    async def until(self, phase: Phase, *, settled: bool = True, most: int = 30) -> None:
        for _ in range(most):
            status = await self.status()
            if status.phase is phase and (status.settled or not settled):
                return
            await self.tick()
        status = await self.status()
        raise AssertionError(f"never {phase}: {status.phase}, {status.last_step}")

    async def initialized(self) -> None:
        await self.change(ChangeReason.SPEC)
        await self.until(Phase.INITIALIZED)

    async def push(self, image: str, *, announce: bool = True) -> None:
        body = pushed(self.resource.kind, image)
        await self.admin.patch(self.resource, self.namespace, "podinfo", body, type="strategic")
        if announce:
            await self.change(ChangeReason.REVISION)

    # ---- what is to be seen

    async def status(self) -> CanaryStatus:
        return Canary.from_object(await self.object(CANARY, self.ref.name)).status

    async def strange(self) -> None:
        """A newer release writes the status."""
        body = {"status": {"returning": {"phase": "Landing"}}}
        await self.admin.patch(CANARY, self.namespace, self.ref.name, body, subresource="status")

    async def object(self, resource: Resource, name: str) -> Object:
        return await self.admin.get(resource, self.namespace, name)

    async def weight(self) -> int:
        route = await self.object(ROUTE_TABLE, "podinfo")
        return int(route["spec"]["routes"][0]["routeAction"]["multi"]["destinations"][1]["weight"])

    async def replicas(self, name: str = "podinfo") -> int:
        return Workload(await self.object(self.resource, name)).replicas

    async def image(self, name: str = "podinfo-primary") -> str:
        return image_of(await self.object(self.resource, name))

    async def selector(self, name: str) -> dict[str, str]:
        return dict((await self.object(SERVICE, name))["spec"]["selector"])

    async def snapshots(self) -> list[str]:
        found, _ = await self.admin.list(CONTROLLER_REVISION, self.namespace)
        return [item["metadata"]["name"] for item in found]

    async def results(self) -> list[StepResult]:
        """Everything told so far, in order."""
        info = await self.bus.js.stream_info("CANARY_RESULTS")
        found = []
        for number in range(info.state.first_seq, info.state.last_seq + 1):
            message = await self.bus.js.get_msg("CANARY_RESULTS", number)
            found.append(StepResult.model_validate_json(message.data or b""))
        return found


def deployment(
    replicas: int = 1, image: str = "podinfo:1", name: str = "podinfo", *, namespace: str = NAMESPACE
) -> Object:
    made = target_object("Deployment", namespace=namespace, replicas=replicas, image=image)
    labels = {"app": name}
    made["spec"]["template"]["metadata"]["labels"] = dict(labels)
    made["spec"]["selector"]["matchLabels"] = labels
    return {**made, "metadata": {"name": name, "namespace": namespace}}


def canary_object(namespace: str = NAMESPACE, /, **spec: Any) -> Object:
    analysis = {"interval": "10s", "threshold": 2, "maxWeight": 50, "stepWeight": 25, **spec.pop("analysis", {})}
    wanted = {
        "provider": "gloo",
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
        "service": {"port": 9898},
        "analysis": {key: value for key, value in analysis.items() if value is not None},
    }
    return {"metadata": {"name": "podinfo", "namespace": namespace}, "spec": {**wanted, **spec}}
