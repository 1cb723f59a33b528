"""Watches: order, selectors, bookmarks, ends."""

from __future__ import annotations

import pytest

from .client import Kube, path
from .conftest import Widgets, configmap

META_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
META = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"


@pytest.mark.parametrize("truth", ["true", "1", "True"])
async def test_a_watch_from_a_list_tells_everything_after_it(kube: Kube, ns: str, truth: str) -> None:
    await kube.post(path("configmaps", ns), configmap("before", {"w": "1"}))
    listed = await kube.get(path("configmaps", ns), labelSelector="w=1")
    await kube.post(path("configmaps", ns), configmap("early", {"w": "1"}))
    async with kube.watch(
        path("configmaps", ns), watch=truth, resourceVersion=listed.rv, labelSelector="w=1"
    ) as events:
        assert await events.named() == ("ADDED", "early")
        await kube.patch(path("configmaps", ns, "before"), {"data": {"a": "1"}})
        assert await events.named() == ("MODIFIED", "before")
        await kube.delete(path("configmaps", ns, "before"))
        assert await events.named() == ("DELETED", "before")


async def test_a_watch_from_nowhere_begins_with_what_is_there(kube: Kube, ns: str) -> None:
    await kube.post(path("configmaps", ns), configmap("old", {"w": "1"}))
    for start in ({}, {"resourceVersion": "0"}):
        async with kube.watch(path("configmaps", ns), labelSelector="w=1", **start) as events:
            assert await events.named() == ("ADDED", "old")


async def test_an_event_carries_the_whole_object_and_rising_versions(kube: Kube, ns: str) -> None:
    listed = await kube.get(path("configmaps", ns))
    async with kube.watch(path("configmaps", ns), resourceVersion=listed.rv, labelSelector="w=1") as events:
        created = (await kube.post(path("configmaps", ns), configmap("x", {"w": "1"}, a="1"))).body
        event = await events.next()
        assert event["object"]["data"] == {"a": "1"}
        assert (event["object"]["kind"], event["object"]["apiVersion"]) == ("ConfigMap", "v1")
        assert event["object"]["metadata"]["resourceVersion"] == created["metadata"]["resourceVersion"]
        await kube.delete(path("configmaps", ns, "x"))
        deleted = (await events.next())["object"]
        assert int(deleted["metadata"]["resourceVersion"]) > int(created["metadata"]["resourceVersion"])
        assert deleted["data"] == {"a": "1"}


async def test_leaving_a_selection_looks_like_a_deletion_and_coming_back_like_an_addition(kube: Kube, ns: str) -> None:
    listed = await kube.get(path("configmaps", ns))
    await kube.post(path("configmaps", ns), configmap("x", {"w": "1"}))
    async with kube.watch(path("configmaps", ns), resourceVersion=listed.rv, labelSelector="w=1") as events:
        assert await events.named() == ("ADDED", "x")
        await kube.patch(path("configmaps", ns, "x"), {"metadata": {"labels": {"w": "2"}}})
        assert await events.named() == ("DELETED", "x")
        await kube.patch(path("configmaps", ns, "x"), {"metadata": {"labels": {"w": "1"}}})
        assert await events.named() == ("ADDED", "x")


async def test_one_object_can_be_watched_by_name(kube: Kube, ns: str) -> None:
    listed = await kube.get(path("configmaps", ns))
    async with kube.watch(
        path("configmaps", ns), resourceVersion=listed.rv, fieldSelector="metadata.name=this"
    ) as events:
        await kube.post(path("configmaps", ns), configmap("other"))
        await kube.post(path("configmaps", ns), configmap("this"))
        assert await events.named() == ("ADDED", "this")


async def test_a_watch_ends_when_its_time_is_over(kube: Kube, ns: str) -> None:
    listed = await kube.get(path("configmaps", ns), fieldSelector="metadata.name=none")
    async with kube.watch(
        path("configmaps", ns), resourceVersion=listed.rv, fieldSelector="metadata.name=none", timeoutSeconds=1
    ) as events:
        assert await events.rest() == []


async def test_a_watch_of_metadata_carries_nothing_else(kube: Kube, ns: str) -> None:
    listed = await kube.get(path("secrets", ns), accept=META_LIST)
    async with kube.watch(path("secrets", ns), accept=META, resourceVersion=listed.rv) as events:
        await kube.post(path("secrets", ns), {"metadata": {"name": "s"}, "stringData": {"password": "hidden"}})
        event = await events.next()
    assert event["type"] == "ADDED"
    assert event["object"]["kind"] == "PartialObjectMetadata"
    assert event["object"]["metadata"]["name"] == "s"
    assert "data" not in event["object"]


async def test_a_watch_from_too_long_ago_is_told_410(widgets: Widgets) -> None:
    await widgets.kube.post(widgets.path(), widgets.obj(size=1, a="1"))
    async with widgets.kube.watch(widgets.path(), resourceVersion="1") as events:
        event = await events.next()
    assert event["type"] == "ERROR"
    assert event["object"]["code"] == 410
    assert event["object"]["reason"] == "Expired"
    assert event["object"]["message"].startswith("too old resource version: 1 (")


async def test_a_watch_with_a_garbled_version_is_refused(kube: Kube, ns: str) -> None:
    assert (await kube.get(path("configmaps", ns), watch=True, resourceVersion="abc")).code == 500


async def test_a_deletion_with_finalizers_is_a_modification_first(kube: Kube, ns: str) -> None:
    body = configmap("held", {"w": "1"})
    body["metadata"]["finalizers"] = ["example.com/hold"]
    listed = await kube.get(path("configmaps", ns))
    async with kube.watch(path("configmaps", ns), resourceVersion=listed.rv, labelSelector="w=1") as events:
        await kube.post(path("configmaps", ns), body)
        await kube.delete(path("configmaps", ns, "held"))
        await kube.patch(path("configmaps", ns, "held"), {"metadata": {"finalizers": None}})
        seen = [await events.named() for _ in range(3)]
    assert seen == [("ADDED", "held"), ("MODIFIED", "held"), ("DELETED", "held")]
