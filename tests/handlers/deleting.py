"""A Canary that is deleted: how, until when, and what must be left of it all."""

from __future__ import annotations

from typing import Any, Literal

from handlers.adapters.kube import Object
from schemas.events import ChangeReason
from schemas.resources import CANARY, CONTROLLER_REVISION, DEPLOYMENT, ROUTE_TABLE, SERVICE, UPSTREAM, Resource
from tests.handlers.house import NAMESPACE, House

METADATA = {"name": "podinfo", "namespace": NAMESPACE}
Policy = Literal["Background", "Foreground"]
KEEPER = "podinfo-revert-on-deletion"
STAYS: list[tuple[Resource, str]] = [
    (ROUTE_TABLE, "podinfo"),
    (UPSTREAM, "default-podinfo-canaryupstream-9898"),
    (SERVICE, "podinfo-canary"),
    (SERVICE, "podinfo"),
]
GOES: list[tuple[Resource, str]] = [
    (DEPLOYMENT, "podinfo-primary"),
    (SERVICE, "podinfo-primary"),
    (UPSTREAM, "default-podinfo-primaryupstream-9898"),
    (CONTROLLER_REVISION, KEEPER),
]


async def at_rest(house: House, **spec: Any) -> None:
    await house.prepare(replicas=2, **{"revertOnDeletion": True, **spec})
    await house.initialized()
    assert await house.replicas() == 0


async def delete(house: House, policy: Policy = "Background") -> None:
    """As ``kubectl delete --cascade`` does."""
    await house.admin.delete(CANARY, NAMESPACE, "podinfo", policy=policy)


async def canary(house: House) -> Object | None:
    return await house.admin.find(CANARY, NAMESPACE, "podinfo")


async def gone(house: House, most: int = 12) -> None:
    """Wakes until the Canary is gone."""
    await house.change(ChangeReason.DELETED)
    for _ in range(most):
        if await canary(house) is None:
            return
        await house.tick()
    raise AssertionError(f"never goes: {await house.status()}")


async def assert_restored(house: House) -> None:
    for resource, name in STAYS:
        metadata = (await house.object(resource, name))["metadata"]
        assert "ownerReferences" not in metadata, name
        assert not [mark for mark in metadata.get("annotations") or {} if mark.startswith("canarybus.dev/")], name
    for resource, name in GOES:
        assert await house.admin.find(resource, NAMESPACE, name) is None, name
    destinations = (await house.object(ROUTE_TABLE, "podinfo"))["spec"]["routes"][0]["routeAction"]["multi"]
    assert [item["destination"]["upstream"]["name"] for item in destinations["destinations"]] == [STAYS[1][1]]
    for service in ("podinfo", "podinfo-canary"):
        assert await house.selector(service) == {"app": "podinfo"}
    target = await house.object(DEPLOYMENT, "podinfo")
    assert target["spec"]["replicas"] == target["status"]["availableReplicas"] == 2
    assert "canarybus.dev/target-step" not in (target["metadata"].get("annotations") or {})
