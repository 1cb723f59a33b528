"""A podinfo that reads a ConfigMap and a Secret, and what people do to them."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

from handlers.adapters.kube import Object
from schemas.events import ChangeReason
from schemas.resources import CONFIG_MAP, CONTROLLER_REVISION, POD, SECRET, TARGETS, Resource
from tests.handlers.house import NAMESPACE, House, deployment

PASSWORD = "correct-horse-battery-staple"
READS = {
    "envFrom": [{"configMapRef": {"name": "colours"}}],
    "env": [{"name": "P", "valueFrom": {"secretKeyRef": {"name": "login", "key": "password"}}}],
}


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def reading(name: str = "podinfo", kind: str = "Deployment", **container: Any) -> Object:
    """A target whose container reads what ``container`` says."""
    item = deployment(name=name)
    if kind == "DaemonSet":
        del item["spec"]["replicas"]
    item["spec"]["template"]["spec"]["containers"][0] |= container or READS
    return item


class Configured:
    """``config`` and ``secret`` create or edit; nobody is told of it."""

    def __init__(self, house: House) -> None:
        self.house = house

    async def prepare(self, target: Object | None = None, kind: str = "Deployment", **spec: Any) -> None:
        house = self.house
        house.resource = TARGETS[kind]
        spec.setdefault("targetRef", {"apiVersion": "apps/v1", "kind": kind, "name": "podinfo"})
        await house.definitions()
        await self.config("colours", {"colour": "blue"}, binaryData={"logo": "AAEC"})
        await self.secret("login", PASSWORD)
        await house.admin.create(house.resource, target or reading(kind=kind))
        await house.ready("podinfo")
        await house.canary(**spec)

    async def config(self, name: str, data: dict[str, str], annotations: Any = None, **more: Any) -> None:
        await self._put(CONFIG_MAP, name, {"data": data, **more}, annotations)

    async def secret(self, name: str, password: str, **more: Any) -> None:
        await self._put(SECRET, name, {"type": "Opaque", "data": {"password": encoded(password)}, **more}, None)

    async def _put(self, resource: Any, name: str, content: Object, annotations: Any) -> None:
        body = {"metadata": {"name": name, "namespace": NAMESPACE, "annotations": annotations or {}}, **content}
        if await self.house.admin.find(resource, NAMESPACE, name):
            await self.house.admin.replace(resource, body)
        else:
            await self.house.admin.create(resource, body)

    async def recolour(self, colour: str, *, announce: bool = True) -> None:
        await self.house.admin.patch(CONFIG_MAP, NAMESPACE, "colours", {"data": {"colour": colour}})
        if announce:
            await self.house.change(ChangeReason.REVISION)

    async def colour(self, name: str = "colours-primary") -> str:
        return str((await self.house.object(CONFIG_MAP, name))["data"]["colour"])

    async def read_by(self, deployment: str = "podinfo-primary") -> Object:
        """What its container reads."""
        found = await self.house.object(self.house.resource, deployment)
        container = found["spec"]["template"]["spec"]["containers"][0]
        return {key: container[key] for key in ("envFrom", "env") if key in container}

    async def pods(self, app: str = "podinfo") -> set[str]:
        """Uids of those that are to stay."""
        found, _ = await self.house.admin.list(POD, NAMESPACE, labels=f"app={app}")
        return {item["metadata"]["uid"] for item in found if "deletionTimestamp" not in item["metadata"]}

    async def gone(self, resource: Resource, name: str) -> None:
        """Deleted, if it ever was there; the garbage collector takes its time."""
        async with asyncio.timeout(10):
            while await self.house.admin.find(resource, NAMESPACE, name):
                await asyncio.sleep(0.01)

    async def kept(self) -> dict[str, list[str]]:
        """Contents in snapshots, by the name of the ControllerRevision that owns them."""
        revisions, _ = await self.house.admin.list(CONTROLLER_REVISION, NAMESPACE)
        kept: dict[str, list[str]] = {item["metadata"]["name"]: [] for item in revisions}
        for resource in (CONFIG_MAP, SECRET):
            for item in (await self.house.admin.list(resource, NAMESPACE))[0]:
                for owner in item["metadata"].get("ownerReferences") or ():
                    if owner["kind"] == "ControllerRevision":
                        kept.setdefault(owner["name"], []).append(str(item["data"]))
        return kept
