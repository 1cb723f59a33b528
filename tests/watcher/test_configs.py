"""ConfigMaps and Secrets that a target reads: another content wakes its Canary at once, nothing else does."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.sandbox.kube import EmbeddedKubernetes
from handlers.adapters.kube import Object
from schemas.configs import checksum
from schemas.resources import CONFIG_MAP, SECRET
from tests.watcher.cluster import NAMESPACE, Cluster
from tests.watcher.conftest import Begin
from tests.watcher.ear import Ear

BLUE, GREEN = {"colour": "blue"}, {"colour": "green"}


async def config(cluster: Cluster, name: str = "colour", data: dict[str, str] | None = None, **more: Any) -> Object:
    body = {"metadata": {"name": name, "namespace": NAMESPACE}, "data": data or BLUE, **more}
    return await cluster.kube.create(CONFIG_MAP, body)


async def tracking(cluster: Cluster, *items: Object, missing: tuple[str, ...] = ()) -> None:
    """At rest with those objects taken in, as the handlers leave it."""
    await cluster.at_rest()
    names = {f"{item['kind'].lower()}/{item['metadata']['name']}": item for item in items}
    tracked = {name: checksum(item) for name, item in names.items()}
    versions = {name: item["metadata"]["resourceVersion"] for name, item in names.items()}
    revision = await cluster.revision(configs=tracked)
    versions |= dict.fromkeys(missing, "")
    await cluster.status(trackedConfigs=tracked, trackedConfigVersions=versions)
    await cluster.status(lastAppliedSpec=revision, canaryRevision=revision)


async def recolour(cluster: Cluster, data: dict[str, str] = GREEN, name: str = "colour") -> None:
    await cluster.kube.patch(CONFIG_MAP, NAMESPACE, name, {"data": data})


async def others_are_served(cluster: Cluster, ear: Ear) -> None:
    """By then whatever happened before was looked at."""
    await cluster.canary("other")
    await ear.hears("spec", "other")


async def test_another_content_wakes_the_canary_once(begin: Begin, cluster: Cluster, ear: Ear) -> None:
    await tracking(cluster, await config(cluster))
    async with begin():
        await recolour(cluster)
        await ear.hears("revision", object="ConfigMap/colour")
        await others_are_served(cluster, ear)
    assert ear.changes() == [("revision", "ConfigMap/colour")]


async def test_a_secret_that_changed_while_nobody_watched_wakes_the_canary(
    begin: Begin, cluster: Cluster, ear: Ear
) -> None:
    secret = await cluster.kube.create(
        SECRET, {"metadata": {"name": "token", "namespace": NAMESPACE}, "data": {"a": "YQ=="}}
    )
    await tracking(cluster, secret)
    await cluster.kube.patch(SECRET, NAMESPACE, "token", {"data": {"a": "Yg=="}})
    async with begin():
        await ear.hears("revision", object="Secret/token")
    assert ear.changes() == [("revision", "Secret/token")]


async def test_metadata_alone_starts_nothing_and_is_looked_at_once(
    begin: Begin, cluster: Cluster, ear: Ear, api: EmbeddedKubernetes
) -> None:
    await tracking(cluster, await config(cluster))
    async with begin():
        await others_are_served(cluster, ear)
        before = api.faults.counted("canarybus-watcher", "get")
        await cluster.kube.patch(CONFIG_MAP, NAMESPACE, "colour", {"metadata": {"labels": {"team": "a"}}})
        await cluster.canary("second")
        await ear.hears("spec", "second")
        await cluster.status(conditions=[])  # the Canary moves: it is compared again
        await cluster.canary("third")
        await ear.hears("spec", "third")
        assert api.faults.counted("canarybus-watcher", "get") - before == 1
    assert ear.changes() == []


async def test_what_nobody_reads_costs_nothing(
    begin: Begin, cluster: Cluster, ear: Ear, api: EmbeddedKubernetes
) -> None:
    await tracking(cluster, await config(cluster))
    await config(cluster, "unrelated")
    async with begin():
        await others_are_served(cluster, ear)
        before = api.faults.counted("canarybus-watcher", "get")
        await recolour(cluster, name="unrelated")
        await cluster.canary("second")
        await ear.hears("spec", "second")
        assert api.faults.counted("canarybus-watcher", "get") == before
    assert ear.changes() == []


async def test_an_object_that_goes_wakes_the_canary(begin: Begin, cluster: Cluster, ear: Ear) -> None:
    await tracking(cluster, await config(cluster))
    async with begin():
        await cluster.kube.delete(CONFIG_MAP, NAMESPACE, "colour")
        await ear.hears("revision", object="ConfigMap/colour")


async def test_an_optional_object_that_comes_wakes_the_canary(begin: Begin, cluster: Cluster, ear: Ear) -> None:
    await tracking(cluster, missing=("configmap/later",))
    async with begin():
        await others_are_served(cluster, ear)
        assert ear.changes() == []
        await config(cluster, "later")
        await ear.hears("revision", object="ConfigMap/later")


@pytest.mark.parametrize("phase", ["", "Progressing"])
async def test_the_object_that_an_invalid_canary_misses_wakes_it(
    begin: Begin, cluster: Cluster, ear: Ear, phase: str
) -> None:
    await tracking(cluster, missing=("configmap/later",))
    await cluster.status(phase=phase, invalidSince="2026-03-01T00:00:00Z")
    async with begin():
        await others_are_served(cluster, ear)
        await config(cluster, "later")
        await ear.hears("revision", object="ConfigMap/later")


async def test_an_object_that_opts_out_wakes_the_canary(begin: Begin, cluster: Cluster, ear: Ear) -> None:
    """Its primary is to read the original from now on."""
    await tracking(cluster, await config(cluster))
    async with begin():
        out = {"metadata": {"annotations": {"flagger.app/config-tracking": "disabled"}}}
        await cluster.kube.patch(CONFIG_MAP, NAMESPACE, "colour", out)
        await ear.hears("revision", object="ConfigMap/colour")


@pytest.mark.parametrize(("data", "told"), [(BLUE, False), (GREEN, True)])
async def test_checksums_that_the_peer_left_are_compared_with_what_is_there(
    begin: Begin, cluster: Cluster, ear: Ear, data: dict[str, str], told: bool
) -> None:
    """It kept no versions."""
    await tracking(cluster, await config(cluster))
    await cluster.status(trackedConfigVersions={"configmap/colour": None})
    await recolour(cluster, data)
    async with begin():
        if told:
            await ear.hears("revision", object="ConfigMap/colour")
        await others_are_served(cluster, ear)
    assert (("revision", "ConfigMap/colour") in ear.changes()) is told


async def test_without_tracking_contents_are_not_even_watched(begin: Begin, cluster: Cluster, ear: Ear) -> None:
    await tracking(cluster, await config(cluster))
    async with begin(config_tracking=False) as watcher:
        assert not {stream.resource.kind for stream in watcher.streams} & {"ConfigMap", "Secret"}
        await recolour(cluster)
        await others_are_served(cluster, ear)
    assert ear.changes() == []


# ---- the primary's copies


async def test_a_copy_that_somebody_edits_or_deletes_is_drift(begin: Begin, cluster: Cluster, ear: Ear) -> None:
    await tracking(cluster, await config(cluster))
    await config(cluster, "colour-primary")
    async with begin():
        await recolour(cluster, name="colour-primary")
        await ear.hears("drift", object="ConfigMap/colour-primary")
        ear.forget()
        await cluster.kube.delete(CONFIG_MAP, NAMESPACE, "colour-primary")
        await ear.hears("drift", object="ConfigMap/colour-primary")


async def test_a_copy_that_is_written_in_a_rollout_is_no_drift(begin: Begin, cluster: Cluster, ear: Ear) -> None:
    await tracking(cluster, await config(cluster))
    await config(cluster, "colour-primary")
    await cluster.status(phase="Promoting")
    async with begin():
        await recolour(cluster, name="colour-primary")
        await others_are_served(cluster, ear)
    assert ear.changes() == []
