"""What a person, a pipeline, Gloo and the handlers do to a cluster."""

from __future__ import annotations

from typing import Any

from handlers.adapters.kube import Kube, Object
from schemas.resources import CANARY, DEPLOYMENT, ROUTE_TABLE, SERVICE, TARGETS, UPSTREAM, Resource
from schemas.workload import Workload
from tests.handlers.targets import pushed, target_object

NAMESPACE = "default"
REST: dict[str, Any] = {
    "phase": "Succeeded",
    "settled": True,
    "step": 7,
    "failedChecks": 0,
    "canaryWeight": 0,
    "iterations": 0,
}


class Cluster:
    def __init__(self, kube: Kube) -> None:
        self.kube = kube

    async def create(self, resource: Resource, name: str, spec: Object, **more: Any) -> Object:
        metadata = {"name": name, "namespace": NAMESPACE} | more.pop("metadata", {})
        return await self.kube.create(resource, {"metadata": metadata, "spec": spec, **more})

    async def canary(self, name: str = "podinfo", *, interval: str = "10m", **spec: Any) -> Object:
        """``interval`` is long unless a test wants ticks."""
        wanted = {
            "provider": "gloo",
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "service": {"port": 9898},
            "analysis": {"interval": interval, "threshold": 5, "stepWeight": 10, "maxWeight": 50},
        }
        return await self.create(CANARY, name, wanted | spec)

    async def status(self, name: str = "podinfo", **status: Any) -> Object:
        """As the handlers commit it: what is not named stays."""
        return await self.kube.patch(CANARY, NAMESPACE, name, {"status": status}, subresource="status")

    async def deployment(
        self, name: str = "podinfo", image: str = "stefanprodan/podinfo:6.0.0", replicas: int = 1
    ) -> Object:
        labels = {"app": name}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "podinfod", "image": image}]}}
        spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
        return await self.create(DEPLOYMENT, name, spec)

    async def set_image(self, image: str, name: str = "podinfo") -> Object:
        body = {"spec": {"template": {"spec": {"containers": [{"name": "podinfod", "image": image}]}}}}
        return await self.kube.patch(DEPLOYMENT, NAMESPACE, name, body, type="strategic")

    async def revision(self, name: str = "podinfo", configs: dict[str, str] | None = None) -> str:
        return Workload(await self.kube.get(DEPLOYMENT, NAMESPACE, name)).revision(configs)

    async def service(self, name: str = "podinfo") -> Object:
        return await self.create(SERVICE, name, {"selector": {"app": name}, "ports": [{"port": 9898}]})

    async def route_table(self, name: str = "podinfo", weight: int = 0) -> Object:
        return await self.create(ROUTE_TABLE, name, routes(weight))

    async def set_weight(self, weight: int, name: str = "podinfo") -> Object:
        return await self.kube.patch(ROUTE_TABLE, NAMESPACE, name, {"spec": routes(weight)})

    async def report(self, state: str = "Accepted", name: str = "podinfo", proxy: str | None = "Accepted") -> Object:
        """As Gloo does: into the object itself, there is no status subresource."""
        report: dict[str, Any] = {"state": state, "reportedBy": "gloo"}
        if proxy:
            report["subresourceStatuses"] = {"*v1.Proxy.gateway-proxy_gloo-system": {"state": proxy}}
        return await self.kube.patch(ROUTE_TABLE, NAMESPACE, name, {"status": {"statuses": {"gloo-system": report}}})

    async def of_kind(self, kind: str) -> Object:
        """A Canary at rest on a target of that kind, both called podinfo."""
        resource = TARGETS[kind]
        await self.kube.create(resource, target_object(kind, namespace=NAMESPACE))
        ref = {"apiVersion": resource.api_version, "kind": kind, "name": "podinfo"}
        canary = await self.canary(targetRef=ref)
        return await self._rest(canary, Workload(await self.kube.get(resource, NAMESPACE, "podinfo")).revision())

    async def push(self, kind: str, image: str) -> Object:
        return await self.kube.patch(TARGETS[kind], NAMESPACE, "podinfo", pushed(kind, image), type="strategic")

    async def at_rest(self, name: str = "podinfo") -> Object:
        """A Canary whose rollout has ended, with its target."""
        canary = await self.canary(name)
        await self.deployment(name, replicas=0)
        return await self._rest(canary, await self.revision(name))

    async def surrounded(self) -> Object:
        """At rest, with everything around it; gives the fields of its status that say so."""
        await self.at_rest()
        await self.deployment("podinfo-primary")
        await self.route_table()
        for name in ("podinfo", "podinfo-primary", "podinfo-canary"):
            await self.service(name)
        for role in ("primary", "canary"):
            await self.create(UPSTREAM, f"default-podinfo-{role}upstream-9898", {})
        made: dict[str, Any] = {"phase": "Succeeded", "routeStep": 7, "surroundingsOwed": 0}
        await self.status(**made)
        return made

    async def _rest(self, canary: Object, revision: str) -> Object:
        name = canary["metadata"]["name"]
        return await self.status(
            name,
            **REST,
            observedGeneration=canary["metadata"]["generation"],
            lastAppliedSpec=revision,
            canaryRevision=revision,
            primaryRevision=revision,
            promotedRevision=revision,
        )


def routes(weight: int) -> Object:
    def upstream(role: str, share: int) -> Object:
        name = f"default-podinfo-{role}upstream-9898"
        return {"destination": {"upstream": {"name": name, "namespace": NAMESPACE}}, "weight": share}

    destinations = [upstream("primary", 100 - weight), upstream("canary", weight)]
    return {"routes": [{"matchers": [{"prefix": "/"}], "routeAction": {"multi": {"destinations": destinations}}}]}
