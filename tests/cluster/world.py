"""A whole canarybus around one namespace of a real API server: each part with its own rights there and on the bus."""

from __future__ import annotations

import asyncio
import math
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nats.aio.client import Client
from nats.aio.subscription import Subscription

from handlers.adapters.kube import Kube, Object
from handlers.adapters.round_trip import round_trip
from schemas.resources import (
    CANARY,
    CONFIG_MAP,
    DEPLOYMENT,
    EVENT,
    HORIZONTAL_POD_AUTOSCALER,
    SCALED_OBJECT,
    SECRET,
    Resource,
)
from tests.cluster.installation import account_kubeconfig
from tests.cluster.standins import Gloo, Prometheus
from tests.deploy.bus import PASSWORDS, deployed_bus, url_of

_PATIENCE = 60.0
"""Seconds until something that should happen is taken for not happening."""
OLD, NEW = "stefanprodan/podinfo:6.0.0", "stefanprodan/podinfo:6.0.1"


@dataclass
class World:
    """``operator`` is a person's connection to the bus, ``dead`` hears its dead letters."""

    kube: Kube
    namespace: str
    gloo: Gloo
    prometheus: Prometheus
    operator: Client
    dead: Subscription

    async def install_podinfo(self, scaled_object: Object | None = None, **more: Any) -> None:
        """The tutorial's application with what it mounts, its scaler (or this one of KEDA) and its Canary.

        ``more`` of the Canary's spec.
        """
        labels = {"app": "podinfo"}
        sources = [{"configMapRef": {"name": "podinfo"}}, {"secretRef": {"name": "podinfo"}}]
        container = {"name": "podinfod", "image": OLD, "ports": [{"containerPort": 9898}], "envFrom": sources}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
        await self._create(CONFIG_MAP, data={"colour": "blue"})
        await self._create(SECRET, stringData={"token": "of-podinfo"})
        await self._create(DEPLOYMENT, spec={"replicas": 2, "selector": {"matchLabels": labels}, "template": template})
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"}
        utilization = {"type": "Utilization", "averageUtilization": 99}
        metrics = [{"type": "Resource", "resource": {"name": "cpu", "target": utilization}}]
        spec = {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 4, "metrics": metrics}
        resource = SCALED_OBJECT if scaled_object else HORIZONTAL_POD_AUTOSCALER
        await self._create(resource, spec=scaled_object["spec"] if scaled_object else spec)
        scaler = {"apiVersion": resource.api_version, "kind": resource.kind, "name": "podinfo"}
        metric = {"name": "request-success-rate", "thresholdRange": {"min": 99}, "interval": "1m"}
        analysis = {"interval": "1s", "threshold": 2, "maxWeight": 50, "stepWeight": 25, "metrics": [metric]}
        await self._create(
            CANARY,
            spec={
                "provider": "gloo",
                "targetRef": target,
                "autoscalerRef": scaler,
                "progressDeadlineSeconds": 60,
                "service": {"port": 9898},
                "analysis": analysis,
                **more,
            },
        )

    async def set_image(self, image: str) -> None:
        body = {"spec": {"template": {"spec": {"containers": [{"name": "podinfod", "image": image}]}}}}
        await self.kube.patch(DEPLOYMENT, self.namespace, "podinfo", body, type="strategic")

    async def hold_at_every_step(self) -> None:
        """No data: neither pass nor failure."""
        self.prometheus.success_rate = math.nan

    async def until(self, *phases: str) -> list[str]:
        """Until the Canary has been in all of ``phases`` and rests in the last; the phases that it went through."""
        seen: list[str] = []

        def rests(status: Object) -> bool:
            phase = str(status.get("phase", ""))
            if seen[-1:] != [phase]:
                seen.append(phase)
            return phase == phases[-1] and bool(status.get("settled")) and set(phases) <= set(seen)

        await self.seen(rests)
        return seen

    async def seen(self, wanted: Callable[[Object], bool]) -> None:
        """Until the status is as ``wanted``; asks about every status that is written meanwhile."""
        item = await self.kube.get(CANARY, self.namespace, "podinfo")
        version = item["metadata"]["resourceVersion"]
        if wanted(item.get("status") or {}):
            return
        try:
            async with asyncio.timeout(_PATIENCE):
                async for event in self.kube.watch(CANARY, self.namespace, resource_version=version):
                    if event.type == "MODIFIED" and wanted(event.object.get("status") or {}):
                        return
        except TimeoutError:
            found = await self.kube.get(CANARY, self.namespace, "podinfo")
            raise AssertionError(f"in vain; the status is {found.get('status')}") from None
        raise AssertionError("the watch ended")

    async def object(self, resource: Resource) -> Object:
        return await self.kube.get(resource, self.namespace, "podinfo")

    async def gone(self, resource: Resource, name: str) -> None:
        """Until there is none of that name."""
        named = f"metadata.name={name}"
        items, version = await self.kube.list(resource, self.namespace, fields=named)
        if not items:
            return
        try:
            async with asyncio.timeout(_PATIENCE):
                watch = self.kube.watch(resource, self.namespace, resource_version=version, fields=named)
                async for event in watch:
                    if event.type == "DELETED":
                        return
        except TimeoutError:
            found = await self.kube.get(resource, self.namespace, name)
            raise AssertionError(f"never goes: {found}") from None
        raise AssertionError("the watch ended")

    async def warnings(self, text: str) -> list[Object]:
        """Events of Canaries with ``text``; waits for the first."""
        selected = "involvedObject.kind=Canary,type=Warning"
        items, version = await self.kube.list(EVENT, self.namespace, fields=selected)
        found = [item for item in items if text in item["message"]]
        async with asyncio.timeout(_PATIENCE):
            watch = self.kube.watch(EVENT, self.namespace, resource_version=version, fields=selected)
            while not found:
                event = await anext(watch)
                found = [event.object] if event.type == "ADDED" and text in event.object["message"] else []
        return found

    async def sees(self, resource: Resource, name: str, wanted: Callable[[Object], bool]) -> Object:
        """The object as soon as it is as ``wanted``."""
        found = await self.kube.get(resource, self.namespace, name)
        if wanted(found):
            return found
        version = found["metadata"]["resourceVersion"]
        try:
            async with asyncio.timeout(_PATIENCE):
                async for event in self.kube.watch(resource, self.namespace, resource_version=version):
                    if event.object["metadata"].get("name") == name and wanted(event.object):
                        return event.object
        except TimeoutError:
            found = await self.kube.get(resource, self.namespace, name)
            raise AssertionError(f"in vain; {resource.kind} {name} is {found}") from None
        raise AssertionError("the watch ended")

    async def dead_letters(self) -> list[str]:
        """Subjects of messages that nobody could work on: a missing right would be found here."""
        await round_trip(self.operator)
        found = []
        while self.dead.pending_msgs:
            found.append((await self.dead.next_msg()).subject)
        return found

    async def image_of(self, deployment: str) -> str:
        item = await self.kube.get(DEPLOYMENT, self.namespace, deployment)
        return str(item["spec"]["template"]["spec"]["containers"][0]["image"])

    async def _create(self, resource: Any, **content: Any) -> None:
        metadata = {"name": "podinfo", "namespace": self.namespace}
        await self.kube.create(resource, {"metadata": metadata, **content})


@asynccontextmanager
async def canarybus(kube: Kube, kubeconfig: str, namespace: str, directory: Path) -> AsyncIterator[World]:
    """Watcher and handlers with the tokens of their ServiceAccounts and their users of the bus."""
    gloo, prometheus = Gloo(kube, namespace), Prometheus()
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        server = stack.enter_context(deployed_bus(directory))
        await enter(gloo.running())
        await enter(prometheus.running())
        for part in ("watcher", "handlers"):
            token = await account_kubeconfig(kubeconfig, part, directory / f"{part}.kubeconfig")
            settings = {
                "KUBECONFIG": str(token),
                "CANARYBUS_NATS_URL": url_of(server, part),
                "CANARYBUS_NAMESPACES": namespace,
                "CANARYBUS_METRICS_SERVER": prometheus.url,
                "CANARYBUS_MIN_INTERVAL": "1s",
                "CANARYBUS_DRAIN": "500ms",
                "CANARYBUS_PORT": "0",
            }
            await enter(_process(part, settings, directory / f"{part}.log"))
        operator = await server.connect(user="operator", password=PASSWORDS["operator"])
        stack.push_async_callback(operator.close)
        dead = await operator.subscribe("canary.dlq.>")
        yield World(kube, namespace, gloo, prometheus, operator, dead)


@asynccontextmanager
async def _process(part: str, settings: dict[str, str], log: Path) -> AsyncIterator[None]:
    """``python -m <part>``, which has to end well when it is told to."""
    with log.open("wb") as words:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", part, env=os.environ | settings, stdout=words, stderr=words
        )
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(_PATIENCE):
                ended = await process.wait()
        except TimeoutError:
            process.kill()
            ended = await process.wait()
        assert ended == 0, f"{part} ended with {ended}: {_end_of(log)}"


def _end_of(log: Path) -> str:
    return log.read_text()[-2000:]
