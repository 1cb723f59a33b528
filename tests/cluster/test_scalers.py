"""Scalers on a real control plane: its own autoscaler works at the primary, KEDA's objects are held for it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from handlers.adapters.errors import AlreadyExists
from schemas.resources import (
    CANARY,
    CUSTOM_RESOURCE_DEFINITION,
    DEPLOYMENT,
    EVENT,
    HORIZONTAL_POD_AUTOSCALER,
    SCALED_OBJECT,
)
from schemas.workload import PAUSED_REPLICAS, PAUSED_SCALE_IN
from tests import keda
from tests.cluster.world import NEW, World

pytestmark = [pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module")]


def paused(item: dict[str, Any]) -> str | None:
    found: str | None = (item["metadata"].get("annotations") or {}).get(PAUSED_REPLICAS)
    return found


async def test_an_autoscaler_is_followed_at_rest_and_its_copy_has_a_floor_in_a_rollout(world: World) -> None:
    await world.install_podinfo()
    await world.until("Initialized")
    edit = {"metadata": {"labels": {"team": "a"}}, "spec": {"maxReplicas": 6}}
    await world.kube.patch(HORIZONTAL_POD_AUTOSCALER, world.namespace, "podinfo", edit)

    def followed(item: dict[str, Any]) -> bool:
        return (item["spec"]["maxReplicas"], item["metadata"].get("labels")) == (6, {"team": "a"})

    await world.sees(HORIZONTAL_POD_AUTOSCALER, "podinfo-primary", followed)
    await world.kube.patch(DEPLOYMENT, world.namespace, "podinfo-primary", {"spec": {"replicas": 4}})
    await world.sees(DEPLOYMENT, "podinfo-primary", lambda item: item["status"].get("availableReplicas") == 4)
    await world.hold_at_every_step()
    await world.set_image(NEW)
    await world.seen(lambda status: status.get("canaryWeight") == 25)
    assert (await world.kube.get(DEPLOYMENT, world.namespace, "podinfo"))["spec"]["replicas"] == 4
    clone = await world.kube.get(HORIZONTAL_POD_AUTOSCALER, world.namespace, "podinfo-primary")
    assert clone["spec"]["minReplicas"] == 4
    await world.kube.patch(DEPLOYMENT, world.namespace, "podinfo-primary", {"spec": {"replicas": 1}})
    await world.sees(DEPLOYMENT, "podinfo-primary", lambda item: item["spec"]["replicas"] == 4)
    world.prometheus.success_rate = 100
    await world.until("Succeeded")
    assert (await world.kube.get(DEPLOYMENT, world.namespace, "podinfo-primary"))["spec"]["replicas"] == 4
    assert await world.dead_letters() == []


async def test_a_scaled_object_sleeps_with_its_target_and_its_copy_scales_the_primary(world: World) -> None:
    with suppress(AlreadyExists):
        await world.kube.create(CUSTOM_RESOURCE_DEFINITION, keda.DEFINITION)
    await until_served(world)
    await world.install_podinfo(keda.scaled_object(minReplicaCount=2))
    await world.until("Initialized")
    assert paused(await world.kube.get(SCALED_OBJECT, world.namespace, "podinfo")) == "0"
    clone = await world.kube.get(SCALED_OBJECT, world.namespace, "podinfo-primary")
    assert clone["spec"]["scaleTargetRef"]["name"] == "podinfo-primary"
    assert 'app="podinfo-primary"' in clone["spec"]["triggers"][0]["metadata"]["query"]
    await world.hold_at_every_step()
    await world.set_image(NEW)
    await world.seen(lambda status: status.get("canaryWeight") == 25)
    assert paused(await world.kube.get(SCALED_OBJECT, world.namespace, "podinfo")) is None
    world.prometheus.success_rate = 100
    await world.until("Succeeded")
    assert paused(await world.kube.get(SCALED_OBJECT, world.namespace, "podinfo")) == "0"
    assert paused(await world.kube.get(SCALED_OBJECT, world.namespace, "podinfo-primary")) is None
    assert await world.dead_letters() == []


async def test_a_scaled_object_is_kept_awake_in_a_rollout_and_released_when_the_canary_names_it_no_more(
    world: World,
) -> None:
    with suppress(AlreadyExists):
        await world.kube.create(CUSTOM_RESOURCE_DEFINITION, keda.DEFINITION)
    await until_served(world)
    await world.install_podinfo(keda.scaled_object(minReplicaCount=0))
    await world.until("Initialized")
    await world.hold_at_every_step()
    await world.set_image(NEW)
    await world.seen(lambda status: status.get("canaryWeight") == 25)
    source = await world.kube.get(SCALED_OBJECT, world.namespace, "podinfo")
    assert (paused(source), source["metadata"]["annotations"][PAUSED_SCALE_IN]) == (None, "true")
    world.prometheus.success_rate = 100
    await world.until("Succeeded")
    source = await world.kube.get(SCALED_OBJECT, world.namespace, "podinfo")
    assert (paused(source), source["metadata"]["annotations"].get(PAUSED_SCALE_IN)) == ("0", None)
    await world.kube.patch(CANARY, world.namespace, "podinfo", {"spec": {"autoscalerRef": None}})
    await world.sees(SCALED_OBJECT, "podinfo", lambda item: not item["metadata"].get("annotations"))
    await world.seen(lambda status: bool(status.get("settled")) and not status.get("formerScalers"))
    assert await world.kube.find(SCALED_OBJECT, world.namespace, "podinfo-primary") is None
    assert (await world.kube.get(DEPLOYMENT, world.namespace, "podinfo"))["spec"]["replicas"] == 0
    assert await world.dead_letters() == []


async def test_a_deletion_without_revert_names_the_scaled_object_that_stays_paused(world: World) -> None:
    with suppress(AlreadyExists):
        await world.kube.create(CUSTOM_RESOURCE_DEFINITION, keda.DEFINITION)
    await until_served(world)
    await world.install_podinfo(keda.scaled_object())
    await world.until("Initialized")
    await world.kube.delete(CANARY, world.namespace, "podinfo")
    async with asyncio.timeout(30):
        while not any("ScaledObject podinfo is paused at zero" in text for text in await told(world)):
            await asyncio.sleep(0.1)


async def told(world: World) -> list[str]:
    events, _ = await world.kube.list(EVENT, world.namespace)
    return [item.get("message", "") for item in events]


async def until_served(world: World) -> None:
    """A kind is there a moment after its definition."""
    name, wanted = keda.DEFINITION["metadata"]["name"], {"type": "Established", "status": "True"}
    async with asyncio.timeout(30):
        while True:
            found = await world.kube.get(CUSTOM_RESOURCE_DEFINITION, "", name)
            conditions = (found.get("status") or {}).get("conditions") or ()
            if any(wanted.items() <= item.items() for item in conditions):
                return
            await asyncio.sleep(0.1)
