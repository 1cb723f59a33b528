"""Patches: merge, JSON, strategic merge."""

from __future__ import annotations

from typing import Any

import pytest

from .client import JSON_PATCH, MERGE, STRATEGIC, Kube, Object, path
from .conftest import Widgets, configmap, deployment


async def test_a_merge_patch_adds_changes_and_removes(kube: Kube, ns: str) -> None:
    await kube.post(path("configmaps", ns), configmap(keep="1", change="1", drop="1"))
    change = {"data": {"change": "2", "drop": None, "add": "1"}}
    assert (await kube.patch(path("configmaps", ns, "one"), change)).expect(200)["data"] == {
        "keep": "1",
        "change": "2",
        "add": "1",
    }


async def test_a_merge_patch_replaces_lists(kube: Kube, ns: str) -> None:
    await kube.post(path("deployments", ns), deployment(replicas=0))
    containers = [{"name": "other", "image": "i:1"}]
    change = {"spec": {"template": {"spec": {"containers": containers}}}}
    patched = (await kube.patch(path("deployments", ns, "podinfo"), change)).expect(200)
    assert [one["name"] for one in patched["spec"]["template"]["spec"]["containers"]] == ["other"]


JSON_PATCHES: dict[str, tuple[list[Object], dict[str, str]]] = {
    "add": ([{"op": "add", "path": "/data/b", "value": "2"}], {"a": "1", "b": "2"}),
    "replace": ([{"op": "replace", "path": "/data/a", "value": "2"}], {"a": "2"}),
    "remove": ([{"op": "add", "path": "/data/b", "value": "2"}, {"op": "remove", "path": "/data/a"}], {"b": "2"}),
    "move": ([{"op": "move", "from": "/data/a", "path": "/data/c"}], {"c": "1"}),
    "copy": ([{"op": "copy", "from": "/data/a", "path": "/data/c"}], {"a": "1", "c": "1"}),
    "escaped path": ([{"op": "add", "path": "/metadata/labels/x.example.com~1y", "value": "z"}], {"a": "1"}),
    "test that holds": (
        [{"op": "test", "path": "/data/a", "value": "1"}, {"op": "replace", "path": "/data/a", "value": "3"}],
        {"a": "3"},
    ),
}


@pytest.mark.parametrize("case", JSON_PATCHES)
async def test_a_json_patch_does_what_it_says(kube: Kube, ns: str, case: str) -> None:
    operations, expected = JSON_PATCHES[case]
    await kube.post(path("configmaps", ns), configmap(labels={"l": "1"}, a="1"))
    patched = (await kube.patch(path("configmaps", ns, "one"), operations, JSON_PATCH)).expect(200)
    assert patched["data"] == expected


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/data/a", "value": "other"},
        {"op": "replace", "path": "/nope/x", "value": "1"},
        {"op": "remove", "path": "/data/zzz"},
    ],
)
async def test_a_json_patch_that_does_not_fit_is_refused_with_422(kube: Kube, ns: str, operation: Object) -> None:
    await kube.post(path("configmaps", ns), configmap(a="1"))
    refused = (await kube.patch(path("configmaps", ns, "one"), [operation], JSON_PATCH)).expect(422)
    assert refused["reason"] == "Invalid"
    assert (await kube.get(path("configmaps", ns, "one"))).body["data"] == {"a": "1"}


def _pod(template: Object) -> Any:
    return template["spec"]["template"]["spec"]


async def test_a_strategic_patch_merges_containers_by_name(kube: Kube, ns: str) -> None:
    await kube.post(path("deployments", ns), deployment(replicas=0))
    change = {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "podinfo:6.0.2"}]}}}}
    patched = (await kube.patch(path("deployments", ns, "podinfo"), change, STRATEGIC)).expect(200)
    containers = _pod(patched)["containers"]
    assert [(one["name"], one["image"]) for one in containers] == [("app", "podinfo:6.0.2")]
    assert containers[0]["ports"][0]["containerPort"] == 9898


async def test_a_strategic_patch_adds_and_deletes_list_items(kube: Kube, ns: str) -> None:
    await kube.post(path("deployments", ns), deployment(replicas=0))
    where = path("deployments", ns, "podinfo")
    sidecar = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "s:1"}]}}}}
    both = (await kube.patch(where, sidecar, STRATEGIC)).expect(200)
    assert {one["name"] for one in _pod(both)["containers"]} == {"app", "side"}
    gone = {"spec": {"template": {"spec": {"containers": [{"name": "side", "$patch": "delete"}]}}}}
    one = (await kube.patch(where, gone, STRATEGIC)).expect(200)
    assert [found["name"] for found in _pod(one)["containers"]] == ["app"]


async def test_a_strategic_patch_orders_items_as_asked(kube: Kube, ns: str) -> None:
    await kube.post(path("deployments", ns), deployment(replicas=0))
    change = {
        "spec": {
            "template": {
                "spec": {
                    "$setElementOrder/containers": [{"name": "first"}, {"name": "app"}],
                    "containers": [{"name": "first", "image": "f:1"}],
                }
            }
        }
    }
    patched = (await kube.patch(path("deployments", ns, "podinfo"), change, STRATEGIC)).expect(200)
    assert [one["name"] for one in _pod(patched)["containers"]] == ["first", "app"]


async def test_a_strategic_patch_replaces_where_it_is_told_to(kube: Kube, ns: str) -> None:
    await kube.post(path("deployments", ns), deployment(replicas=0, pod_annotations={"a": "1"}))
    change = {"spec": {"template": {"metadata": {"annotations": {"$patch": "replace", "b": "2"}}}}}
    patched = (await kube.patch(path("deployments", ns, "podinfo"), change, STRATEGIC)).expect(200)
    assert patched["spec"]["template"]["metadata"]["annotations"] == {"b": "2"}


async def test_retain_keys_drops_the_other_strategy(kube: Kube, ns: str) -> None:
    await kube.post(path("deployments", ns), deployment(replicas=0))
    change = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    patched = (await kube.patch(path("deployments", ns, "podinfo"), change, STRATEGIC)).expect(200)
    assert patched["spec"]["strategy"] == {"type": "Recreate"}


async def test_members_of_a_plain_list_can_be_deleted(kube: Kube, ns: str) -> None:
    body = configmap()
    body["metadata"]["finalizers"] = ["example.com/a", "example.com/b"]
    await kube.post(path("configmaps", ns), body)
    change = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["example.com/a"], "finalizers": ["example.com/c"]}}
    patched = (await kube.patch(path("configmaps", ns, "one"), change, STRATEGIC)).expect(200)
    assert set(patched["metadata"]["finalizers"]) == {"example.com/b", "example.com/c"}
    await kube.patch(path("configmaps", ns, "one"), {"metadata": {"finalizers": None}})


async def test_service_ports_are_merged_by_port(kube: Kube, ns: str) -> None:
    body = {"metadata": {"name": "s"}, "spec": {"ports": [{"name": "http", "port": 80}]}}
    await kube.post(path("services", ns), body)
    change = {"spec": {"ports": [{"port": 81, "name": "grpc"}, {"port": 80, "targetPort": 8080}]}}
    patched = (await kube.patch(path("services", ns, "s"), change, STRATEGIC)).expect(200)
    assert {(one["name"], one["port"], one["targetPort"]) for one in patched["spec"]["ports"]} == {
        ("http", 80, 8080),
        ("grpc", 81, 81),
    }


async def test_custom_resources_take_no_strategic_patch(widgets: Widgets) -> None:
    await widgets.kube.post(widgets.path(), widgets.obj(size=1, a="1"))
    refused = (await widgets.kube.patch(widgets.path("w"), {"spec": {"size": 2}}, STRATEGIC)).expect(415)
    assert "application/merge-patch+json" in refused["message"]


async def test_a_patch_of_an_unknown_format_is_refused_with_415(kube: Kube, ns: str) -> None:
    await kube.post(path("configmaps", ns), configmap())
    assert (await kube.patch(path("configmaps", ns, "one"), {}, "text/plain")).code == 415


async def test_a_patch_that_is_no_json_is_refused_with_400(kube: Kube, ns: str) -> None:
    await kube.post(path("configmaps", ns), configmap())
    assert (await kube.patch(path("configmaps", ns, "one"), b"xx", MERGE)).expect(400)["reason"] == "BadRequest"


async def test_a_patch_of_nothing_is_answered_404(kube: Kube, ns: str) -> None:
    assert (await kube.patch(path("configmaps", ns, "nope"), {"data": {}})).expect(404)["reason"] == "NotFound"


async def test_an_invalid_result_of_a_patch_is_refused_with_422(kube: Kube, ns: str) -> None:
    await kube.post(path("deployments", ns), deployment(replicas=0))
    change = {"spec": {"selector": {"matchLabels": {"app": "other"}}}}
    refused = (await kube.patch(path("deployments", ns, "podinfo"), change)).expect(422)
    assert any("field is immutable" in cause["message"] for cause in refused["details"]["causes"])
