"""What the API server itself changes on the way into its store: a policy of the cluster's administrator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from handlers.adapters.kube import Object
from schemas.resources import CANARY, DEPLOYMENT, Resource
from tests.cluster.world import NEW, World
from tests.handlers.house import deployment

pytestmark = [pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module")]

_GROUP, _VERSION = "admissionregistration.k8s.io", "v1"
POLICY = Resource(_GROUP, _VERSION, "mutatingadmissionpolicies", "MutatingAdmissionPolicy", namespaced=False)
BINDING = Resource(
    _GROUP, _VERSION, "mutatingadmissionpolicybindings", "MutatingAdmissionPolicyBinding", namespaced=False
)
_AS_NOBODY = """Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{
  securityContext: Object.spec.template.spec.securityContext{runAsNonRoot: true}}}}}"""


@asynccontextmanager
async def hardening(world: World) -> AsyncIterator[None]:
    """Every Deployment of the namespace whose name ends in ``-primary`` runs as nobody."""
    name = {"metadata": {"name": f"hardening-{world.namespace}"}}
    rule = {
        "apiGroups": ["apps"],
        "apiVersions": ["v1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["deployments"],
    }
    home = {"matchLabels": {"kubernetes.io/metadata.name": world.namespace}}
    spec: dict[str, Any] = {
        "failurePolicy": "Fail",
        "reinvocationPolicy": "Never",
        "matchConstraints": {"namespaceSelector": home, "resourceRules": [rule]},
        "matchConditions": [{"name": "primary", "expression": "object.metadata.name.endsWith('-primary')"}],
        "mutations": [{"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": _AS_NOBODY}}],
    }
    await world.kube.create(POLICY, {**name, "spec": spec})
    await world.kube.create(BINDING, {**name, "spec": {"policyName": name["metadata"]["name"]}})
    try:
        await _in_force(world)
        yield
    finally:
        for resource in (BINDING, POLICY):
            await world.kube.delete(resource, "", name["metadata"]["name"])


async def _in_force(world: World) -> None:
    """The API server has no word for it: asked with an object of no use, again and again."""
    async with asyncio.timeout(60):
        while True:
            made = await world.kube.create(DEPLOYMENT, deployment(0, name="probe-primary", namespace=world.namespace))
            await world.kube.delete(DEPLOYMENT, world.namespace, "probe-primary")
            await world.gone(DEPLOYMENT, "probe-primary")
            if is_hardened(made):
                return


def is_hardened(item: Object) -> bool:
    return bool((item["spec"]["template"]["spec"].get("securityContext") or {}).get("runAsNonRoot"))


async def test_a_primary_that_a_policy_changes_is_promoted_and_comes_to_rest(world: World) -> None:
    async with hardening(world):
        await world.install_podinfo()
        await world.until("Initialized")
        await world.set_image(NEW)
        await world.until("Progressing", "Promoting", "Succeeded")
        primary = await world.kube.get(DEPLOYMENT, world.namespace, "podinfo-primary")
        assert primary["spec"]["template"]["spec"]["containers"][0]["image"] == NEW
        assert is_hardened(primary)
        assert (await world.object(CANARY))["status"]["settled"] is True
        assert await world.dead_letters() == []
