"""Whole rollouts on a real control plane, with exactly the rights that deploy/kubernetes gives."""

from __future__ import annotations

import pytest
import pytest_asyncio

from schemas.resources import (
    CANARY,
    CONTROLLER_REVISION,
    DEPLOYMENT,
    EVENT,
    HORIZONTAL_POD_AUTOSCALER,
    ROUTE_TABLE,
    SERVICE,
    UPSTREAM,
)
from tests.cluster.standins import canary_share
from tests.cluster.world import NEW, OLD, World

pytestmark = [pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(loop_scope="module")
async def world(world: World) -> World:
    await world.install_podinfo()
    return world


async def test_a_new_image_is_promoted_step_by_step(world: World) -> None:
    kube, namespace = world.kube, world.namespace
    await world.until("Initialized")
    assert await world.image_of("podinfo-primary") == OLD
    assert (await kube.get(DEPLOYMENT, namespace, "podinfo"))["spec"]["replicas"] == 0

    await world.set_image(NEW)
    phases = await world.until("Progressing", "Promoting", "Succeeded")
    assert phases[0] == "Initialized"
    assert "Failed" not in phases

    assert world.gloo.weights == [0, 25, 50, 0]
    assert await world.image_of("podinfo-primary") == NEW
    assert (await kube.get(DEPLOYMENT, namespace, "podinfo"))["spec"]["replicas"] == 0
    assert canary_share(await kube.get(ROUTE_TABLE, namespace, "podinfo")) == 0
    for name in ("podinfo", "podinfo-primary", "podinfo-canary"):
        assert await kube.find(SERVICE, namespace, name), name
    for side in ("primary", "canary"):
        assert await kube.find(UPSTREAM, namespace, f"{namespace}-podinfo-{side}upstream-9898"), side
    assert await kube.find(HORIZONTAL_POD_AUTOSCALER, namespace, "podinfo-primary")
    assert (await kube.list(CONTROLLER_REVISION, namespace, labels="canarybus.dev/canary=podinfo"))[0]
    assert await world.dead_letters() == []


async def test_a_new_image_that_fails_is_rolled_back(world: World) -> None:
    await world.until("Initialized")
    world.prometheus.success_rate = 42
    await world.set_image(NEW)
    await world.until("Progressing", "Failed")

    assert world.gloo.weights == [0, 25, 0]
    assert await world.image_of("podinfo-primary") == OLD
    assert (await world.kube.get(DEPLOYMENT, world.namespace, "podinfo"))["spec"]["replicas"] == 0
    events, _ = await world.kube.list(EVENT, world.namespace, fields="involvedObject.kind=Canary")
    assert [event for event in events if event["type"] == "Warning" and "42" in event["message"]]
    assert await world.dead_letters() == []


async def test_a_person_ends_a_rollout_over_the_bus(world: World) -> None:
    await world.until("Initialized")
    await world.hold_at_every_step()
    await world.set_image(NEW)
    await world.seen(lambda status: status.get("phase") == "Progressing" and status.get("canaryWeight") == 25)
    await world.operator.publish(f"canary.command.abort.{world.namespace}.podinfo", b'{"by": "a person"}')
    await world.until("Failed")

    status = (await world.kube.get(CANARY, world.namespace, "podinfo"))["status"]
    assert status["lastCommand"]["by"] == "a person"
    assert canary_share(await world.kube.get(ROUTE_TABLE, world.namespace, "podinfo")) == 0
    assert await world.image_of("podinfo-primary") == OLD
    assert await world.dead_letters() == []
