"""Server-side apply: ownership of fields, conflicts, removal of what is no longer applied."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

from .client import Kube, Object, path
from .conftest import Widgets, configmap, deployment


def _managers(obj: Object) -> set[tuple[str, str]]:
    return {(entry["manager"], entry["operation"]) for entry in obj["metadata"]["managedFields"]}


async def test_applying_a_new_object_creates_it_with_201(kube: Kube, ns: str) -> None:
    where = path("configmaps", ns, "one")
    created = (await kube.apply(where, configmap(a="1"), "me")).expect(201)
    assert created["data"] == {"a": "1"}
    assert _managers(created) == {("me", "Apply")}
    assert created["metadata"]["managedFields"][0]["fieldsV1"]["f:data"] == {"f:a": {}}


async def test_applying_the_same_again_changes_nothing(kube: Kube, ns: str) -> None:
    where = path("configmaps", ns, "one")
    first = await kube.apply(where, configmap(a="1"), "me")
    second = await kube.apply(where, configmap(a="1"), "me")
    second.expect(200)
    assert second.rv == first.rv


async def test_fields_that_are_no_longer_applied_go_away(kube: Kube, ns: str) -> None:
    where = path("configmaps", ns, "one")
    await kube.apply(where, configmap(a="1", b="2"), "me")
    assert (await kube.apply(where, configmap(a="1"), "me")).expect(200)["data"] == {"a": "1"}


async def test_another_managers_field_is_a_conflict_that_names_it(kube: Kube, ns: str) -> None:
    where = path("configmaps", ns, "one")
    await kube.apply(where, configmap(a="1"), "me")
    refused = (await kube.apply(where, configmap(a="2"), "you")).expect(409)
    assert refused["message"] == 'Apply failed with 1 conflict: conflict with "me": .data.a'
    cause = {"reason": "FieldManagerConflict", "message": 'conflict with "me"', "field": ".data.a"}
    assert refused["details"]["causes"] == [cause]
    assert (await kube.get(where)).body["data"] == {"a": "1"}


async def test_force_takes_the_field_over(kube: Kube, ns: str) -> None:
    where = path("configmaps", ns, "one")
    await kube.apply(where, configmap(a="1", b="1"), "me")
    taken = (await kube.apply(where, configmap(a="2"), "you", force=True)).expect(200)
    assert taken["data"] == {"a": "2", "b": "1"}
    again = (await kube.apply(where, configmap(b="1"), "me")).expect(200)
    assert again["data"] == {"a": "2", "b": "1"}


async def test_the_same_value_is_shared_and_stays_until_both_let_go(kube: Kube, ns: str) -> None:
    where = path("configmaps", ns, "one")
    await kube.apply(where, configmap(a="1"), "me")
    (await kube.apply(where, configmap(a="1"), "you")).expect(200)
    assert (await kube.apply(where, configmap(), "me")).expect(200)["data"] == {"a": "1"}
    assert "data" not in (await kube.apply(where, configmap(), "you")).expect(200)


async def test_a_field_changed_by_a_patch_belongs_to_the_patcher(kube: Kube, ns: str) -> None:
    where = path("configmaps", ns, "one")
    await kube.apply(where, configmap(a="1"), "me")
    await kube.patch(where, {"data": {"a": "2"}}, agent="editor/1.0")
    refused = (await kube.apply(where, configmap(a="1"), "me")).expect(409)
    assert refused["message"] == 'Apply failed with 1 conflict: conflict with "editor" using v1: .data.a'


async def test_a_created_object_belongs_to_its_creator(kube: Kube, ns: str) -> None:
    await kube.post(path("configmaps", ns), configmap(a="1"), fieldManager="maker")
    refused = (await kube.apply(path("configmaps", ns, "one"), configmap(a="2"), "me")).expect(409)
    assert 'conflict with "maker" using v1: .data.a' in refused["message"]


async def test_who_changes_a_field_takes_it_at_that_time_and_who_removes_one_moves_no_time(kube: Kube, ns: str) -> None:
    """The watcher tells our writes from those of others by this."""
    where, content = path("configmaps", ns, "one"), configmap(a="1", b="2", c="3", d="4")

    async def patch(who: str, **data: str | None) -> dict[str, tuple[str, set[str]]]:
        return _written((await kube.patch(where, {"data": data}, fieldManager=who)).expect(200))

    made = _written((await kube.post(path("configmaps", ns), content, fieldManager="maker")).expect(201))
    began, _ = made["maker"]
    await _a_second_after(kube, ns, began)
    assert await patch("maker", a=None) == {"maker": (began, {"f:b", "f:c", "f:d"})}
    edited = await patch("editor", b="9")
    assert edited["maker"] == (began, {"f:c", "f:d"})
    assert edited["editor"][0] > began
    assert edited["editor"][1] == {"f:b"}
    assert await patch("remover", c=None) == edited | {"maker": (began, {"f:d"})}


def _written(obj: Object) -> dict[str, tuple[str, set[str]]]:
    """When each manager wrote last, and which data are its own."""
    entries = obj["metadata"]["managedFields"]
    return {one["manager"]: (one["time"], {*one["fieldsV1"].get("f:data", {})} - {"."}) for one in entries}


async def _a_second_after(kube: Kube, ns: str, moment: str) -> None:
    """Times are whole seconds: until another object is written at a later one."""
    for number in itertools.count():
        body = configmap(number=str(number))
        body["metadata"]["name"] = f"clock-{number}"
        made = (await kube.post(path("configmaps", ns), body, fieldManager="clock")).expect(201)
        if _written(made)["clock"][0] > moment:
            return
        await asyncio.sleep(0.05)


async def test_keyed_lists_are_merged_item_by_item(kube: Kube, ns: str) -> None:
    where = path("deployments", ns, "podinfo")
    await kube.apply(where, deployment(replicas=0), "me")
    side: Any = {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "spec": {"template": {"spec": {"containers": [{"name": "side", "image": "s:1"}]}}},
    }  # fmt: skip
    both = (await kube.apply(where, side, "injector")).expect(200)
    assert [one["name"] for one in both["spec"]["template"]["spec"]["containers"]] == ["app", "side"]
    side["spec"]["template"]["spec"]["containers"] = []
    one = (await kube.apply(where, {"apiVersion": "apps/v1", "kind": "Deployment"}, "injector")).expect(200)
    assert [found["name"] for found in one["spec"]["template"]["spec"]["containers"]] == ["app"]


async def test_replicas_left_out_stay_with_whoever_scales(kube: Kube, ns: str) -> None:
    where = path("deployments", ns, "podinfo")
    body = deployment(replicas=0)
    del body["spec"]["replicas"]
    await kube.apply(where, deployment(replicas=0), "me")
    await kube.patch(f"{where}/scale", {"spec": {"replicas": 2}}, agent="scaler/1.0")
    assert (await kube.apply(where, body, "me")).expect(200)["spec"]["replicas"] == 2


async def test_a_custom_resource_can_be_applied(widgets: Widgets) -> None:
    kube = widgets.kube
    first = widgets.obj(size=1, a="1", named=[{"name": "x", "value": "1"}])
    (await kube.apply(widgets.path("w"), first, "me")).expect(201)
    second = {
        "apiVersion": first["apiVersion"],
        "kind": "Widget",
        "spec": {"size": 1, "named": [{"name": "y", "value": "2"}]},
    }
    merged = (await kube.apply(widgets.path("w"), second, "you")).expect(200)
    assert [item["name"] for item in merged["spec"]["named"]] == ["x", "y"]
    assert merged["spec"]["a"] == "1"


async def test_status_is_applied_through_its_subresource(widgets: Widgets) -> None:
    kube = widgets.kube
    (await kube.post(widgets.path(), widgets.obj(size=1, a="1"))).expect(201)
    status = {"apiVersion": f"{widgets.group}/v1", "kind": "Widget", "status": {"phase": "Ready"}}
    applied = (await kube.apply(widgets.path("w", "status"), status, "me")).expect(200)
    assert applied["status"] == {"phase": "Ready"}
    assert applied["spec"]["size"] == 1
    entry = next(one for one in applied["metadata"]["managedFields"] if one["operation"] == "Apply")
    assert entry["subresource"] == "status"


async def test_apply_needs_a_field_manager(kube: Kube, ns: str) -> None:
    refused = (
        await kube.call("PATCH", path("configmaps", ns, "one"), configmap(), "application/apply-patch+yaml")
    ).expect(422)
    assert "fieldManager: Required value" in refused["message"]
