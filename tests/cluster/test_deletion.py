"""Deletion where garbage collection is Kubernetes' own: what it takes, when, and what it leaves."""

from __future__ import annotations

import asyncio
from typing import Literal

import pytest

from handlers.adapters.kube import Object
from schemas.canary import FINALIZER
from schemas.resources import (
    CANARY,
    CONTROLLER_REVISION,
    DEPLOYMENT,
    EVENT,
    HORIZONTAL_POD_AUTOSCALER,
    ROUTE_TABLE,
    SERVICE,
    UPSTREAM,
    Resource,
)
from tests.cluster.standins import canary_share
from tests.cluster.world import NEW, OLD, World

pytestmark = [pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module")]

Policy = Literal["Background", "Foreground"]


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
async def test_users_are_back_on_the_target_before_anything_that_served_them_goes(world: World, policy: Policy) -> None:
    await world.install_podinfo(revertOnDeletion=True)
    await world.until("Initialized")
    assert (await world.object(CANARY))["metadata"]["finalizers"] == [FINALIZER]

    met = await _delete(world, policy)

    target = await world.object(DEPLOYMENT)
    assert (met.share, met.available) == (100, 2), "what the primary's end met"
    assert target["spec"]["replicas"] == target["status"]["availableReplicas"] == 2
    await _assert_left_to_the_user(world)


async def test_a_rollout_under_way_ends_on_the_target_as_well(world: World) -> None:
    await world.install_podinfo(revertOnDeletion=True)
    await world.until("Initialized")
    await world.hold_at_every_step()
    await world.set_image(NEW)
    await world.seen(lambda status: status.get("phase") == "Progressing" and status.get("canaryWeight") == 25)

    met = await _delete(world, "Foreground")

    assert (met.share, met.available) == (100, 2)
    assert await world.image_of("podinfo") == NEW
    await _assert_left_to_the_user(world)


async def test_without_revert_on_deletion_everything_goes_and_people_are_told(world: World) -> None:
    await world.install_podinfo()
    await world.until("Initialized")
    assert "finalizers" not in (await world.object(CANARY))["metadata"]
    await world.kube.delete(CANARY, world.namespace, "podinfo")
    for resource, name in [*_stays(world), *_goes(world)]:
        await world.gone(resource, name)
    events = await world.warnings("was deleted without revertOnDeletion")
    assert "scale deployment/podinfo" in events[0]["message"]
    assert (await world.object(DEPLOYMENT))["spec"]["replicas"] == 0
    assert await world.image_of("podinfo") == OLD
    assert await world.dead_letters() == []


class Met:
    """What the end of the primary meets: the target's share of the routes, and its available pods."""

    share = available = -1


async def _delete(world: World, policy: Policy) -> Met:
    """Until the Canary is gone and garbage collection has taken the rest."""
    met = Met()
    watching = asyncio.create_task(_meet(world, met))
    await world.kube.delete(CANARY, world.namespace, "podinfo", policy=policy)
    await world.gone(CANARY, "podinfo")
    for resource, name in _goes(world):
        await world.gone(resource, name)
    await watching
    return met


async def _meet(world: World, met: Met) -> None:
    """At the moment in which the primary begins to go: deleted, or marked to be."""
    items, version = await world.kube.list(DEPLOYMENT, world.namespace, fields="metadata.name=podinfo-primary")
    assert items
    name = "metadata.name=podinfo-primary"
    async for event in world.kube.watch(DEPLOYMENT, world.namespace, resource_version=version, fields=name):
        if event.type == "DELETED" or "deletionTimestamp" in event.object["metadata"]:
            break
    met.share = canary_share(await world.object(ROUTE_TABLE))
    met.available = int((await world.object(DEPLOYMENT))["status"].get("availableReplicas", 0))


def _stays(world: World) -> list[tuple[Resource, str]]:
    return [
        (ROUTE_TABLE, "podinfo"),
        (UPSTREAM, f"{world.namespace}-podinfo-canaryupstream-9898"),
        (SERVICE, "podinfo-canary"),
        (SERVICE, "podinfo"),
    ]


def _goes(world: World) -> list[tuple[Resource, str]]:
    return [
        (CONTROLLER_REVISION, "podinfo-revert-on-deletion"),
        (SERVICE, "podinfo-primary"),
        (UPSTREAM, f"{world.namespace}-podinfo-primaryupstream-9898"),
        (HORIZONTAL_POD_AUTOSCALER, "podinfo-primary"),
        (DEPLOYMENT, "podinfo-primary"),
    ]


async def _assert_left_to_the_user(world: World) -> None:
    objects: list[Object] = [await world.kube.get(resource, world.namespace, name) for resource, name in _stays(world)]
    for item in objects:
        assert "ownerReferences" not in item["metadata"]
    for service in objects[2:]:
        assert service["spec"]["selector"] == {"app": "podinfo"}
    assert "canarybus.dev/target-step" not in (await world.object(DEPLOYMENT))["metadata"].get("annotations", {})
    snapshots, _ = await world.kube.list(CONTROLLER_REVISION, world.namespace, labels="canarybus.dev/canary=podinfo")
    assert snapshots == []
    events, _ = await world.kube.list(EVENT, world.namespace, fields="involvedObject.kind=Canary")
    told = [event["message"] for event in events]
    assert f"Terminating canary podinfo.{world.namespace}" in told
    assert f"Terminated canary podinfo.{world.namespace}" in told
    assert [text for text in told if "stay behind and lead to Deployment podinfo" in text]
    assert await world.dead_letters() == []
