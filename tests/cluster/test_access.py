"""Each ServiceAccount may do what its process does, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from handlers.adapters.errors import Forbidden, PermanentError
from handlers.adapters.kube import Kube, find_access
from schemas.resources import (
    ALERT_PROVIDER,
    CANARY,
    CONFIG_MAP,
    CONTROLLER_REVISION,
    CUSTOM_RESOURCE_DEFINITION,
    DAEMON_SET,
    DEPLOYMENT,
    EVENT,
    HORIZONTAL_POD_AUTOSCALER,
    METRIC_TEMPLATE,
    NAMESPACE,
    NODE,
    POD,
    ROUTE_TABLE,
    SCALED_OBJECT,
    SECRET,
    SERVICE,
    UPSTREAM,
    Resource,
)
from tests.cluster.installation import ACCOUNT, account_kubeconfig
from tests.deploy.api import connected
from tests.deploy.canaries import changed

pytestmark = [pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module")]

_RULES_REVIEW = Resource(
    "authorization.k8s.io", "v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview", namespaced=False
)

LOOK = "get list watch"
ROUTE = "get create patch delete"
WATCHER = {
    CANARY: LOOK,
    DEPLOYMENT: LOOK,
    DAEMON_SET: LOOK,
    HORIZONTAL_POD_AUTOSCALER: LOOK,
    SCALED_OBJECT: LOOK,
    ROUTE_TABLE: LOOK,
    UPSTREAM: LOOK,
    SERVICE: LOOK,
    CONFIG_MAP: LOOK,
    SECRET: LOOK,
}
HANDLERS = {
    CANARY: "get list patch",
    METRIC_TEMPLATE: "get",
    ALERT_PROVIDER: "get",
    DEPLOYMENT: f"{ROUTE} update",
    DAEMON_SET: f"{ROUTE} update",
    HORIZONTAL_POD_AUTOSCALER: ROUTE,
    SCALED_OBJECT: f"{ROUTE} list",
    ROUTE_TABLE: ROUTE,
    UPSTREAM: f"{ROUTE} list",
    SERVICE: f"{ROUTE} update",
    CONTROLLER_REVISION: "get list create patch delete",
    CONFIG_MAP: f"{ROUTE} update",
    SECRET: f"{ROUTE} update",
    POD: "list",
    EVENT: "create patch",
    CUSTOM_RESOURCE_DEFINITION: "get",
}
SUBRESOURCES = {
    ("flagger.app", "canaries/status", "patch"),
    ("flagger.app", "canaries/finalizers", "patch"),
    ("flagger.app", "canaries/finalizers", "update"),
    ("apps", "controllerrevisions/finalizers", "patch"),
    ("apps", "controllerrevisions/finalizers", "update"),
}
METRICS_IN_THE_CLUSTER = {
    ("metrics.keptn.sh", "keptnmetrics", "get"),
    ("metrics.keptn.sh", "analyses", "get"),
    ("metrics.keptn.sh", "analyses", "create"),
    ("metrics.keptn.sh", "analyses", "delete"),
    ("external.metrics.k8s.io", "*", "get"),
    ("external.metrics.k8s.io", "*", "list"),
}
Rights = set[tuple[str, str, str]]


def _rights(table: Mapping[Resource, str]) -> Rights:
    return {(resource.group, resource.plural, verb) for resource, verbs in table.items() for verb in verbs.split()}


async def _granted(kube: Kube, namespace: str) -> Rights:
    """By group, resource and verb; a right to certain names only counts as a right."""
    review = await kube.create(_RULES_REVIEW, {"metadata": {}, "spec": {"namespace": namespace}})
    assert review["status"]["incomplete"] is False
    return {
        (group, resource, verb)
        for rule in review["status"]["resourceRules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


@pytest.mark.parametrize(
    ("account", "needed"),
    [("watcher", _rights(WATCHER)), ("handlers", _rights(HANDLERS) | SUBRESOURCES | METRICS_IN_THE_CLUSTER)],
    ids=["watcher", "handlers"],
)
async def test_an_account_has_exactly_the_rights_that_its_process_needs(
    account: str, needed: Rights, kube: Kube, kubeconfig: str, namespace: str
) -> None:
    async with connected(kubeconfig, impersonate="system:serviceaccount:canarybus:default") as nobody:
        everybodys = await _granted(nobody, namespace)
    async with connected(kubeconfig, impersonate=ACCOUNT.format(account)) as own:
        assert await _granted(own, namespace) - everybodys == needed


async def test_the_watcher_can_change_nothing(kube: Kube, kubeconfig: str, namespace: str) -> None:
    canary = await _canary(kube, namespace, "watched")
    async with connected(kubeconfig, impersonate=ACCOUNT.format("watcher")) as watcher:
        assert (await watcher.get(CANARY, namespace, "watched"))["metadata"]["uid"] == canary["metadata"]["uid"]
        with pytest.raises(Forbidden):
            await watcher.patch(CANARY, namespace, "watched", {"spec": {"suspend": True}})
        with pytest.raises(Forbidden):
            await watcher.patch(CANARY, namespace, "watched", {"status": {"phase": "Failed"}}, subresource="status")
        with pytest.raises(Forbidden):
            await watcher.delete(CANARY, namespace, "watched")
        with pytest.raises(Forbidden):
            await watcher.create(CONFIG_MAP, {"metadata": {"name": "a", "namespace": namespace}})
    assert (await kube.get(CANARY, namespace, "watched")) == canary


@pytest.mark.parametrize("resource", [SECRET, CONFIG_MAP, DEPLOYMENT, ROUTE_TABLE], ids=lambda item: item.plural)
async def test_the_watcher_lists_metadata_of_all_namespaces(resource: Resource, kube: Kube, kubeconfig: str) -> None:
    async with connected(kubeconfig, impersonate=ACCOUNT.format("watcher")) as watcher:
        items, version = await watcher.list(resource, metadata_only=True)
    assert int(version) > 0
    assert all("data" not in item and "spec" not in item for item in items)


async def test_the_handlers_write_a_rollout_as_their_own_token(
    kube: Kube, kubeconfig: str, namespace: str, tmp_path: Path
) -> None:
    canary = await _canary(kube, namespace, "moved")
    access = await find_access(str(await account_kubeconfig(kubeconfig, "handlers", tmp_path / "kubeconfig")))
    owner = {
        "apiVersion": "flagger.app/v1beta1",
        "kind": "Canary",
        "name": "moved",
        "uid": canary["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }

    def owned(name: str, **content: Any) -> dict[str, Any]:
        return {"metadata": {"name": name, "namespace": namespace, "ownerReferences": [owner]}, **content}

    async with Kube(access, user_agent="tests") as handlers:
        await handlers.patch(CANARY, namespace, "moved", {"status": {"phase": "Progressing"}}, subresource="status")
        await handlers.patch(CANARY, namespace, "moved", {"metadata": {"finalizers": ["finalizer.flagger.app"]}})
        await handlers.create(CONTROLLER_REVISION, owned("moved-1", revision=1, data={"a": 1}))
        await handlers.create(ROUTE_TABLE, owned("moved", spec={"routes": []}))
        await handlers.apply(SERVICE, owned("moved", spec={"ports": [{"port": 80}]}), manager="canarybus")
        await handlers.create(SECRET, owned("moved-primary", stringData={"a": "b"}))
        await handlers.replace(SECRET, owned("moved-primary", stringData={"a": "c"}))
        await handlers.delete(SECRET, namespace, "moved-primary")
        await handlers.delete(CONTROLLER_REVISION, namespace, "moved-1")
        await handlers.patch(CANARY, namespace, "moved", {"metadata": {"finalizers": None}})
        assert (await handlers.get(CUSTOM_RESOURCE_DEFINITION, "", "canaries.flagger.app"))["kind"]

    assert (await kube.get(CANARY, namespace, "moved"))["status"]["phase"] == "Progressing"
    assert (await kube.get(SERVICE, namespace, "moved"))["metadata"]["ownerReferences"] == [owner]
    assert await kube.find(CONTROLLER_REVISION, namespace, "moved-1") is None


async def test_the_handlers_reach_nothing_else(kube: Kube, kubeconfig: str, namespace: str) -> None:
    await _canary(kube, namespace, "kept")
    async with connected(kubeconfig, impersonate=ACCOUNT.format("handlers")) as handlers:
        with pytest.raises(Forbidden):
            await handlers.delete(NAMESPACE, "", namespace)
        with pytest.raises(Forbidden):
            await handlers.delete(CANARY, namespace, "kept")
        with pytest.raises(Forbidden):
            await handlers.list(NODE)
        with pytest.raises(Forbidden):
            await handlers.list(SECRET, namespace)
        with pytest.raises(Forbidden):
            await handlers.get(CUSTOM_RESOURCE_DEFINITION, "", "routetables.gateway.solo.io")
        with pytest.raises(Forbidden):
            await handlers.patch(METRIC_TEMPLATE, namespace, "any", {"spec": {"query": "up"}})
        with pytest.raises(PermanentError):
            await handlers.raw("/api/v1/namespaces/kube-system/pods/any/exec")
    assert (await kube.get(NAMESPACE, "", namespace))["status"]["phase"] == "Active"


async def _canary(kube: Kube, namespace: str, name: str) -> dict[str, Any]:
    return await kube.create(CANARY, {"metadata": {"name": name, "namespace": namespace}, "spec": changed({})})
