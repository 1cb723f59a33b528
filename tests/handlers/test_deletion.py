"""Deletion on a Kubernetes API with garbage collection: who dies where, and what is left of it all."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest

from handlers.adapters.errors import Forbidden, NotFound, TransientError
from handlers.adapters.kube import Object
from schemas.canary import FINALIZER
from schemas.events import ChangeReason
from schemas.resources import (
    CANARY,
    CONTROLLER_REVISION,
    CUSTOM_RESOURCE_DEFINITION,
    DAEMON_SET,
    DEPLOYMENT,
    ROUTE_TABLE,
    SCALED_OBJECT,
    SERVICE,
    UPSTREAM,
    Resource,
)
from schemas.status import Phase
from tests.handlers.deleting import (
    GOES,
    KEEPER,
    METADATA,
    STAYS,
    Policy,
    assert_restored,
    at_rest,
    canary,
    delete,
    gone,
)
from tests.handlers.house import NAMESPACE, House
from tests.handlers.neighbours import Crash


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
async def test_a_deleted_canary_leaves_its_target_serving_and_takes_its_primary_along(
    house: House, policy: Policy
) -> None:
    await at_rest(house)
    await delete(house, policy)
    assert await house.replicas("podinfo-primary") == 2, "the primary serves until the target has taken over"
    await gone(house)
    await assert_restored(house)
    told = [notice.message for result in await house.results() for notice in result.notices]
    assert told[-4] == "Terminating canary podinfo.default"
    assert told[-1] == "Terminated canary podinfo.default"


async def test_the_order_is_target_then_apex_then_routes_then_owners_then_finalizer(house: House) -> None:
    await at_rest(house)
    await delete(house)
    house.kube.reset()
    await gone(house)
    objects = f"/namespaces/{NAMESPACE}/"
    writes = [call.split(objects)[1] for call in house.kube.made if call.startswith(("PATCH", "DELETE"))]
    interesting = [call for call in writes if not call.endswith("/status")]
    freed = ["routetables/podinfo", "upstreams/" + STAYS[1][1], "services/podinfo-canary", "services/podinfo"]
    assert interesting == [
        "deployments/podinfo",
        "services/podinfo",
        "routetables/podinfo",
        *freed,
        "deployments/podinfo",
        f"controllerrevisions/{KEEPER}",
        "canaries/podinfo",
    ]


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_worker_that_dies_at_any_call_of_a_deletion_is_followed_by_one_that_ends_it(
    house: House, moment: str, policy: Policy
) -> None:
    """Each wake dies one call later than the one before it, until a wake lives through."""
    await at_rest(house)
    await delete(house, policy)
    for call in range(60):
        house.kube.reset()
        setattr(house.kube, f"die_{moment}", call % 20)
        with suppress(Crash):
            await house.tick()
        if await canary(house) is None:
            break
    assert await canary(house) is None
    await assert_restored(house)
    told = [notice.message for result in await house.results() for notice in result.notices]
    for text in ("Terminating canary podinfo.default", "Terminated canary podinfo.default"):
        assert told.count(text) == 1


@pytest.mark.parametrize("phase", [Phase.PROGRESSING, Phase.PROMOTING])
async def test_a_rollout_under_way_is_brought_back_too(house: House, phase: Phase) -> None:
    await at_rest(house)
    await house.push("podinfo:2")
    await house.tick(2)
    await house.until(phase, settled=False)
    await delete(house, "Foreground")
    await gone(house)
    await assert_restored(house)
    assert await house.image("podinfo") == "podinfo:2"


async def test_a_target_that_never_gets_ready_leaves_everything_to_a_keeper(house: House) -> None:
    await at_rest(house, progressDeadlineSeconds=60)
    await delete(house, "Foreground")

    async def refuse(method: str, path: str) -> None:
        if method == "PATCH" and path.endswith("/deployments/podinfo"):
            raise Forbidden("an admission webhook says no")

    house.kube.before = refuse
    with pytest.raises(TransientError):
        await house.change(ChangeReason.DELETED)
    with pytest.raises(TransientError):
        await house.tick()
    status = await house.status()
    held = next(item for item in status.conditions if item.type == "Held")
    assert (status.phase, held.reason) == (Phase.TERMINATING, "Refused")
    for _ in range(7):
        if await canary(house) is None:
            break
        with suppress(TransientError):
            await house.tick()
    assert await canary(house) is None, "it always ends"
    for resource, name in [*STAYS, *GOES]:
        assert await house.admin.find(resource, NAMESPACE, name), f"{name} may still serve"
    assert await house.weight() == 0
    assert await house.replicas("podinfo-primary") == 2
    found, _ = await house.admin.list(CONTROLLER_REVISION, NAMESPACE, labels="canarybus.dev/keeper")
    assert found == [], "who goes back to the peer takes away those of living Canaries only"
    await house.admin.delete(CONTROLLER_REVISION, NAMESPACE, KEEPER)
    for resource, name in GOES:
        with pytest.raises(NotFound):
            await house.object(resource, name)


async def test_an_application_that_is_deleted_as_a_whole_goes_as_a_whole(house: House) -> None:
    await at_rest(house)
    await delete(house)
    await house.admin.delete(DEPLOYMENT, NAMESPACE, "podinfo")
    await gone(house)
    for resource, name in [*STAYS, *GOES]:
        assert await house.admin.find(resource, NAMESPACE, name) is None, name


async def test_a_paused_scaler_of_the_target_is_resumed_before_it_is_scaled_up(house: House) -> None:
    ref = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "podinfo"}
    annotations = {"autoscaling.keda.sh/paused-replicas": "0", "kept": "yes"}
    await at_rest(house)
    await house.admin.create(CUSTOM_RESOURCE_DEFINITION, definition(SCALED_OBJECT))
    await house.admin.create(
        SCALED_OBJECT, {"metadata": {**METADATA, "annotations": annotations}, "spec": {"triggers": []}}
    )
    await house.admin.patch(CANARY, NAMESPACE, "podinfo", {"spec": {"autoscalerRef": ref}})
    await delete(house)
    await house.change(ChangeReason.DELETED)
    assert "autoscaling.keda.sh/paused-replicas" not in await _annotations(house, SCALED_OBJECT)
    assert await house.replicas() == 2
    await gone(house)
    assert await _annotations(house, SCALED_OBJECT) == {"kept": "yes"}


async def _annotations(house: House, resource: Resource) -> dict[str, str]:
    return dict((await house.object(resource, "podinfo"))["metadata"]["annotations"])


def definition(resource: Resource) -> Object:
    """As much of it as an API server wants."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": resource.version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": resource.plural, "kind": resource.kind, "singular": resource.kind.lower()}
    names["listKind"] = f"{resource.kind}List"
    return {
        "metadata": {"name": f"{resource.plural}.{resource.group}"},
        "spec": {"group": resource.group, "scope": "Namespaced", "names": names, "versions": [version]},
    }


async def test_a_service_that_somebody_applied_gets_his_own_selector_back(house: House) -> None:
    own = {"app": "podinfo", "tier": "web"}
    applied = json.dumps({"spec": {"selector": own}})
    await house.definitions()
    metadata = {**METADATA, "annotations": {"kubectl.kubernetes.io/last-applied-configuration": applied}}
    ports = [{"name": "http", "port": 9898}]
    await house.admin.create(SERVICE, {"metadata": metadata, "spec": {"selector": own, "ports": ports}})
    await house.prepare(labels={"tier": "web"}, revertOnDeletion=True)
    await house.initialized()
    assert await house.selector("podinfo") == {"app": "podinfo-primary"}
    await delete(house)
    await gone(house)
    assert await house.selector("podinfo") == own


async def test_a_daemonset_runs_on_its_nodes_again(house: House) -> None:
    await house.prepare("DaemonSet", revertOnDeletion=True)
    await house.initialized()
    await delete(house, "Foreground")
    await gone(house)
    found = await house.object(DAEMON_SET, "podinfo")
    assert not found["spec"]["template"]["spec"].get("nodeSelector")
    assert found["status"]["numberAvailable"] == 1
    assert await house.admin.find(DAEMON_SET, NAMESPACE, "podinfo-primary") is None


async def test_routes_lead_to_a_service_itself_again_and_its_copies_go(house: House) -> None:
    await house.prepare("Service", revertOnDeletion=True)
    await house.initialized()
    before = (await house.object(SERVICE, "podinfo"))["spec"]
    await delete(house, "Foreground")
    await gone(house)
    upstream = await house.object(UPSTREAM, "default-podinfo-canaryupstream-9898")
    assert upstream["spec"]["kube"]["serviceName"] == "podinfo"
    for name in ("podinfo-primary", "podinfo-canary"):
        assert await house.admin.find(SERVICE, NAMESPACE, name) is None, name
    assert (await house.object(SERVICE, "podinfo"))["spec"] == before
    assert "ownerReferences" not in upstream["metadata"]


async def test_a_canary_that_was_never_looked_at_needs_nothing_to_go(house: House) -> None:
    await house.prepare(revertOnDeletion=True)
    await house.admin.patch(CANARY, NAMESPACE, "podinfo", {"metadata": {"finalizers": [FINALIZER]}})
    await delete(house)
    await gone(house)
    assert await house.replicas() == 1
    assert await house.admin.find(ROUTE_TABLE, NAMESPACE, "podinfo") is None


async def test_a_restored_target_can_have_a_canary_again(house: House) -> None:
    """What is left behind is adopted: users are served all the way."""
    await at_rest(house)
    await delete(house)
    await gone(house)
    await house.canary(revertOnDeletion=True)
    await house.initialized()
    assert await house.weight() == 0
    assert await house.selector("podinfo") == {"app": "podinfo-primary"}
    assert await house.replicas() == 0
    await house.push("podinfo:2")
    await house.until(Phase.SUCCEEDED)
    await delete(house)
    await gone(house)
    await assert_restored(house)
