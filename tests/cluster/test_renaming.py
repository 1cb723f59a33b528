"""Names that change where controllers and garbage collection are Kubernetes' own, while users come all the time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import pytest_asyncio

from handlers.adapters.kube import Object
from schemas.resources import CANARY, DEPLOYMENT, HORIZONTAL_POD_AUTOSCALER, ROUTE_TABLE, SERVICE, UPSTREAM
from tests.cluster.world import NEW, World
from tests.handlers.users import Users

pytestmark = [pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(loop_scope="module")
async def world(world: World) -> World:
    await world.install_podinfo()
    return world


@asynccontextmanager
async def users(world: World) -> AsyncIterator[Users]:
    """They come all the time; what they met is looked at in the end."""
    found = Users(world.kube, world.namespace, tables=("podinfo",), services=("podinfo",))
    coming = asyncio.create_task(found.keep_trying())
    yield found
    coming.cancel()
    with suppress(asyncio.CancelledError):
        await coming
    assert found.met == []
    assert await world.dead_letters() == []


async def _edit(world: World, **spec: Any) -> None:
    await world.kube.patch(CANARY, world.namespace, "podinfo", {"spec": spec})


def _tidied(**names: Any) -> Any:
    def wanted(status: Object) -> bool:
        force = {**(status.get("names") or {})}
        at_rest = status.get("settled") and not status.get("former")
        return bool(at_rest and names.items() <= force.items())

    return wanted


async def test_another_port_in_mid_analysis_costs_nobody_a_request_and_leaves_nothing_behind(world: World) -> None:
    await world.until("Initialized")
    await world.hold_at_every_step()
    await world.set_image(NEW)
    await world.seen(lambda status: status.get("canaryWeight") == 25)
    async with users(world):
        # without metrics: their window would have to pass before another revision is judged
        await _edit(world, service={"port": 80, "targetPort": 9898}, analysis={"metrics": None})
        await world.seen(lambda status: status.get("phase") == "Failed")
        await world.seen(lambda status: status.get("phase") == "Succeeded" and status["names"]["port"] == 80)
        await world.seen(_tidied(port=80))

    assert await world.image_of("podinfo-primary") == NEW
    for side in ("primary", "canary"):
        name = f"{world.namespace}-podinfo-{side}upstream"
        assert await world.kube.find(UPSTREAM, world.namespace, f"{name}-9898") is None
        assert await world.kube.find(UPSTREAM, world.namespace, f"{name}-80")
    for name in ("podinfo", "podinfo-primary", "podinfo-canary"):
        ports = (await world.kube.get(SERVICE, world.namespace, name))["spec"]["ports"]
        assert [(port["name"], port["port"]) for port in ports] == [("http", 80)]


async def test_another_target_under_a_name_of_its_own_takes_over_when_its_routes_are_delegated_to(world: World) -> None:
    await world.until("Initialized")
    world.gloo.not_delegated = {"web"}
    await _other_target(world)
    async with users(world) as coming:
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
        await _edit(world, targetRef=target, autoscalerRef=None)
        await world.seen(lambda status: _ready(status).get("reason") == "GatewaySilent")
        await world.kube.get(ROUTE_TABLE, world.namespace, "podinfo")
        coming.tables, coming.services = ["web"], ["web"]
        await world.gloo.delegate("web")
        await world.seen(_tidied(target="web"))

    for resource, name in [
        (ROUTE_TABLE, "podinfo"),
        (SERVICE, "podinfo"),
        (SERVICE, "podinfo-primary"),
        (SERVICE, "podinfo-canary"),
        (UPSTREAM, f"{world.namespace}-podinfo-primaryupstream-9898"),
        (HORIZONTAL_POD_AUTOSCALER, "podinfo-primary"),
        (DEPLOYMENT, "podinfo-primary"),
    ]:
        await world.gone(resource, name)
    assert await world.object(DEPLOYMENT), "what the user wrote is his"
    assert await world.image_of("web-primary") == NEW


def _ready(status: Object) -> Object:
    return next((item for item in status.get("conditions") or () if item["type"] == "Held"), {})


async def _other_target(world: World) -> None:
    labels = {"app": "web"}
    container = {"name": "podinfod", "image": NEW, "ports": [{"containerPort": 9898}]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    await world.kube.create(DEPLOYMENT, {"metadata": {"name": "web", "namespace": world.namespace}, "spec": spec})
