"""Discovery, tables, OpenAPI: what clients learn about the server."""

from __future__ import annotations

from .client import Kube, path
from .conftest import Widgets, configmap, deployment

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


async def test_the_server_says_its_version_and_health(kube: Kube) -> None:
    assert (await kube.get("/version")).expect(200)["major"] == "1"
    assert (await kube.get("/readyz")).body == "ok"


async def test_groups_and_resources_are_listed_the_classic_way(kube: Kube) -> None:
    assert (await kube.get("/api")).expect(200)["versions"] == ["v1"]
    groups = {group["name"]: group for group in (await kube.get("/apis")).expect(200)["groups"]}
    assert groups["autoscaling"]["preferredVersion"]["groupVersion"] == "autoscaling/v2"
    resources = {one["name"]: one for one in (await kube.get("/apis/apps/v1")).expect(200)["resources"]}
    assert resources["deployments"]["shortNames"] == ["deploy"]
    assert resources["deployments"]["categories"] == ["all"]
    assert resources["deployments/scale"]["kind"] == "Scale"
    assert resources["deployments/status"]["verbs"] == ["get", "patch", "update"]


async def test_the_aggregated_document_has_everything_at_once(kube: Kube) -> None:
    answer = await kube.get("/apis", accept=AGGREGATED)
    assert answer.headers["Content-Type"] == AGGREGATED
    groups = {item["metadata"]["name"]: item for item in answer.expect(200)["items"]}
    resources = {one["resource"]: one for one in groups["apps"]["versions"][0]["resources"]}
    assert resources["deployments"]["responseKind"]["kind"] == "Deployment"
    assert resources["deployments"]["scope"] == "Namespaced"
    assert {one["subresource"] for one in resources["deployments"]["subresources"]} == {"scale", "status"}


async def test_a_custom_resource_appears_with_its_names(widgets: Widgets) -> None:
    listed = (await widgets.kube.get(f"/apis/{widgets.group}/v1")).expect(200)
    resources = {one["name"]: one for one in listed["resources"]}
    own = resources["widgets"]
    assert (own["kind"], own["singularName"], own["shortNames"]) == ("Widget", "widget", ["wd"])
    assert own["categories"] == ["gadgets"]
    assert resources["widgets/status"]["verbs"] == ["get", "patch", "update"]


async def test_a_table_has_the_columns_that_kubectl_shows(kube: Kube, ns: str) -> None:
    await kube.post(path("deployments", ns), deployment(replicas=1))
    await kube.until(
        path("deployments", ns, "podinfo"), lambda obj: obj.get("status", {}).get("availableReplicas") == 1
    )
    table = (await kube.get(path("deployments", ns), accept=TABLE)).expect(200)
    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert [one["name"] for one in table["columnDefinitions"] if not one["priority"]] == [
        "Name", "Ready", "Up-to-date", "Available", "Age",
    ]  # fmt: skip
    assert table["rows"][0]["cells"][:4] == ["podinfo", "1/1", 1, 1]
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"


async def test_a_watch_can_speak_in_tables(kube: Kube, ns: str) -> None:
    await kube.post(path("configmaps", ns), configmap("x", {"w": "1"}, a="1"))
    async with kube.watch(path("configmaps", ns), accept=TABLE, labelSelector="w=1") as events:
        event = await events.next()
    assert event["type"] == "ADDED"
    assert event["object"]["kind"] == "Table"
    assert event["object"]["rows"][0]["cells"][:2] == ["x", 1]


async def test_an_access_review_answers_whether_one_may(kube: Kube) -> None:
    asked = {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "default"}}}
    answer = await kube.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", asked)
    assert answer.expect(201)["kind"] == "SelfSubjectAccessReview"
    assert answer.body["status"]["allowed"] is True


async def test_openapi_says_that_patches_take_field_validation(kube: Kube) -> None:
    index = (await kube.get("/openapi/v3")).expect(200)["paths"]
    assert {"api/v1", "apis/apps/v1"} <= index.keys()
    document = (await kube.get("/openapi/v3/apis/apps/v1")).expect(200)
    patch = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert patch["x-kubernetes-group-version-kind"] == {"group": "apps", "version": "v1", "kind": "Deployment"}
    assert "fieldValidation" in {parameter["name"] for parameter in patch["parameters"]}
    schema = document["components"]["schemas"]["io.k8s.api.apps.v1.DeploymentSpec"]
    assert schema["properties"]["replicas"]["type"] == "integer"
