"""Canaries on DaemonSets and Services: what of their targets is news, and what is not."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.sandbox.kube import EmbeddedKubernetes
from schemas.kinds.daemonset import SCALE_TO_ZERO
from schemas.resources import DAEMON_SET, SERVICE, TARGETS
from schemas.workload import Workload
from tests.watcher.cluster import NAMESPACE, Cluster
from tests.watcher.conftest import Begin
from tests.watcher.ear import Ear

NEVER_READY = {"spec": {"template": {"metadata": {"annotations": {"fakelet/ready": "false"}}}}}


async def nothing_more(cluster: Cluster, ear: Ear) -> None:
    """What was put in line before this Canary is through when this one is."""
    await cluster.canary("last")
    await ear.hears("spec", "last")
    await ear.hears("tick", "last")


@pytest.mark.parametrize("kind", TARGETS)
async def test_a_push_to_a_target_of_each_kind_is_a_revision(
    begin: Begin, cluster: Cluster, ear: Ear, kind: str
) -> None:
    await cluster.of_kind(kind)
    async with begin():
        await cluster.push(kind, "podinfo:2")
        await ear.hears("revision", object=f"{kind}/podinfo")
        await nothing_more(cluster, ear)
    assert ear.changes() == [("revision", f"{kind}/podinfo")]


async def test_parking_a_daemonset_and_waking_it_is_none(begin: Begin, cluster: Cluster, ear: Ear) -> None:
    await cluster.of_kind("DaemonSet")
    async with begin():
        for value in ("true", None):
            selector = {"spec": {"template": {"spec": {"nodeSelector": {SCALE_TO_ZERO: value}}}}}
            await cluster.kube.patch(DAEMON_SET, NAMESPACE, "podinfo", selector)
        await nothing_more(cluster, ear)
    assert ear.changes() == []


@pytest.mark.parametrize(
    "written",
    [
        {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}},
        {"metadata": {"annotations": {"canarybus.dev/target-step": "8", "theirs": "x"}}},
        {"spec": {"ports": [{"name": "http", "port": 9898, "targetPort": 9898, "nodePort": 32123}]}},
    ],
    ids=["status", "metadata", "node port"],
)
async def test_what_is_assigned_to_a_service_is_none(
    begin: Begin, cluster: Cluster, ear: Ear, written: dict[str, Any]
) -> None:
    await cluster.of_kind("Service")
    on_nodes = await cluster.kube.patch(SERVICE, NAMESPACE, "podinfo", {"spec": {"type": "NodePort"}})
    await cluster.status(lastAppliedSpec=Workload(on_nodes).revision())
    async with begin():
        part = "status" if "status" in written else None
        await cluster.kube.patch(SERVICE, NAMESPACE, "podinfo", written, subresource=part)
        await nothing_more(cluster, ear)
    assert ear.changes() == []


@pytest.mark.parametrize("kind", ["DaemonSet", "Service"])
async def test_one_at_rest_costs_no_call_while_nothing_of_it_moves(
    begin: Begin, cluster: Cluster, ear: Ear, api: EmbeddedKubernetes, kind: str
) -> None:
    await cluster.of_kind(kind)
    async with begin():
        await nothing_more(cluster, ear)
        before = api.faults.counted("canarybus-watcher", "get")
        await cluster.deployment("unrelated", replicas=3)
        await cluster.service("unrelated")
        if kind == "DaemonSet":  # of a Service nothing tells a status from a spec but a look
            body = {"status": {"numberAvailable": 7}}
            await cluster.kube.patch(DAEMON_SET, NAMESPACE, "podinfo", body, subresource="status")
        await cluster.canary("second")
        await ear.hears("spec", "second")
        await ear.hears("tick", "second")
        assert api.faults.counted("canarybus-watcher", "get") == before
    assert ear.changes() == []


async def test_a_daemonset_that_is_waited_for_wakes_its_canary_when_its_pods_are_there(
    begin: Begin, cluster: Cluster, ear: Ear
) -> None:
    await cluster.of_kind("DaemonSet")
    await cluster.kube.patch(DAEMON_SET, NAMESPACE, "podinfo", NEVER_READY)
    await cluster.status(phase="Promoting", settled=False, step=8, waitingFor="target")
    async with begin():
        await nothing_more(cluster, ear)
        assert ("ready", "DaemonSet/podinfo") not in ear.changes()
        ready = {"spec": {"template": {"metadata": {"annotations": {"fakelet/ready": None}}}}}
        await cluster.kube.patch(DAEMON_SET, NAMESPACE, "podinfo", ready)
        await ear.hears("ready", object="DaemonSet/podinfo")


async def test_a_parked_daemonset_in_mid_rollout_is_told_at_once(begin: Begin, cluster: Cluster, ear: Ear) -> None:
    await cluster.of_kind("DaemonSet")
    fence = {"metadata": {"annotations": {"canarybus.dev/target-step": "8"}}}
    await cluster.kube.patch(DAEMON_SET, NAMESPACE, "podinfo", fence)
    await cluster.status(phase="Progressing", settled=False, step=8, targetStep=8)
    async with begin():
        selector = {"spec": {"template": {"spec": {"nodeSelector": {SCALE_TO_ZERO: "true"}}}}}
        await cluster.kube.patch(DAEMON_SET, NAMESPACE, "podinfo", selector)
        heard = await ear.hears("revision", object="DaemonSet/podinfo")
    assert heard.body["version"].endswith(".parked")


@pytest.mark.parametrize("name", ["podinfo-primary", "podinfo-canary"])
async def test_an_edited_or_lost_copy_of_a_service_is_drift(
    begin: Begin, cluster: Cluster, ear: Ear, name: str
) -> None:
    await cluster.of_kind("Service")
    await cluster.service(name)
    async with begin():
        await nothing_more(cluster, ear)
        await cluster.kube.patch(SERVICE, NAMESPACE, name, {"spec": {"selector": {"app": "foreign"}}})
        await ear.hears("drift", object=f"Service/{name}")
        ear.forget()
        await cluster.kube.delete(SERVICE, NAMESPACE, name)
        await ear.hears("drift", object=f"Service/{name}")
