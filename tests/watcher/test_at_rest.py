"""Canaries whose rollout has ended: drift wakes them, nothing else costs anything."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.sandbox.kube import EmbeddedKubernetes
from schemas.resources import CANARY, DEPLOYMENT, ROUTE_TABLE, SERVICE
from schemas.settings import Settings
from tests.watcher.cluster import NAMESPACE, Cluster
from tests.watcher.conftest import Begin
from tests.watcher.ear import Ear
from watcher.fleet import Fleet
from watcher.index import Key


async def test_a_foreign_edit_of_the_routes_of_a_canary_at_rest_is_drift_and_its_repair_is_not(
    begin: Begin, cluster: Cluster, ear: Ear
) -> None:
    await cluster.at_rest()
    await cluster.route_table(weight=0)
    await cluster.status(phase="Progressing", waitingFor="gateway", step=8)
    async with begin():
        await cluster.report()
        await ear.hears("ready")
        await cluster.status(phase="Succeeded", waitingFor="", step=9)
        await cluster.set_weight(30)
        await ear.hears("drift")
        await cluster.set_weight(0)
        await cluster.service()
        await cluster.kube.delete(SERVICE, NAMESPACE, "podinfo")
        await ear.hears("drift", object="Service/podinfo")
        await cluster.set_weight(40)
        await ear.until(lambda heard: ear.changes().count(("drift", "RouteTable/podinfo")) == 2)
    assert ear.changes().count(("drift", "Service/podinfo")) == 1


async def test_the_gateways_own_writes_are_not_drift(begin: Begin, cluster: Cluster, ear: Ear) -> None:
    await cluster.at_rest()
    await cluster.route_table()
    await cluster.status(phase="Progressing", waitingFor="gateway", step=8)
    async with begin():
        await cluster.report()
        await ear.hears("ready")
        await cluster.status(phase="Succeeded", waitingFor="", step=9)
        await cluster.report(proxy=None)
        await cluster.report()
        await cluster.canary("other")
        await ear.hears("spec", "other")
        await cluster.service()
        await cluster.kube.delete(SERVICE, NAMESPACE, "podinfo")
        await ear.hears("drift", object="Service/podinfo")
    assert ear.changes() == [("ready", "RouteTable/podinfo"), ("drift", "Service/podinfo")]


async def test_what_we_make_equal_at_rest_is_no_drift_and_an_edit_of_it_is_told_once(
    begin: Begin, cluster: Cluster, handlers: Cluster, ear: Ear
) -> None:
    await handlers.surrounded()
    async with begin():
        for name in ("podinfo-primary", "podinfo"):
            await handlers.kube.patch(SERVICE, NAMESPACE, name, {"spec": {"selector": {"app": "ours"}}})
        edited = await cluster.kube.patch(SERVICE, NAMESPACE, "podinfo", {"spec": {"selector": {"app": "nobody"}}})
        told = await ear.hears("drift")
        await handlers.kube.patch(SERVICE, NAMESPACE, "podinfo", {"spec": {"selector": {"app": "ours"}}})
        await cluster.canary("other")
        await ear.hears("spec", "other")
    assert ear.changes() == [("drift", "Service/podinfo")]
    assert told.body["version"] == edited["metadata"]["resourceVersion"]


async def test_what_was_lost_while_no_watcher_ran_is_told_once_and_again_when_it_is_lost_again(
    begin: Begin, cluster: Cluster, ear: Ear
) -> None:
    await cluster.surrounded()
    await cluster.kube.delete(SERVICE, NAMESPACE, "podinfo-canary")
    async with begin():
        await ear.hears("drift", object="Service/podinfo-canary")
        await cluster.status(step=8)
        await cluster.service("podinfo-canary")
        await cluster.kube.delete(SERVICE, NAMESPACE, "podinfo-canary")
        await ear.until(lambda _: len(ear.changes()) >= 2)
        await cluster.canary("other")
        await ear.hears("spec", "other")
    assert ear.changes() == [("drift", "Service/podinfo-canary")] * 2


JUST_INITIALISED = {"phase": "Initialized", "settled": False}
"""The apex Service is made by the wake that commits this."""


@pytest.mark.parametrize(
    "making", [{"phase": "Initializing"}, JUST_INITIALISED, {"surroundingsOwed": 7}, {"routeStep": 0}], ids=str
)
async def test_what_is_not_made_yet_is_not_missed_and_missed_when_it_should_be_there(
    begin: Begin, cluster: Cluster, ear: Ear, making: dict[str, Any]
) -> None:
    made = await cluster.surrounded()
    await cluster.kube.delete(SERVICE, NAMESPACE, "podinfo-canary")
    await cluster.status(**making)
    async with begin():
        await cluster.canary("other")
        await ear.hears("spec", "other")
        assert "drift" not in [reason for reason, _ in ear.changes()]
        await cluster.status(**made)
        await ear.hears("drift", object="Service/podinfo-canary")


async def test_what_is_lost_while_a_canary_is_suspended_is_told_when_it_may_go_on(
    begin: Begin, cluster: Cluster, ear: Ear
) -> None:
    await cluster.surrounded()
    await cluster.kube.patch(CANARY, NAMESPACE, "podinfo", {"spec": {"suspend": True}})
    async with begin():
        await cluster.kube.delete(SERVICE, NAMESPACE, "podinfo-canary")
        await cluster.canary("other")
        await ear.hears("spec", "other")
        assert "drift" not in [reason for reason, _ in ear.changes()]
        await cluster.kube.patch(CANARY, NAMESPACE, "podinfo", {"spec": {"suspend": False}})
        await ear.hears("drift", object="Service/podinfo-canary")


async def _seen_accepted(cluster: Cluster, ear: Ear, **status: Any) -> None:
    """The watcher knows its routes: what it never read before has moved nobody knows from where."""
    await cluster.report()
    await ear.hears("ready")
    await cluster.status(phase="Succeeded", waitingFor="", step=9, **status)
    ear.forget()


async def test_routes_that_the_gateway_begins_to_refuse_wake_a_canary_at_rest_and_its_acceptance_does_again(
    begin: Begin, cluster: Cluster, ear: Ear
) -> None:
    await cluster.at_rest()
    await cluster.route_table()
    await cluster.status(phase="Progressing", waitingFor="gateway", step=8)
    async with begin():
        await _seen_accepted(cluster, ear)
        await cluster.report(proxy="Warning")
        await ear.hears("ready", object="RouteTable/podinfo")
        await cluster.status(waitingFor="gateway", step=10)
        await ear.counts("podinfo", 2)
        await cluster.report()
        await ear.counts("podinfo", 3)


async def test_the_first_report_of_a_gateway_that_was_silent_wakes_a_canary_at_rest(
    begin: Begin, cluster: Cluster, ear: Ear
) -> None:
    await cluster.at_rest()
    await cluster.route_table()
    await cluster.status(phase="Progressing", waitingFor="gateway", step=8)
    async with begin():
        await _seen_accepted(cluster, ear, gatewaySilent=True)
        await cluster.report("Accepted", proxy="Pending")
        await cluster.report()
        await ear.counts("podinfo", 1)
    assert ear.changes() == [("ready", "RouteTable/podinfo")]


async def test_an_idle_canary_costs_no_call_to_the_api_while_the_cluster_around_it_moves(
    begin: Begin, cluster: Cluster, ear: Ear, api: EmbeddedKubernetes
) -> None:
    def reads() -> int:
        agent = "canarybus-watcher"
        return sum(api.faults.counted(agent, verb) for verb in ("get", "patch", "update", "create", "delete"))

    for name in ("one", "two", "three"):
        await cluster.at_rest(name)
    async with begin():
        await cluster.canary("first")
        await ear.hears("spec", "first")
        await ear.hears("tick", "first")
        before = reads()
        await cluster.deployment("unrelated", replicas=3)
        await cluster.set_image("stefanprodan/podinfo:6.0.9", "unrelated")
        for name in ("one", "two", "three"):  # their status moves: no other content
            body = {"status": {"conditions": [{"type": "Touched", "status": "True"}]}}
            await cluster.kube.patch(DEPLOYMENT, NAMESPACE, name, body, subresource="status")
        await cluster.canary("second")
        await ear.hears("spec", "second")
        await ear.hears("tick", "second")
        assert reads() == before
    assert [one for one in ear.heard if one.what[1] in ("one", "two", "three")] == []


async def test_an_object_that_nobody_can_read_stands_in_the_way_of_its_canary_alone(
    begin: Begin, cluster: Cluster, ear: Ear
) -> None:
    await cluster.at_rest("odd")
    await cluster.route_table("odd")
    await cluster.status("odd", phase="Progressing", waitingFor="gateway", step=8)
    await cluster.kube.patch(ROUTE_TABLE, NAMESPACE, "odd", {"status": {"statuses": {"gloo-system": "no report"}}})
    await cluster.at_rest()
    async with begin():
        await ear.hears("tick", "odd")
        await cluster.set_image("stefanprodan/podinfo:6.0.1")
        await ear.hears("revision")
        await cluster.report(name="odd")
        await ear.hears("ready", "odd")


def test_a_namespace_that_is_not_listed_yet_makes_no_target_missing() -> None:
    fleet = Fleet(Settings(namespaces=("elsewhere", NAMESPACE)), lambda: 0)
    target = Key(DEPLOYMENT.kind, NAMESPACE, "podinfo")
    fleet.listed(DEPLOYMENT.kind, "elsewhere")
    assert not fleet.knows(target)
    fleet.listed(DEPLOYMENT.kind, NAMESPACE)
    assert fleet.knows(target)
