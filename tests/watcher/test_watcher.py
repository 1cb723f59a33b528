"""Whole watchers on a real nats-server and an API server: what a Canary's world does, and what the bus hears of it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from deploy.sandbox.kube import EmbeddedKubernetes
from handlers.adapters.round_trip import round_trip
from schemas.canary import FINALIZER
from schemas.resources import CANARY, DEPLOYMENT, ROUTE_TABLE
from tests.handlers.adapters.natsserver import NatsServer
from tests.watcher.cluster import NAMESPACE, Cluster
from tests.watcher.conftest import Begin
from tests.watcher.ear import Ear


async def test_a_new_canary_is_announced_and_ticked(begin: Begin, cluster: Cluster, ear: Ear) -> None:
    async with begin():
        await cluster.canary()
        change = await ear.hears("spec")
        tick = await ear.hears("tick")
    assert (change.body["namespace"], change.body["object"]) == (NAMESPACE, "Canary/podinfo")
    assert tick.body["interval"] == 600.0


async def test_nothing_is_published_for_the_canary_of_another_provider(
    begin: Begin, cluster: Cluster, ear: Ear
) -> None:
    async with begin():
        await cluster.canary("theirs", provider="istio")
        await cluster.deployment("theirs")
        await cluster.canary("ours")
        await ear.hears("spec", "ours")
        await ear.hears("tick", "ours")
    assert [one.what for one in ear.heard if one.what[1] == "theirs"] == []


async def test_a_new_image_announces_a_revision_once(begin: Begin, cluster: Cluster, ear: Ear) -> None:
    async with begin():
        await cluster.at_rest()
        await ear.hears("spec")
        ear.forget()
        await cluster.set_image("stefanprodan/podinfo:6.0.1")
        await ear.hears("revision")
        await cluster.kube.patch(DEPLOYMENT, NAMESPACE, "podinfo", {"metadata": {"labels": {"touched": "yes"}}})
        await cluster.canary("other")
        await ear.hears("spec", "other")
    assert ear.changes() == [("revision", "Deployment/podinfo")]


async def test_a_revision_pushed_while_no_watcher_ran_is_announced(begin: Begin, cluster: Cluster, ear: Ear) -> None:
    await cluster.at_rest()
    await cluster.set_image("stefanprodan/podinfo:6.0.1")
    async with begin():
        await ear.hears("revision")
    assert ear.changes() == [("revision", "Deployment/podinfo")]


async def test_a_revision_that_was_not_acted_upon_is_announced_again_when_the_phase_ends(
    begin: Begin, cluster: Cluster, ear: Ear
) -> None:
    await cluster.at_rest()
    analysed = await cluster.revision()
    await cluster.status(phase="Promoting", settled=False, step=8, lastAppliedSpec=analysed, canaryRevision=analysed)
    async with begin():
        await ear.hears("tick")
        await cluster.set_image("stefanprodan/podinfo:6.0.2")
        first = await ear.hears("revision")
        await cluster.status(step=9)
        await cluster.status(phase="Succeeded", settled=True, step=10)
        await ear.until(lambda heard: len([one for one in heard if one.what[0] == "revision"]) == 2)
    again = [one for one in ear.heard if one.what[0] == "revision"][-1]
    assert again.id != first.id
    assert ear.changes() == [("revision", "Deployment/podinfo")] * 2


async def test_an_unchanged_canary_at_rest_is_not_announced_at_all(begin: Begin, cluster: Cluster, ear: Ear) -> None:
    await cluster.at_rest()
    async with begin():
        await cluster.canary("other")
        await ear.hears("spec", "other")
    assert ear.changes() == []
    assert ear.ticks() == []


async def test_the_stream_that_was_deleted_comes_back_and_what_was_lost_with_it_is_said_again(
    begin: Begin, cluster: Cluster, nats_server: NatsServer
) -> None:
    await cluster.at_rest()
    await cluster.set_image("stefanprodan/podinfo:6.0.1")
    client = await nats_server.connect()
    published = await client.subscribe("canary.revision.>")
    await round_trip(client)
    async with begin():
        await published.next_msg(timeout=5)
        await client.jetstream().delete_stream("CANARY_REVISIONS")
        async with Ear(nats_server) as ear:
            await ear.hears("revision")
    await client.close()
    assert ear.changes() == [("revision", "Deployment/podinfo")]


async def test_dropped_watches_and_forgotten_versions_lose_nothing_and_repeat_nothing(
    begin: Begin, cluster: Cluster, ear: Ear, api: EmbeddedKubernetes
) -> None:
    await cluster.at_rest()
    await cluster.at_rest("other")
    async with begin():
        for version in range(3):
            api.faults.compact()
            api.faults.drop_watches()
            await cluster.set_image(f"stefanprodan/podinfo:6.1.{version}")
            await ear.counts("podinfo", version + 1)
    assert ear.changes() == [("revision", "Deployment/podinfo")] * 3
    assert ear.changes("other") == []


async def test_two_watchers_publish_each_tick_and_each_change_once(begin: Begin, cluster: Cluster, ear: Ear) -> None:
    await cluster.canary(interval="300ms")
    async with begin(), begin():
        await ear.until(lambda heard: len(ear.ticks()) >= 6)
    ids = [tick.id for tick in ear.ticks()]
    slots = [datetime.fromisoformat(tick.body["slot"]).timestamp() for tick in ear.ticks()]
    assert len(set(ids)) == len(ids)
    assert {round(after - before, 3) for before, after in pairwise(slots[1:])} == {0.3}
    assert ear.changes() == [("spec", "Canary/podinfo")]


async def test_a_watcher_that_starts_again_does_not_repeat_a_slot_that_was_judged(
    begin: Begin, cluster: Cluster, ear: Ear
) -> None:
    await cluster.canary()
    async with begin():
        tick = await ear.hears("tick")
    await cluster.status(phase="Progressing", lastTick=tick.body["slot"])
    ear.forget()
    async with begin():
        await cluster.canary("other")
        await ear.hears("tick", "other")
    assert ear.ticks() == []


async def test_the_slots_of_an_analysis_are_counted_from_its_first(begin: Begin, cluster: Cluster, ear: Ear) -> None:
    await cluster.canary(interval="300ms")
    first = datetime.now(UTC).replace(microsecond=123_000)
    await cluster.status(phase="Progressing", lastTick=first.isoformat(), slotsFrom=first.isoformat())
    async with begin():
        await ear.until(lambda heard: len(ear.ticks()) >= 3)
    slots = [datetime.fromisoformat(tick.body["slot"]) - first for tick in ear.ticks()]
    assert {slot % timedelta(milliseconds=300) for slot in slots} == {timedelta()}


async def test_a_target_that_becomes_ready_wakes_the_canary_that_waits_for_it(
    begin: Begin, cluster: Cluster, ear: Ear
) -> None:
    await cluster.at_rest()
    await cluster.status(phase="Progressing", settled=True, waitingFor="target", step=8)
    async with begin():
        await ear.hears("tick")
        assert ear.changes() == []  # parked at zero replicas it is not what is waited for
        await cluster.kube.patch(DEPLOYMENT, NAMESPACE, "podinfo", {"spec": {"replicas": 2}})
        ready = await ear.hears("ready")
    assert ready.body["object"] == "Deployment/podinfo"


async def test_the_gateways_complete_verdict_wakes_the_canary_that_waits_for_it(
    begin: Begin, cluster: Cluster, ear: Ear
) -> None:
    await cluster.at_rest()
    await cluster.route_table()
    await cluster.status(phase="Progressing", waitingFor="gateway", step=8)
    async with begin():
        await ear.hears("tick")
        await cluster.report(proxy=None)
        await cluster.report(proxy="Accepted")
        verdict = await ear.hears("ready")
    found = await cluster.kube.get(ROUTE_TABLE, NAMESPACE, "podinfo")
    assert ear.changes() == [("ready", "RouteTable/podinfo")]
    assert verdict.body["version"] == f"{found['metadata']['resourceVersion']}.8"


async def test_what_happened_before_the_status_said_that_it_is_awaited_wakes_the_canary_too(
    begin: Begin, cluster: Cluster, ear: Ear
) -> None:
    await cluster.at_rest()
    await cluster.route_table()
    await cluster.status(phase="Progressing", step=8)
    async with begin():
        await ear.hears("tick")
        await cluster.report(proxy="Accepted")
        await cluster.status(waitingFor="gateway", routeStep=9, step=9)
        await ear.hears("ready", object="RouteTable/podinfo")


async def test_a_deleted_canary_is_announced_and_goes_on_ticking_until_it_is_gone(
    begin: Begin, cluster: Cluster, ear: Ear
) -> None:
    await cluster.at_rest()
    finalizers = {"metadata": {"finalizers": [FINALIZER]}}
    await cluster.kube.patch(CANARY, NAMESPACE, "podinfo", finalizers)
    async with begin() as watcher:
        await cluster.kube.delete(CANARY, NAMESPACE, "podinfo")
        await ear.hears("deleted")
        await ear.hears("tick")
        ear.forget()
        await cluster.kube.patch(CANARY, NAMESPACE, "podinfo", {"metadata": {"finalizers": []}})
        gone = await ear.hears("deleted")
        await cluster.canary("other")
        await ear.hears("spec", "other")
        assert gone.body["object"] == "Deployment/podinfo"
        assert [record.watched.ref.name for record in watcher.fleet.records.values()] == ["other"]


@pytest.mark.parametrize("shared", ["target", "service"])
async def test_a_canary_that_stood_back_is_woken_when_the_other_goes(
    begin: Begin, cluster: Cluster, ear: Ear, shared: str
) -> None:
    await cluster.at_rest()
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo" if shared == "target" else "second"}
    await cluster.canary("second", targetRef=target, service={"name": "podinfo", "port": 9898})
    await cluster.status("second", invalidSince="2026-03-01T00:00:00Z", observedGeneration=1, step=1)
    async with begin():
        await ear.hears("tick", "second")
        await cluster.kube.delete(CANARY, NAMESPACE, "podinfo")
        ready = await ear.hears("ready", "second")
    assert ready.body["object"] == "Canary/podinfo"


async def test_an_idle_canary_is_looked_at_every_resync(begin: Begin, cluster: Cluster, ear: Ear) -> None:
    await cluster.at_rest()
    async with begin(resync=0.5):
        await ear.until(lambda heard: len([one for one in heard if one.what[0] == "resync"]) >= 2)
    assert len({one.id for one in ear.heard}) == len(ear.heard)


async def test_a_canary_that_runs_is_looked_at_every_resync_too(begin: Begin, cluster: Cluster, ear: Ear) -> None:
    await cluster.at_rest()
    await cluster.status(phase="Progressing", settled=False, step=8)
    async with begin(resync=0.5):
        await ear.until(lambda heard: len([one for one in heard if one.what[0] == "resync"]) >= 2)


async def test_a_suspended_canary_is_not_resynced(begin: Begin, cluster: Cluster, ear: Ear) -> None:
    await cluster.at_rest()
    await cluster.at_rest("other")
    await cluster.kube.patch(CANARY, NAMESPACE, "podinfo", {"spec": {"suspend": True}})
    async with begin(resync=0.3):
        await ear.until(lambda heard: len([one for one in heard if one.what[:2] == ("resync", "other")]) >= 2)
    assert "resync" not in [reason for reason, _ in ear.changes()]


async def test_the_bus_may_be_away_and_at_most_the_present_slot_is_published_when_it_is_back(
    begin: Begin, cluster: Cluster, ear: Ear, nats_server: NatsServer
) -> None:
    await cluster.canary(interval="200ms")
    async with begin() as watcher:
        await ear.hears("tick")
        gone, doubt = asyncio.Event(), watcher.connection.on_change

        def has_gone() -> None:
            doubt()
            gone.set()

        watcher.connection.on_change = has_gone
        nats_server.kill()
        await gone.wait()
        ear.forget()
        back = datetime.now(UTC)
        nats_server.start()
        tick = await ear.hears("tick")
    assert datetime.fromisoformat(tick.body["slot"]) > back - timedelta(seconds=0.2)


async def test_a_canary_whose_status_only_a_newer_release_can_read_is_told_of_once_and_neither_ticked_nor_missed(
    begin: Begin, cluster: Cluster, ear: Ear
) -> None:
    await cluster.canary(interval="10s")
    await cluster.status(phase="Promoting", returning={"phase": "Landing"})
    await cluster.canary("theirs", provider="istio")
    await cluster.status("theirs", returning={"phase": "Landing"})
    async with begin():
        change = await ear.hears("spec")
        await cluster.status(step=8)
        await cluster.canary("other")
        await ear.hears("tick", "other")
        assert [one.what[:2] for one in ear.heard if one.what[1] != "other"] == [("spec", "podinfo")]
        await cluster.status(returning=None)
        await ear.hears("tick")
    assert change.body["version"] == "unreadable"
