"""Deletion: what is answered, what holds an object, who follows its owner."""

from __future__ import annotations

import pytest

from .client import Kube, Object, path
from .conftest import Widgets, configmap, deployment


def _owned_by(owner: Object, kind: str = "ConfigMap", api_version: str = "v1") -> Object:
    metadata = owner["metadata"]
    return {"apiVersion": api_version, "kind": kind, "name": metadata["name"], "uid": metadata["uid"],
            "blockOwnerDeletion": True}  # fmt: skip


async def test_a_deletion_answers_a_status_that_names_the_object(kube: Kube, ns: str) -> None:
    created = (await kube.post(path("configmaps", ns), configmap())).body
    answer = (await kube.delete(path("configmaps", ns, "one"))).expect(200)
    assert (answer["kind"], answer["status"]) == ("Status", "Success")
    assert answer["details"] == {"name": "one", "kind": "configmaps", "uid": created["metadata"]["uid"]}
    assert (await kube.delete(path("configmaps", ns, "one"))).code == 404


async def test_a_finalizer_holds_an_object_until_it_is_removed(kube: Kube, ns: str) -> None:
    body = configmap()
    body["metadata"]["finalizers"] = ["example.com/hold"]
    await kube.post(path("configmaps", ns), body)
    marked = (await kube.delete(path("configmaps", ns, "one"))).expect(200)
    assert marked["kind"] == "ConfigMap"
    assert marked["metadata"]["deletionTimestamp"]
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 0
    assert (await kube.get(path("configmaps", ns, "one"))).code == 200
    (await kube.patch(path("configmaps", ns, "one"), {"metadata": {"finalizers": []}})).expect(200)
    assert (await kube.get(path("configmaps", ns, "one"))).code == 404


async def test_an_object_on_its_way_out_takes_no_new_finalizer(kube: Kube, ns: str) -> None:
    body = configmap()
    body["metadata"]["finalizers"] = ["example.com/hold"]
    await kube.post(path("configmaps", ns), body)
    await kube.delete(path("configmaps", ns, "one"))
    more = {"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}}
    refused = (await kube.patch(path("configmaps", ns, "one"), more)).expect(422)
    assert refused["details"]["causes"][0]["field"] == "metadata.finalizers"
    await kube.patch(path("configmaps", ns, "one"), {"metadata": {"finalizers": None}})


@pytest.mark.parametrize("name", ["uid", "resourceVersion"])
async def test_a_deletion_with_a_precondition_that_does_not_hold_is_refused(kube: Kube, ns: str, name: str) -> None:
    await kube.post(path("configmaps", ns), configmap())
    refused = (await kube.delete(path("configmaps", ns, "one"), {"preconditions": {name: "1"}})).expect(409)
    assert refused["reason"] == "Conflict"
    assert "in the precondition (1) does not match" in refused["message"]
    assert (await kube.get(path("configmaps", ns, "one"))).code == 200


async def test_children_go_with_their_owner(kube: Kube, ns: str) -> None:
    owner = (await kube.post(path("configmaps", ns), configmap("owner"))).body
    child = configmap("child")
    child["metadata"]["ownerReferences"] = [_owned_by(owner)]
    await kube.post(path("configmaps", ns), child)
    await kube.delete(path("configmaps", ns, "owner"), {"propagationPolicy": "Background"})
    await kube.gone(path("configmaps", ns, "child"))
    assert await _left(kube, ns) == []


async def test_a_child_with_another_living_owner_stays(kube: Kube, ns: str) -> None:
    owners = [(await kube.post(path("configmaps", ns), configmap(name))).body for name in ("first", "second")]
    child = configmap("child")
    child["metadata"]["ownerReferences"] = [_owned_by(owner) for owner in owners]
    await kube.post(path("configmaps", ns), child)
    await kube.delete(path("configmaps", ns, "first"), {"propagationPolicy": "Background"})
    left = await kube.until(path("configmaps", ns, "child"), lambda obj: len(obj["metadata"]["ownerReferences"]) == 1)
    assert left["metadata"]["ownerReferences"][0]["name"] == "second"


async def test_a_child_of_nobody_is_collected(kube: Kube, ns: str) -> None:
    child = configmap("child")
    nobody = {"metadata": {"name": "never", "uid": "11111111-2222-3333-4444-555555555555"}}
    child["metadata"]["ownerReferences"] = [_owned_by(nobody)]
    await kube.post(path("configmaps", ns), child)
    await kube.gone(path("configmaps", ns, "child"))
    assert await _left(kube, ns) == []


async def test_in_the_foreground_the_owner_waits_for_its_children(kube: Kube, ns: str) -> None:
    owner = (await kube.post(path("configmaps", ns), configmap("owner"))).body
    child = configmap("child")
    child["metadata"] |= {"ownerReferences": [_owned_by(owner)], "finalizers": ["example.com/hold"]}
    await kube.post(path("configmaps", ns), child)
    answer = (await kube.delete(path("configmaps", ns, "owner"), {"propagationPolicy": "Foreground"})).expect(200)
    assert "foregroundDeletion" in answer["metadata"]["finalizers"]
    await kube.until(path("configmaps", ns, "child"), lambda obj: "deletionTimestamp" in obj["metadata"])
    assert (await kube.get(path("configmaps", ns, "owner"))).code == 200
    await kube.patch(path("configmaps", ns, "child"), {"metadata": {"finalizers": None}})
    await kube.gone(path("configmaps", ns, "owner"))


async def test_in_the_foreground_a_child_with_another_living_owner_only_loses_this_one(kube: Kube, ns: str) -> None:
    owners = [(await kube.post(path("configmaps", ns), configmap(name))).body for name in ("first", "second")]
    child = configmap("child")
    child["metadata"]["ownerReferences"] = [_owned_by(owner) for owner in owners]
    await kube.post(path("configmaps", ns), child)
    await kube.delete(path("configmaps", ns, "first"), {"propagationPolicy": "Foreground"})
    await kube.gone(path("configmaps", ns, "first"))
    left = (await kube.get(path("configmaps", ns, "child"))).expect(200)
    assert [owner["name"] for owner in left["metadata"]["ownerReferences"]] == ["second"]
    assert "deletionTimestamp" not in left["metadata"]


async def test_orphans_stay_without_an_owner(kube: Kube, ns: str) -> None:
    owner = (await kube.post(path("configmaps", ns), configmap("owner"))).body
    child = configmap("child")
    child["metadata"]["ownerReferences"] = [_owned_by(owner)]
    await kube.post(path("configmaps", ns), child)
    await kube.delete(path("configmaps", ns, "owner"), {"propagationPolicy": "Orphan"})
    await kube.gone(path("configmaps", ns, "owner"))
    assert "ownerReferences" not in (await kube.get(path("configmaps", ns, "child"))).body["metadata"]


async def test_children_of_a_custom_resource_go_with_it(widgets: Widgets) -> None:
    kube = widgets.kube
    owner = (await kube.post(widgets.path(), widgets.obj(size=1, a="1"))).expect(201)
    child = configmap("child")
    child["metadata"]["ownerReferences"] = [_owned_by(owner, "Widget", owner["apiVersion"])]
    await kube.post(path("configmaps", widgets.namespace), child)
    await kube.delete(widgets.path("w"))
    await kube.gone(path("configmaps", widgets.namespace, "child"))
    assert (await kube.get(widgets.path("w"))).code == 404


async def test_a_deployment_takes_its_replicasets_and_pods_along(kube: Kube, ns: str) -> None:
    await kube.post(path("deployments", ns), deployment(replicas=1))
    await kube.until(path("deployments", ns, "podinfo"), lambda obj: obj.get("status", {}).get("readyReplicas") == 1)
    pod = (await kube.get(path("pods", ns))).body["items"][0]["metadata"]["name"]
    await kube.delete(path("deployments", ns, "podinfo"))
    await kube.gone(path("pods", ns, pod))
    assert (await kube.get(path("replicasets", ns))).body["items"] == []


async def test_a_namespace_takes_its_contents_along(kube: Kube, ns: str) -> None:
    held = configmap("held")
    held["metadata"]["finalizers"] = ["example.com/hold"]
    await kube.post(path("configmaps", ns), held)
    await kube.post(path("secrets", ns), {"metadata": {"name": "s"}})
    answer = (await kube.delete(f"/api/v1/namespaces/{ns}")).expect(200)
    assert answer["status"]["phase"] == "Terminating"
    refused = (await kube.post(path("configmaps", ns), configmap("late"))).expect(403)
    assert refused["reason"] == "Forbidden"
    assert refused["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    await kube.until(path("configmaps", ns, "held"), lambda obj: "deletionTimestamp" in obj["metadata"])
    await kube.patch(path("configmaps", ns, "held"), {"metadata": {"finalizers": None}})
    await kube.gone(f"/api/v1/namespaces/{ns}")


async def test_a_pod_on_a_node_has_its_grace_period_until_the_node_lets_it_go(kube: Kube, ns: str) -> None:
    body = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}], "nodeName": "elsewhere"}}
    await kube.post(path("pods", ns), body)
    marked = (await kube.delete(path("pods", ns, "p"))).expect(200)
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 30
    (await kube.delete(path("pods", ns, "p"), {"gracePeriodSeconds": 0})).expect(200)
    assert (await kube.get(path("pods", ns, "p"))).code == 404


async def _left(kube: Kube, ns: str) -> list[str]:
    """Names of ConfigMaps; a cluster puts one of its own into each namespace."""
    items = (await kube.get(path("configmaps", ns))).expect(200)["items"]
    return [item["metadata"]["name"] for item in items if item["metadata"]["name"] != "kube-root-ca.crt"]
