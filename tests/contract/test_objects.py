"""Objects: creating, reading, replacing; the metadata that the server writes; refusals."""

from __future__ import annotations

from typing import Any

import pytest

from .client import Kube, Object, path
from .conftest import Widgets, configmap, deployment


async def test_a_created_object_carries_what_the_server_adds(kube: Kube, ns: str) -> None:
    created = (await kube.post(path("configmaps", ns), configmap(key="value"))).expect(201)
    metadata = created["metadata"]
    assert (metadata["name"], metadata["namespace"]) == ("one", ns)
    assert len(metadata["uid"]) == 36
    assert metadata["creationTimestamp"].endswith("Z")
    assert int(metadata["resourceVersion"]) > 0
    assert "generation" not in metadata
    assert (await kube.get(path("configmaps", ns, "one"))).expect(200) == created


async def test_apiversion_and_kind_may_be_left_out_of_a_new_object(kube: Kube, ns: str) -> None:
    created = (await kube.post(path("configmaps", ns), {"metadata": {"name": "bare"}})).expect(201)
    assert (created["apiVersion"], created["kind"]) == ("v1", "ConfigMap")


async def test_a_yaml_body_is_understood(kube: Kube, ns: str) -> None:
    text = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: written}\ndata: {since: '2024-01-01'}\n"
    created = (await kube.post(path("configmaps", ns), text, media="application/yaml")).expect(201)
    assert created["data"] == {"since": "2024-01-01"}


async def test_a_name_is_generated_from_a_prefix(kube: Kube, ns: str) -> None:
    body = {"metadata": {"generateName": "run-"}}
    names = {(await kube.post(path("configmaps", ns), body)).expect(201)["metadata"]["name"] for _ in range(3)}
    assert len(names) == 3
    assert all(name.startswith("run-") and len(name) == len("run-") + 5 for name in names)


async def test_a_second_object_of_the_same_name_is_refused_with_409(kube: Kube, ns: str) -> None:
    await kube.post(path("configmaps", ns), configmap())
    refused = await kube.post(path("configmaps", ns), configmap())
    assert refused.expect(409)["reason"] == "AlreadyExists"
    assert refused.body["message"] == 'configmaps "one" already exists'
    assert refused.body["details"] == {"name": "one", "kind": "configmaps"}


async def test_a_missing_object_is_answered_404_with_its_group(kube: Kube, ns: str) -> None:
    refused = (await kube.get(path("deployments", ns, "nope"))).expect(404)
    assert refused["kind"] == "Status"
    assert refused["reason"] == "NotFound"
    assert refused["message"] == 'deployments.apps "nope" not found'
    assert refused["details"] == {"name": "nope", "group": "apps", "kind": "deployments"}


async def test_a_stale_resource_version_is_refused_with_409(kube: Kube, ns: str) -> None:
    first = (await kube.post(path("configmaps", ns), configmap(key="1"))).body
    (await kube.put(path("configmaps", ns, "one"), first | {"data": {"key": "2"}})).expect(200)
    refused = (await kube.put(path("configmaps", ns, "one"), first | {"data": {"key": "3"}})).expect(409)
    assert refused["reason"] == "Conflict"
    assert refused["message"] == (
        'Operation cannot be fulfilled on configmaps "one": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    assert (await kube.get(path("configmaps", ns, "one"))).body["data"] == {"key": "2"}


async def test_a_stale_resource_version_in_a_merge_patch_is_refused_with_409(kube: Kube, ns: str) -> None:
    first = await kube.post(path("configmaps", ns), configmap(key="1"))
    await kube.patch(path("configmaps", ns, "one"), {"data": {"key": "2"}})
    late = {"metadata": {"resourceVersion": first.rv}, "data": {"key": "3"}}
    assert (await kube.patch(path("configmaps", ns, "one"), late)).expect(409)["reason"] == "Conflict"


async def test_another_uid_is_refused_with_409(kube: Kube, ns: str) -> None:
    first = (await kube.post(path("configmaps", ns), configmap())).body
    first["metadata"] = {"name": "one", "uid": "00000000-0000-0000-0000-000000000000"}
    refused = (await kube.put(path("configmaps", ns, "one"), first)).expect(409)
    assert "Precondition failed: UID in precondition" in refused["message"]


async def test_a_replacement_without_resource_version_is_unconditional_for_built_in_kinds(kube: Kube, ns: str) -> None:
    await kube.post(path("configmaps", ns), configmap(key="1"))
    assert (await kube.put(path("configmaps", ns, "one"), configmap(key="2"))).expect(200)["data"] == {"key": "2"}


async def test_a_replacement_without_resource_version_is_refused_for_custom_kinds(widgets: Widgets) -> None:
    kube = widgets.kube
    (await kube.post(widgets.path(), widgets.obj(size=1, a="1"))).expect(201)
    refused = (await kube.put(widgets.path("w"), widgets.obj(size=2, a="1"))).expect(422)
    assert refused["details"]["causes"][0]["field"] == "metadata.resourceVersion"
    assert "must be specified for an update" in refused["message"]


async def test_a_write_that_changes_nothing_keeps_the_resource_version(kube: Kube, ns: str) -> None:
    first = await kube.post(path("configmaps", ns), configmap(key="1"))
    same = await kube.put(path("configmaps", ns, "one"), first.body)
    assert same.rv == first.rv
    assert (await kube.patch(path("configmaps", ns, "one"), {"data": {"key": "1"}})).rv == first.rv
    assert (await kube.patch(path("configmaps", ns, "one"), {"data": {"key": "2"}})).rv != first.rv


async def test_identity_cannot_be_changed_by_a_replacement(kube: Kube, ns: str) -> None:
    first = (await kube.post(path("configmaps", ns), configmap())).body
    changed = first | {"metadata": first["metadata"] | {"creationTimestamp": "2001-01-01T00:00:00Z"}}
    second = (await kube.put(path("configmaps", ns, "one"), changed)).expect(200)
    assert second["metadata"]["creationTimestamp"] == first["metadata"]["creationTimestamp"]
    assert second["metadata"]["uid"] == first["metadata"]["uid"]


async def test_a_dry_run_answers_as_if_but_changes_nothing(kube: Kube, ns: str) -> None:
    created = (await kube.post(path("configmaps", ns), configmap(key="1"), dryRun="All")).expect(201)
    assert created["metadata"]["uid"]
    assert (await kube.get(path("configmaps", ns, "one"))).code == 404
    first = await kube.post(path("configmaps", ns), configmap(key="1"))
    patched = await kube.patch(path("configmaps", ns, "one"), {"data": {"key": "2"}}, dryRun="All")
    assert patched.expect(200)["data"] == {"key": "2"}
    (await kube.delete(path("configmaps", ns, "one"), dryRun="All")).expect(200)
    assert (await kube.get(path("configmaps", ns, "one"))).body == first.body


async def test_an_unknown_dry_run_is_refused_with_422(kube: Kube, ns: str) -> None:
    refused = (await kube.post(path("configmaps", ns), configmap(), dryRun="Some")).expect(422)
    assert refused["details"]["causes"][0]["field"] == "dryRun"


async def test_the_generation_of_a_deployment_follows_its_spec_but_not_its_labels(kube: Kube, ns: str) -> None:
    where = path("deployments", ns, "podinfo")
    assert (await kube.post(path("deployments", ns), deployment(replicas=0))).expect(201)["metadata"]["generation"] == 1
    labelled = (await kube.patch(where, {"metadata": {"labels": {"tier": "front"}}})).expect(200)
    spec = (await kube.patch(where, {"spec": {"minReadySeconds": 1}})).expect(200)
    assert spec["metadata"]["generation"] == labelled["metadata"]["generation"] + 1
    status = (await kube.patch(f"{where}/status", {"status": {"collisionCount": 3}})).expect(200)
    assert status["metadata"]["generation"] == spec["metadata"]["generation"]


async def test_a_status_in_a_main_write_is_ignored_where_there_is_a_subresource(widgets: Widgets) -> None:
    kube = widgets.kube
    body = widgets.obj(size=1, a="1") | {"status": {"phase": "made up"}}
    assert "status" not in (await kube.post(widgets.path(), body)).expect(201)
    patched = (await kube.patch(widgets.path("w"), {"spec": {"size": 2}, "status": {"phase": "made up"}})).expect(200)
    assert "status" not in patched
    assert patched["metadata"]["generation"] == 2


async def test_a_write_to_status_changes_nothing_but_the_status(widgets: Widgets) -> None:
    kube = widgets.kube
    await kube.post(widgets.path(), widgets.obj(size=1, a="1"))
    change = {"metadata": {"labels": {"x": "y"}}, "spec": {"size": 5}, "status": {"phase": "Progressing"}}
    patched = (await kube.patch(widgets.path("w", "status"), change)).expect(200)
    assert patched["status"] == {"phase": "Progressing"}
    assert patched["spec"]["size"] == 1
    assert "labels" not in patched["metadata"]
    assert patched["metadata"]["generation"] == 1


async def test_without_a_status_subresource_the_status_is_part_of_the_object(plain_widgets: Widgets) -> None:
    kube = plain_widgets.kube
    body = plain_widgets.obj(x=1) | {"status": {"state": "Pending"}}
    created = (await kube.post(plain_widgets.path(), body)).expect(201)
    assert created["status"] == {"state": "Pending"}
    patched = (await kube.patch(plain_widgets.path("w"), {"status": {"state": "Accepted"}})).expect(200)
    assert patched["status"] == {"state": "Accepted"}
    assert patched["metadata"]["generation"] == created["metadata"]["generation"] + 1
    labelled = (await kube.patch(plain_widgets.path("w"), {"metadata": {"labels": {"x": "y"}}})).expect(200)
    assert labelled["metadata"]["generation"] == patched["metadata"]["generation"]
    assert (await kube.patch(plain_widgets.path("w", "status"), {"status": {}})).code == 404


async def test_scale_shows_and_sets_replicas(kube: Kube, ns: str) -> None:
    where = path("deployments", ns, "podinfo")
    await kube.post(path("deployments", ns), deployment(replicas=1, pod_annotations={"fakelet/ready": "false"}))
    scale = (await kube.get(f"{where}/scale")).expect(200)
    assert (scale["kind"], scale["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert scale["spec"] == {"replicas": 1}
    assert scale["status"]["selector"] == "app=podinfo"
    scaled = (await kube.patch(f"{where}/scale", {"spec": {"replicas": 3}})).expect(200)
    assert scaled["spec"] == {"replicas": 3}
    assert (await kube.get(where)).body["spec"]["replicas"] == 3


META = {"name": "x"}
REFUSALS: dict[str, tuple[str, Any, int, str, str]] = {
    "the group version of another kind": (
        "configmaps", {"apiVersion": "v2", "kind": "ConfigMap", "metadata": META}, 400, "BadRequest",
        'no kind "ConfigMap" is registered for version "v2"'),
    "another namespace than the path": (
        "configmaps", configmap() | {"metadata": {"name": "x", "namespace": "other"}}, 400, "BadRequest",
        "the namespace of the provided object does not match the namespace sent on the request"),
    "no name at all": (
        "configmaps", {"metadata": {}}, 422, "Invalid",
        "metadata.name: Required value: name or generateName is required"),
    "a name in capitals": (
        "configmaps", configmap("Big"), 422, "Invalid",
        'metadata.name: Invalid value: "Big": a lowercase RFC 1123 subdomain'),
    "a label with a space": (
        "configmaps", configmap(labels={"a": "b c"}), 422, "Invalid", 'metadata.labels: Invalid value: "b c"'),
    "a config key with a space": (
        "configmaps", configmap() | {"data": {"a b": "c"}}, 422, "Invalid", "data[a b]"),
    "text that is no JSON": ("configmaps", b"not json", 400, "BadRequest", "json parse error"),
    "another kind": (
        "configmaps", {"apiVersion": "v1", "kind": "Secret", "metadata": META}, 400, "BadRequest",
        "cannot be handled as a"),
    "a deployment without selector and containers": (
        "deployments", {"metadata": META, "spec": {}}, 422, "Invalid",
        ("[spec.selector: Required value, spec.template.metadata.labels: Invalid value: null: `selector` does not "
         "match template `labels`, spec.template.spec.containers: Required value]")),
    "a container without image": (
        "deployments", deployment(image=""), 422, "Invalid", "spec.template.spec.containers[0].image: Required value"),
    "negative replicas": ("deployments", deployment(replicas=-1), 422, "Invalid", "must be greater than or equal to 0"),
    "text for a number": (
        "deployments", deployment(minReadySeconds="many"), 400, "BadRequest",
        "cannot be handled as a Deployment: json: cannot unmarshal string into Go struct field"),
    "a service without ports": (
        "services", {"metadata": META, "spec": {}}, 422, "Invalid", "spec.ports: Required value"),
    "a service port out of range": (
        "services", {"metadata": META, "spec": {"ports": [{"port": 0}]}}, 422, "Invalid",
        "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive"),
    "an autoscaler without a maximum": (
        "horizontalpodautoscalers", {"metadata": META, "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "x"}}},
        422, "Invalid", "spec.maxReplicas: Required value: must be set and greater than 0"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
async def test_what_cannot_be_stored_is_refused_in_the_servers_own_words(kube: Kube, ns: str, case: str) -> None:
    plural, body, code, reason, words = REFUSALS[case]
    refused = (await kube.post(path(plural, ns), body)).expect(code)
    assert refused["reason"] == reason
    assert words in refused["message"]
    assert (await kube.get(path(plural, ns, "x"))).code == 404


async def test_a_namespace_that_does_not_exist_takes_no_objects(kube: Kube) -> None:
    refused = (await kube.post(path("configmaps", "no-such-namespace"), configmap())).expect(404)
    assert refused["message"] == 'namespaces "no-such-namespace" not found'


async def test_unknown_fields_are_dropped_with_a_warning_or_refused_when_strict(kube: Kube, ns: str) -> None:
    body = deployment(replicas=0, zzz=1)
    created = await kube.post(path("deployments", ns), body, fieldValidation="Warn")
    assert "zzz" not in created.expect(201)["spec"]
    assert created.headers["Warning"] == '299 - "unknown field \\"spec.zzz\\""'
    refused = (await kube.post(path("deployments", ns), body, fieldValidation="Strict")).expect(400)
    assert 'strict decoding error: unknown field "spec.zzz"' in refused["message"]


@pytest.mark.parametrize(
    ("method", "where", "code"),
    [
        ("PUT", "/api/v1/namespaces/default/configmaps", 405),
        ("PATCH", "/api/v1/namespaces/default/configmaps", 405),
        ("GET", "/apis/nope.example.com/v1/things", 404),
        ("GET", "/apis/apps/v1/namespaces/default/things", 404),
        ("GET", "/apis/autoscaling/v2beta2/namespaces/default/horizontalpodautoscalers", 404),
        ("GET", "/nothing/here", 404),
    ],
)
async def test_paths_and_methods_that_do_not_exist(kube: Kube, method: str, where: str, code: int) -> None:
    assert (await kube.call(method, where)).code == code


@pytest.mark.parametrize(("media", "body"), [("text/plain", b"{}"), ("application/xml", b"<a/>")])
async def test_bodies_in_an_unknown_format_are_refused_with_415(kube: Kube, ns: str, media: str, body: bytes) -> None:
    refused = (await kube.post(path("configmaps", ns), body, media=media)).expect(415)
    assert refused["reason"] == "UnsupportedMediaType"


async def test_metadata_alone_can_be_asked_for(kube: Kube, ns: str) -> None:
    await kube.post(path("secrets", ns), {"metadata": {"name": "s"}, "stringData": {"password": "hidden"}})
    one: Object = (
        await kube.get(path("secrets", ns, "s"), accept="application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1")
    ).expect(200)
    assert (one["kind"], one["apiVersion"]) == ("PartialObjectMetadata", "meta.k8s.io/v1")
    assert one["metadata"]["name"] == "s"
    assert "data" not in one
