"""Lists: selectors, pages, versions, forms."""

from __future__ import annotations

import asyncio

import pytest

from .client import Kube, Object, path
from .conftest import Widgets, configmap, deployment

MINE = "suite=contract"


async def _three(kube: Kube, ns: str) -> None:
    for name, tier in (("a", "front"), ("b", "back"), ("c", "")):
        labels = {"suite": "contract"} | ({"tier": tier} if tier else {})
        await kube.post(path("configmaps", ns), configmap(name, labels))


def _names(listed: Object) -> list[str]:
    return [item["metadata"]["name"] for item in listed["items"]]


async def test_a_list_is_in_order_and_says_its_kind_once(kube: Kube, ns: str) -> None:
    await _three(kube, ns)
    listed = (await kube.get(path("configmaps", ns), labelSelector=MINE)).expect(200)
    assert (listed["kind"], listed["apiVersion"]) == ("ConfigMapList", "v1")
    assert _names(listed) == ["a", "b", "c"]
    assert all("kind" not in item for item in listed["items"])
    assert int(listed["metadata"]["resourceVersion"]) >= int(listed["items"][-1]["metadata"]["resourceVersion"])


async def test_items_of_a_custom_list_say_what_they_are(widgets: Widgets) -> None:
    await widgets.kube.post(widgets.path(), widgets.obj(size=1, a="1"))
    listed = (await widgets.kube.get(widgets.path())).expect(200)
    assert listed["kind"] == "WidgetList"
    assert listed["items"][0]["kind"] == "Widget"


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("tier=front", ["a"]),
        ("tier==front", ["a"]),
        ("tier!=front", ["b", "c"]),
        ("tier in (front,back)", ["a", "b"]),
        ("tier notin (front)", ["b", "c"]),
        ("tier", ["a", "b"]),
        ("!tier", ["c"]),
        ("tier,tier!=back", ["a"]),
    ],
)
async def test_labels_select(kube: Kube, ns: str, selector: str, expected: list[str]) -> None:
    await _three(kube, ns)
    listed = await kube.get(path("configmaps", ns), labelSelector=f"{MINE},{selector}")
    assert _names(listed.expect(200)) == expected


async def test_a_name_can_be_selected_as_a_field(kube: Kube, ns: str) -> None:
    await _three(kube, ns)
    assert _names((await kube.get(path("configmaps", ns), fieldSelector="metadata.name=b")).body) == ["b"]
    everywhere = await kube.get(path("configmaps"), fieldSelector=f"metadata.namespace={ns}", labelSelector=MINE)
    assert _names(everywhere.expect(200)) == ["a", "b", "c"]


async def test_pods_can_be_selected_by_node_and_phase(kube: Kube, ns: str) -> None:
    await kube.post(path("deployments", ns), deployment(replicas=1))
    await kube.until(path("deployments", ns, "podinfo"), lambda obj: obj.get("status", {}).get("readyReplicas") == 1)
    running = await kube.get(path("pods", ns), fieldSelector="status.phase=Running,spec.nodeName=fake")
    assert len(running.expect(200)["items"]) == 1
    assert (await kube.get(path("pods", ns), fieldSelector="spec.nodeName=other")).body["items"] == []


async def test_events_can_be_selected_by_the_object_they_are_about(kube: Kube, ns: str) -> None:
    for name, about in (("e1", "podinfo"), ("e2", "other")):
        involved = {"kind": "Canary", "name": about, "namespace": ns, "apiVersion": "flagger.app/v1beta1"}
        body = {"metadata": {"name": name}, "involvedObject": involved, "reason": "Synced", "type": "Normal"}
        (await kube.post(path("events", ns), body)).expect(201)
    found = await kube.get(path("events", ns), fieldSelector="involvedObject.name=podinfo,involvedObject.kind=Canary")
    assert _names(found.expect(200)) == ["e1"]


@pytest.mark.parametrize("query", [{"labelSelector": "a b"}, {"fieldSelector": "data.x=1"}, {"continue": "abc"}])
async def test_what_cannot_be_selected_is_refused_with_400(kube: Kube, ns: str, query: dict[str, str]) -> None:
    assert (await kube.get(path("configmaps", ns), **query)).expect(400)["reason"] == "BadRequest"


async def test_a_list_comes_in_pages_that_are_one_moment(kube: Kube, ns: str) -> None:
    await _three(kube, ns)
    first = (await kube.get(path("configmaps", ns), limit=2, labelSelector=MINE)).expect(200)
    assert _names(first) == ["a", "b"]
    await kube.post(path("configmaps", ns), configmap("bb", {"suite": "contract"}))
    token = first["metadata"]["continue"]
    second = (await kube.get(path("configmaps", ns), limit=2, labelSelector=MINE, **{"continue": token})).expect(200)
    assert _names(second) == ["c"]
    assert "continue" not in second["metadata"]
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


async def test_a_page_says_how_many_are_left(kube: Kube, ns: str) -> None:
    await _three(kube, ns)
    await kube.until(path("configmaps", ns, "kube-root-ca.crt"), bool)
    page = (await kube.get(path("configmaps", ns), limit=1)).expect(200)
    assert page["metadata"]["remainingItemCount"] == 3


async def test_metadata_alone_can_be_listed(kube: Kube, ns: str) -> None:
    await kube.post(path("secrets", ns), {"metadata": {"name": "s"}, "stringData": {"password": "hidden"}})
    accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    listed = (await kube.get(path("secrets", ns), accept=accept)).expect(200)
    assert listed["kind"] == "PartialObjectMetadataList"
    assert _names(listed) == ["s"]
    assert "hidden" not in str(listed)
    assert all("data" not in item for item in listed["items"])


async def test_a_collection_can_be_deleted_by_selector(kube: Kube, ns: str) -> None:
    await _three(kube, ns)
    (await kube.delete(path("configmaps", ns), labelSelector=f"{MINE},tier")).expect(200)
    assert _names((await kube.get(path("configmaps", ns), labelSelector=MINE)).body) == ["c"]


async def test_lists_across_namespaces_and_within_one(kube: Kube, ns: str) -> None:
    await _three(kube, ns)
    inside, everywhere = await asyncio.gather(kube.get(path("configmaps", ns)), kube.get(path("configmaps")))
    assert {"a", "b", "c"} <= set(_names(inside.body))
    assert all(item["metadata"]["namespace"] == ns for item in inside.body["items"])
    assert len(everywhere.body["items"]) > len(inside.body["items"])
