"""Rollouts of DaemonSets and Services on a real control plane: its own controllers say where pods and traffic are."""

from __future__ import annotations

import asyncio

import pytest

from handlers.adapters.kube import Object
from schemas.kinds.daemonset import SCALE_TO_ZERO
from schemas.resources import CANARY, DAEMON_SET, DEPLOYMENT, ENDPOINT_SLICE, POD, SERVICE, TARGETS
from tests.cluster.world import World
from tests.handlers.house import canary_object
from tests.handlers.targets import LABELS, image_of, pushed, target_object

pytestmark = [pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module")]


async def install(world: World, kind: str) -> None:
    resource = TARGETS[kind]
    await world.kube.create(resource, target_object(kind, namespace=world.namespace))
    metric = {"name": "request-success-rate", "thresholdRange": {"min": 99}, "interval": "1m"}
    ref = {"apiVersion": resource.api_version, "kind": kind, "name": "podinfo"}
    analysis = {"interval": "1s", "metrics": [metric]}
    spec = {"targetRef": ref, "progressDeadlineSeconds": 60, "analysis": analysis}
    await world.kube.create(CANARY, canary_object(world.namespace, **spec))


async def push(world: World, kind: str, image: str) -> None:
    await world.kube.patch(TARGETS[kind], world.namespace, "podinfo", pushed(kind, image), type="strategic")


# ---- DaemonSets


async def pods_of(world: World, app: str) -> list[str]:
    """Images of the pods of one side that are not on their way out."""
    found, _ = await world.kube.list(POD, world.namespace, labels=f"app={app}")
    running = [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]
    return [pod["spec"]["containers"][0]["image"] for pod in running]


async def test_a_daemonset_is_promoted_and_has_no_pods_when_idle(world: World) -> None:
    await install(world, "DaemonSet")
    await world.until("Initialized")
    assert await pods_of(world, "podinfo") == []
    assert await pods_of(world, "podinfo-primary") == ["podinfo:1"]

    await world.hold_at_every_step()
    await push(world, "DaemonSet", "podinfo:2")
    await world.seen(lambda status: status.get("canaryWeight") == 25)
    assert await pods_of(world, "podinfo") == ["podinfo:2"]
    assert await pods_of(world, "podinfo-primary") == ["podinfo:1"]

    world.prometheus.success_rate = 100
    await world.until("Promoting", "Succeeded")
    assert world.gloo.weights == [0, 25, 50, 0]
    assert await pods_of(world, "podinfo") == []
    assert await pods_of(world, "podinfo-primary") == ["podinfo:2"]
    target = await world.kube.get(DAEMON_SET, world.namespace, "podinfo")
    assert target["spec"]["template"]["spec"]["nodeSelector"] == {SCALE_TO_ZERO: "true"}
    assert await world.dead_letters() == []


async def test_a_daemonset_that_fails_is_parked_and_its_primary_untouched(world: World) -> None:
    await install(world, "DaemonSet")
    await world.until("Initialized")
    before = await world.kube.get(DAEMON_SET, world.namespace, "podinfo-primary")
    world.prometheus.success_rate = 42
    await push(world, "DaemonSet", "podinfo:2")
    await world.until("Progressing", "Failed")
    assert await pods_of(world, "podinfo") == []
    after = await world.kube.get(DAEMON_SET, world.namespace, "podinfo-primary")
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    assert await world.dead_letters() == []


# ---- Services


async def run_versions(world: World) -> None:
    """Two versions of the application, as somebody else deploys them."""
    for number in (1, 2):
        labels = {**LABELS, "version": f"podinfo-{number}"}
        made = target_object("Deployment", namespace=world.namespace, image=f"podinfo:{number}")
        made["metadata"]["name"] = f"podinfo-{number}"
        made["spec"]["template"]["metadata"]["labels"] = made["spec"]["selector"]["matchLabels"] = labels
        await world.kube.create(DEPLOYMENT, made)


async def reaches(world: World, service: str, version: str) -> None:
    """Until that Service leads to the pods of that version, and to no others."""
    pods, _ = await world.kube.list(POD, world.namespace, labels=f"version={version}")
    wanted = {pod["metadata"]["name"] for pod in pods}
    labels = f"kubernetes.io/service-name={service}"
    async with asyncio.timeout(30):
        found, since = await world.kube.list(ENDPOINT_SLICE, world.namespace, labels=labels)
        if wanted and any(_pods(item) == wanted for item in found):
            return
        async for event in world.kube.watch(ENDPOINT_SLICE, world.namespace, resource_version=since, labels=labels):
            if wanted and event.type in ("ADDED", "MODIFIED") and _pods(event.object) == wanted:
                return
    raise AssertionError(f"{service} never leads to {version} alone")


def _pods(endpoint_slice: Object) -> set[str]:
    return {endpoint["targetRef"]["name"] for endpoint in endpoint_slice.get("endpoints") or ()}


async def test_a_changed_service_moves_its_users_through_its_copies(world: World) -> None:
    await run_versions(world)
    await install(world, "Service")
    await world.until("Initialized")
    for service in ("podinfo-primary", "podinfo-canary"):
        await reaches(world, service, "podinfo-1")

    await world.hold_at_every_step()
    await push(world, "Service", "podinfo:2")
    await world.seen(lambda status: status.get("canaryWeight") == 25)
    await reaches(world, "podinfo-canary", "podinfo-2")
    await reaches(world, "podinfo-primary", "podinfo-1")

    address = (await world.kube.get(SERVICE, world.namespace, "podinfo-primary"))["spec"]["clusterIP"]
    world.prometheus.success_rate = 100
    await world.until("Promoting", "Succeeded")
    await reaches(world, "podinfo-primary", "podinfo-2")
    assert world.gloo.weights == [0, 25, 50, 0]
    primary = await world.kube.get(SERVICE, world.namespace, "podinfo-primary")
    assert primary["spec"]["clusterIP"] == address
    original = await world.kube.get(SERVICE, world.namespace, "podinfo")
    assert image_of(original) == "podinfo:2"
    assert "ownerReferences" not in original["metadata"]
    assert await world.dead_letters() == []


async def test_a_service_that_fails_leaves_its_users_where_they_were(world: World) -> None:
    await run_versions(world)
    await install(world, "Service")
    await world.until("Initialized")
    world.prometheus.success_rate = 42
    await push(world, "Service", "podinfo:2")
    await world.until("Progressing", "Failed")
    await reaches(world, "podinfo-primary", "podinfo-1")
    assert world.gloo.weights == [0, 25, 0]
    assert await world.dead_letters() == []
