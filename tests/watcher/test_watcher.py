"""Whole watchers on a real nats-server and an API server: what a Canary's world does, and what the bus hears of it."""

from __future__ import annotations

from deploy.sandbox.kube import EmbeddedKubernetes
from schemas.resources import DEPLOYMENT
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
