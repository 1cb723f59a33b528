"""A real control plane that the peer has worked on: canarybus starts, and goes on where it left."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from handlers.adapters.kube import Kube, Object
from schemas.resources import CANARY, DEPLOYMENT, EVENT, REPLICA_SET, ROUTE_TABLE, UPSTREAM
from schemas.workload import Workload
from tests.cluster.standins import canary_share
from tests.cluster.world import NEW, OLD, World, canarybus
from tests.deploy.api import own_namespace
from tests.moving import move_in
from tests.peer import Left

pytestmark = [pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module")]
ANALYSIS = {
    "interval": "1s",
    "threshold": 2,
    "maxWeight": 50,
    "stepWeight": 10,
    "metrics": [{"name": "request-success-rate", "thresholdRange": {"min": 99}, "interval": "1m"}],
}
Switch = Callable[..., Awaitable[tuple[World, Left]]]


@pytest_asyncio.fixture(loop_scope="module")
async def switch(kube: Kube, kubeconfig: str, tmp_path: Path) -> AsyncIterator[Switch]:
    """The peer has gone; only then the first part of canarybus starts."""
    async with AsyncExitStack() as stack:

        async def switched(phase: str, edited: Object | None = None, **more: Any) -> tuple[World, Left]:
            namespace = await stack.enter_async_context(own_namespace(kube))
            target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"}
            spec = {"provider": "gloo", "targetRef": target, "service": {"port": 9898}, "analysis": ANALYSIS}
            left = await move_in(kube, namespace, phase, spec, old=OLD, new=NEW, **more)
            await _available(kube, namespace, "podinfo-primary")
            if left.weight:
                await _available(kube, namespace, "podinfo")
            if edited:
                await kube.patch(CANARY, namespace, "podinfo", {"spec": edited})
            return await stack.enter_async_context(canarybus(kube, kubeconfig, namespace, tmp_path)), left

        yield switched


async def _available(kube: Kube, namespace: str, name: str) -> None:
    found = await kube.get(DEPLOYMENT, namespace, name)
    if Workload(found).available:
        return
    version = found["metadata"]["resourceVersion"]
    async for event in kube.watch(DEPLOYMENT, namespace, resource_version=version, fields=f"metadata.name={name}"):
        if event.type == "MODIFIED" and Workload(event.object).available:
            return


async def _rollouts_of_primary(world: World) -> int:
    """How often its pods were replaced, and one."""
    found, _ = await world.kube.list(REPLICA_SET, world.namespace, labels="app=podinfo-primary")
    return len(found)


async def test_an_idle_canary_of_the_peer_rests_and_none_of_its_pods_restarts(switch: Switch) -> None:
    world, left = await switch("Succeeded")
    await world.until("Succeeded")
    assert world.gloo.weights == [0]
    assert await _rollouts_of_primary(world) == 1
    status = (await world.kube.get(CANARY, world.namespace, "podinfo"))["status"]
    assert status["lastAppliedSpec"] == left.status["lastAppliedSpec"]
    events, _ = await world.kube.list(EVENT, world.namespace, fields="involvedObject.kind=Canary")
    assert [event["reason"] for event in events] == ["Adopted"]
    assert await world.dead_letters() == []


async def test_a_rollout_of_the_peer_goes_on_from_its_weight(switch: Switch) -> None:
    world, _ = await switch("Progressing", weight=30, failed_checks=1)
    phases = await world.until("Progressing", "Promoting", "Succeeded")
    assert "Failed" not in phases
    assert world.gloo.weights == [30, 40, 50, 0]
    assert await world.image_of("podinfo-primary") == NEW
    assert await _rollouts_of_primary(world) == 2
    assert (await world.kube.get(DEPLOYMENT, world.namespace, "podinfo"))["spec"]["replicas"] == 0
    assert canary_share(await world.kube.get(ROUTE_TABLE, world.namespace, "podinfo")) == 0
    assert await world.dead_letters() == []


async def test_a_port_that_was_edited_meanwhile_is_led_to_and_the_peers_upstreams_go(switch: Switch) -> None:
    world, _ = await switch("Succeeded", edited={"service": {"port": 80, "targetPort": 9898}})
    await world.until("Initialized")
    assert await _rollouts_of_primary(world) == 1
    found, _ = await world.kube.list(UPSTREAM, world.namespace)
    assert sorted(item["metadata"]["name"].removeprefix(f"{world.namespace}-podinfo-") for item in found) == [
        "canaryupstream-80",
        "primaryupstream-80",
    ]
    assert await world.dead_letters() == []
