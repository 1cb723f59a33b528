"""A Canary at rest whose names are edited: until everything has its new name, and what there is by then."""

from __future__ import annotations

from typing import Any

from schemas.events import ChangeReason
from schemas.resources import CANARY, DEPLOYMENT, ROUTE_TABLE, SERVICE, Resource
from schemas.status import Phase
from tests.handlers.house import NAMESPACE, House, deployment
from tests.handlers.users import Users

OTHER = {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "other"}}


async def at_rest(house: House, **spec: Any) -> Users:
    """The users come from now on, at every call that the handlers make."""
    house.settings = house.settings.model_copy(update={"drain": 5})
    house.advance = house.worker()
    await house.prepare(replicas=2, **spec)
    await house.initialized()
    users = Users(house.admin, NAMESPACE, tables=("podinfo",), services=("podinfo",))
    house.kube.before = users.try_everything
    return users


async def edit(house: House, **spec: Any) -> None:
    await house.admin.patch(CANARY, NAMESPACE, "podinfo", {"spec": spec})
    await house.change(ChangeReason.SPEC)


async def tidied(house: House, most: int = 20) -> None:
    for _ in range(most):
        status = await house.status()
        if status.settled and not status.former and status.phase is not Phase.INITIALIZING:
            return
        await house.tick()
    raise AssertionError(f"never tidied: {await house.status()}")


async def names(house: House, resource: Resource) -> list[str]:
    found, _ = await house.admin.list(resource, NAMESPACE)
    return sorted(item["metadata"]["name"] for item in found)


async def ports(house: House, name: str) -> list[tuple[str, int]]:
    return [(port["name"], port["port"]) for port in (await house.object(SERVICE, name))["spec"]["ports"]]


async def routed_to(house: House, table: str = "podinfo") -> list[str]:
    route = (await house.object(ROUTE_TABLE, table))["spec"]["routes"][0]
    return [item["destination"]["upstream"]["name"] for item in route["routeAction"]["multi"]["destinations"]]


async def other_target(house: House, image: str = "other:1") -> None:
    await house.admin.create(DEPLOYMENT, deployment(2, image, "other"))
    house.workloads += ["other", "other-primary"]
    await house.ready("other")


async def asked_to_delegate(house: House) -> str:
    """New routes are there and wait for their VirtualService."""
    for _ in range(10):
        status = await house.status()
        held = next((item for item in status.conditions if item.type == "Held"), None)
        if held is not None and held.reason == "GatewaySilent":
            assert status.phase is Phase.INITIALIZING
            return held.message
        await house.tick()
    raise AssertionError(f"nobody is asked: {await house.status()}")
