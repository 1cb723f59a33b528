"""Canaries in the middle of a rollout: what somebody else edits around them is told, what we write ourselves is not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from nats.aio.subscription import Subscription

from handlers.adapters.round_trip import round_trip
from schemas.resources import (
    CANARY,
    CONFIG_MAP,
    DEPLOYMENT,
    HORIZONTAL_POD_AUTOSCALER,
    ROUTE_TABLE,
    SERVICE,
    UPSTREAM,
    Resource,
)
from tests.handlers.adapters.natsserver import NatsServer
from tests.watcher.cluster import NAMESPACE, Cluster, routes
from tests.watcher.conftest import Begin
from tests.watcher.ear import Ear

SIDES = [f"default-podinfo-{role}upstream-9898" for role in ("primary", "canary")]
SCALER = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"}, "maxReplicas": 3}
EDITS: list[tuple[Resource, str, dict[str, Any]]] = [
    (SERVICE, "podinfo", {"spec": {"selector": {"app": "nobody"}}}),
    (SERVICE, "podinfo-primary", {"spec": {"selector": None}}),
    (SERVICE, "podinfo-canary", {"spec": {"selector": {"extra": "label"}}}),
    (UPSTREAM, SIDES[0], {"spec": {"kube": {"servicePort": 1}}}),
    (UPSTREAM, SIDES[1], {"spec": {"sslConfig": {"sni": "nobody"}}}),
    (ROUTE_TABLE, "podinfo", {"spec": routes(77)}),
    (DEPLOYMENT, "podinfo-primary", {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 1}}}}),
    (HORIZONTAL_POD_AUTOSCALER, "podinfo-primary", {"spec": {"maxReplicas": 1}}),
    (CONFIG_MAP, "podinfo-primary", {"data": {"colour": "red"}}),
]
"""One of each that we keep."""
PLACES = [f"{resource.kind}/{name}" for resource, name, _ in EDITS]


class Drifts:
    """Every message about drift that is published; of those that nobody has taken yet, the bus keeps the last."""

    def __init__(self, subscription: Subscription) -> None:
        self.objects: list[str] = []
        self._subscription = subscription

    async def until(self, enough: Callable[[dict[str, Any]], Any]) -> None:
        """The first message that is as wanted."""
        told: dict[str, Any] = {}
        while not (told and enough(told)):
            told = orjson.loads((await self._subscription.next_msg(timeout=8)).data)
            self.objects.append(told["object"])

    async def all(self) -> None:
        """Until one was told of each that we keep."""
        await self.until(lambda _: {*PLACES} <= {*self.objects})


@pytest.fixture
async def drifts(ear: Ear) -> Drifts:
    subscription = await ear.client.subscribe("canary.revision.drift.>")
    await round_trip(ear.client)
    return Drifts(subscription)


async def _begun(handlers: Cluster, **status: Any) -> None:
    """A rollout, with all that is made for it, and a scaler and a ConfigMap besides."""
    await handlers.surrounded()
    for name in SIDES:
        kube = {"serviceName": "podinfo", "serviceNamespace": NAMESPACE, "servicePort": 9898}
        await handlers.kube.patch(UPSTREAM, NAMESPACE, name, {"spec": {"kube": kube}})
    for name in ("podinfo", "podinfo-primary"):
        await handlers.create(HORIZONTAL_POD_AUTOSCALER, name, SCALER)
        metadata = {"name": name, "namespace": NAMESPACE}
        await handlers.kube.create(CONFIG_MAP, {"metadata": metadata, "data": {"colour": "blue"}})
    ref = {"apiVersion": "autoscaling/v2", "kind": HORIZONTAL_POD_AUTOSCALER.kind, "name": "podinfo"}
    edited = await handlers.kube.patch(CANARY, NAMESPACE, "podinfo", {"spec": {"autoscalerRef": ref}})
    source = await handlers.kube.get(CONFIG_MAP, NAMESPACE, "podinfo")
    tracked = {"configmap/podinfo": source["metadata"]["resourceVersion"]}
    revision = await handlers.revision(configs={"configmap/podinfo": "of-blue"})
    await handlers.status(
        observedGeneration=edited["metadata"]["generation"],
        trackedConfigs={"configmap/podinfo": "of-blue"},
        trackedConfigVersions=tracked,
        canaryRevision=revision,
        primaryRevision=revision,
        step=8,
        **status,
    )


async def _edit_all(cluster: Cluster) -> None:
    for resource, name, edit in EDITS:
        await cluster.kube.patch(resource, NAMESPACE, name, edit)


@pytest.mark.parametrize(
    ("phase", "waiting_for"),
    [
        ("Initializing", "primary"),
        ("Waiting", "gate"),
        ("Progressing", ""),
        ("Progressing", "gateway"),
        ("WaitingPromotion", "gate"),
        ("Promoting", "primary"),
        ("Finalising", ""),
    ],
)
async def test_whatever_we_keep_is_told_when_somebody_edits_it_in_any_phase(
    begin: Begin, cluster: Cluster, handlers: Cluster, drifts: Drifts, phase: str, waiting_for: str
) -> None:
    await _begun(handlers, phase=phase, waitingFor=waiting_for, settled=False)
    async with begin():
        await _edit_all(cluster)
        await drifts.all()
    assert sorted(drifts.objects) == sorted(PLACES)


async def test_what_we_and_controllers_write_in_a_rollout_is_told_to_nobody(
    begin: Begin, cluster: Cluster, handlers: Cluster, gloo: Cluster, drifts: Drifts
) -> None:
    await _begun(handlers, phase="Progressing", waitingFor="", settled=False)
    async with begin():
        for resource, name, _ in EDITS:
            fence = {"metadata": {"annotations": {"canarybus.dev/some-step": "9"}}}
            await handlers.kube.patch(resource, NAMESPACE, name, fence)
        for weight in (10, 20):  # within a second
            await handlers.kube.patch(ROUTE_TABLE, NAMESPACE, "podinfo", {"spec": routes(weight), "status": None})
            await gloo.report("Accepted", proxy=None)
            await gloo.report("Accepted")
        for name in SIDES:
            report = {"status": {"statuses": {"gloo-system": {"state": "Accepted"}}}}
            await gloo.kube.patch(UPSTREAM, NAMESPACE, name, report)
        await cluster.kube.patch(DEPLOYMENT, NAMESPACE, "podinfo-primary", {"spec": {"replicas": 3}})
        now = {"status": {"desiredReplicas": 3, "currentReplicas": 1}}
        await cluster.kube.patch(HORIZONTAL_POD_AUTOSCALER, NAMESPACE, "podinfo-primary", now, subresource="status")
        for resource, name, _ in EDITS:
            await cluster.kube.patch(resource, NAMESPACE, name, {"metadata": {"labels": {"team": "a"}}})
        # each kind has a watch of its own: what was told before these edits is what was told of all of the above
        await _edit_all(cluster)
        await drifts.all()
    assert sorted(drifts.objects) == sorted(PLACES)


async def test_what_the_peer_made_is_told_when_somebody_edits_it_before_we_ever_wrote_to_it(
    begin: Begin, cluster: Cluster, handlers: Cluster, peer: Cluster, drifts: Drifts
) -> None:
    await _begun(handlers, phase="Progressing", waitingFor="", settled=False)
    canary = (await handlers.kube.get(CANARY, NAMESPACE, "podinfo"))["metadata"]
    owner = {"apiVersion": CANARY.api_version, "kind": CANARY.kind, "name": "podinfo", "uid": canary["uid"]}
    for name in (services := ["podinfo", "podinfo-canary", "podinfo-primary"]):
        await handlers.kube.delete(SERVICE, NAMESPACE, name)
        spec = {"selector": {"app": name}, "ports": [{"port": 9898}]}
        await peer.create(SERVICE, name, spec, metadata={"ownerReferences": [owner]})
    async with begin():
        for name in services[:2]:
            await cluster.kube.patch(SERVICE, NAMESPACE, name, {"metadata": {"labels": {"team": "a"}}})
        await handlers.kube.patch(
            SERVICE, NAMESPACE, "podinfo", {"metadata": {"annotations": {"canarybus.dev/a": "9"}}}
        )
        for name, selector in (("podinfo-canary", {"app": "nobody"}), ("podinfo-primary", None)):
            await cluster.kube.patch(SERVICE, NAMESPACE, name, {"spec": {"selector": selector}})
        await drifts.until(lambda _: len({*drifts.objects}) == 2)
    assert sorted(drifts.objects) == ["Service/podinfo-canary", "Service/podinfo-primary"]


async def test_an_edit_is_told_again_after_its_repair_and_whoever_goes_on_editing_is_told_once_a_second(
    begin: Begin, cluster: Cluster, handlers: Cluster, drifts: Drifts
) -> None:
    async def select(who: Cluster, app: str) -> str:
        body = {"spec": {"selector": {"app": app}}}
        return str((await who.kube.patch(SERVICE, NAMESPACE, "podinfo", body))["metadata"]["resourceVersion"])

    await _begun(handlers, phase="Progressing", waitingFor="", settled=False)
    async with begin():
        started = asyncio.get_running_loop().time()
        for number in range(40):
            last = await select(cluster, f"nobody-{number}")
            await select(handlers, "podinfo")
        await drifts.until(lambda told: told["version"] == last)
        seconds = asyncio.get_running_loop().time() - started
    assert 2 <= len(drifts.objects) <= seconds + 1


@pytest.mark.parametrize("hands_off", ["suspended", "deleted"])
async def test_a_canary_that_is_suspended_or_deleted_hears_of_no_edit(
    begin: Begin, cluster: Cluster, handlers: Cluster, ear: Ear, drifts: Drifts, hands_off: str
) -> None:
    await _begun(handlers, phase="Progressing", waitingFor="", settled=True)
    async with begin():
        if hands_off == "suspended":
            await cluster.kube.patch(CANARY, NAMESPACE, "podinfo", {"spec": {"suspend": True}})
            await ear.hears("spec")
        else:
            finalizer = {"metadata": {"finalizers": ["finalizer.flagger.app"]}}
            await cluster.kube.patch(CANARY, NAMESPACE, "podinfo", finalizer)
            await cluster.kube.delete(CANARY, NAMESPACE, "podinfo")
            await ear.hears("deleted")
        await _edit_all(cluster)
        await _begun_beside(cluster, handlers)
        await drifts.until(lambda told: told["name"] == "other")
    assert drifts.objects == ["Service/other"]


async def _begun_beside(cluster: Cluster, handlers: Cluster) -> None:
    """Another Canary, of which one Service is edited."""
    await handlers.at_rest("other")
    await handlers.service("other")
    await handlers.status("other", phase="Progressing", step=8)
    await cluster.kube.patch(SERVICE, NAMESPACE, "other", {"spec": {"selector": {"app": "nobody"}}})


async def test_an_edit_that_the_bus_did_not_take_is_told_when_it_is_back(
    begin: Begin, cluster: Cluster, handlers: Cluster, ear: Ear, nats_server: NatsServer
) -> None:
    await _begun(handlers, phase="Progressing", waitingFor="", settled=False)
    async with begin() as watcher:
        nats_server.kill()
        await cluster.kube.patch(SERVICE, NAMESPACE, "podinfo", {"spec": {"selector": {"app": "nobody"}}})
        async with asyncio.timeout(8):
            while not any(record.edited for record in watcher.fleet.records.values()):
                await asyncio.sleep(0.01)
        nats_server.start()
        await ear.hears("drift", object="Service/podinfo")
