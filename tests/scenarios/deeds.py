"""What other hands do on the cluster."""

from __future__ import annotations

from typing import Any

from handlers.adapters.kube import Object
from schemas import resources
from schemas.gloo import ROUTE_STEP
from schemas.resources import CANARY, CONTROLLER_REVISION, DEPLOYMENT, METRIC_TEMPLATE, ROUTE_TABLE, SERVICE, Resource
from tests.scenarios.manifest import deep
from tests.scenarios.place import PRIMARY, TARGET, Place
from tests.scenarios.routes import copied_for_admin
from tests.scenarios.surroundings import Answers

KINDS = {found.kind: found for found in vars(resources).values() if isinstance(found, Resource)}


class Deeds:
    """Names that begin with ``test-`` speak of the scenario's namespace."""

    def __init__(self, house: Place, answers: Answers) -> None:
        self.house, self.answers = house, answers
        self.gone: Object | None = None

    def place(self, text: str) -> tuple[Resource, str]:
        """``Kind/name``."""
        kind, _, name = text.partition("/")
        if name.startswith("test-"):
            name = self.house.namespace + name.removeprefix("test")
        return KINDS[kind], name

    async def apply(self, item: dict[str, Any]) -> None:
        """Made, or changed: what is not written stays, null takes away."""
        resource, name = self.place(f"{item['kind']}/{item['metadata']['name']}")
        found = await self.house.admin.find(resource, self.house.namespace, name)
        if found is not None:
            await self.house.admin.patch(resource, self.house.namespace, name, item)
            return
        metadata = {**item["metadata"], "name": name, "namespace": self.house.namespace}
        if resource is METRIC_TEMPLATE:
            item = deep(item, {"spec": {"provider": {"address": self.answers.url}}})
        await self.house.admin.create(resource, {**item, "metadata": metadata})

    async def remove(self, text: str) -> None:
        resource, name = self.place(text)
        await self.house.admin.delete(resource, self.house.namespace, name)

    async def second_canary(self, who: str) -> None:
        """The other is made again after it: they are as old, in whole seconds, or it is the older one by its age."""
        admin, namespace = self.house.admin, self.house.namespace
        if who == "gone":
            await admin.delete(CANARY, namespace, "a-first")
            return
        spec = (await self.house.object(CANARY, "podinfo"))["spec"]
        await admin.create(CANARY, {"metadata": {"name": "a-first", "namespace": namespace}, "spec": spec})
        await admin.delete(CANARY, namespace, "podinfo")
        again = {"metadata": {"name": "podinfo", "namespace": namespace}, "spec": spec}
        self.house.uid = (await admin.create(CANARY, again))["metadata"]["uid"]

    async def somebody(self, deed: str) -> None:
        admin, namespace = self.house.admin, self.house.namespace
        match deed.split():
            case ["deletes", "the", "RouteTable"]:
                await admin.delete(ROUTE_TABLE, namespace, "podinfo")
            case ["deletes", "the", "primary"]:
                await admin.delete(DEPLOYMENT, namespace, PRIMARY)
            case ["deletes", "the", "target"]:
                self.gone = await admin.get(DEPLOYMENT, namespace, TARGET)
                await admin.delete(DEPLOYMENT, namespace, TARGET)
            case ["restores", "the", "target"]:
                await admin.create(DEPLOYMENT, _applied_again(self.gone))
            case ["makes", "the", "metric", "template", name]:
                provider = {"type": "prometheus", "address": self.answers.url}
                made = {
                    "metadata": {"name": name, "namespace": namespace},
                    "spec": {"provider": provider, "query": "template-query"},
                }
                await admin.create(METRIC_TEMPLATE, made)
            case ["makes", "a", "Service", *_]:
                spec = {"selector": {"app": TARGET}, "ports": [{"name": "http", "port": 9898}]}
                made = {"metadata": {"name": "podinfo", "namespace": namespace}, "spec": spec}
                await admin.create(SERVICE, made)
            case ["deletes", "the", "snapshots"]:
                for name in await self.house.snapshots():
                    await admin.delete(CONTROLLER_REVISION, namespace, name)
            case _:
                await self._hands_on(deed)

    async def _hands_on(self, deed: str) -> None:
        admin, namespace = self.house.admin, self.house.namespace
        routes = (await self.house.object(ROUTE_TABLE, "podinfo"))["spec"]["routes"]
        edited = {"spec": {"template": {"spec": {"containers": [{"name": "podinfod", "image": "podinfo:edited"}]}}}}
        match deed:
            case "edits the RouteTable":
                shares = routes[0]["routeAction"]["multi"]["destinations"]
                shares[0]["weight"], shares[1]["weight"] = 12, 88
                await admin.patch(ROUTE_TABLE, namespace, "podinfo", {"spec": {"routes": routes}})
            case "labels the RouteTable":
                await admin.patch(ROUTE_TABLE, namespace, "podinfo", {"metadata": {"labels": {"owner": "somebody"}}})
            case "adds options to the route":
                routes[0]["options"] = {"timeout": "3s"}
                await admin.patch(ROUTE_TABLE, namespace, "podinfo", {"spec": {"routes": routes}})
            case "copies the route for /admin":
                copy = copied_for_admin(routes[0])
                await admin.patch(ROUTE_TABLE, namespace, "podinfo", {"spec": {"routes": [copy, *routes, copy]}})
            case "empties the RouteTable":
                await admin.patch(ROUTE_TABLE, namespace, "podinfo", {"spec": {"routes": None}})
            case "copies a fence to the RouteTable":
                fence = {"annotations": {ROUTE_STEP: "9999"}}
                await admin.patch(ROUTE_TABLE, namespace, "podinfo", {"metadata": fence})
            case "edits the primary":
                await admin.patch(DEPLOYMENT, namespace, PRIMARY, edited, type="strategic")
            case "scales the target to 0":
                await admin.patch(DEPLOYMENT, namespace, TARGET, {"spec": {"replicas": 0}})
            case "scales the primary to 3":
                await admin.patch(DEPLOYMENT, namespace, PRIMARY, {"spec": {"replicas": 3}})
            case _:
                raise AssertionError(f"nobody knows how somebody {deed}")


def _applied_again(gone: Object | None) -> Object:
    assert gone is not None, "nobody has deleted it"
    metadata = {key: gone["metadata"][key] for key in ("name", "namespace")}
    metadata["annotations"] = {
        key: text
        for key, text in (gone["metadata"].get("annotations") or {}).items()
        if "deployment.kubernetes" not in key
    }
    return {"metadata": metadata, "spec": gone["spec"]}
