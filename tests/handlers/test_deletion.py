"""Deletion on a Kubernetes API with garbage collection: who dies where, and what is left of it all."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, Literal

import pytest

from handlers.adapters.errors import Forbidden, NotFound, TransientError
from handlers.adapters.kube import Object
from schemas.canary import FINALIZER
from schemas.events import Change, ChangeReason
from schemas.resources import (
    CANARY,
    CONTROLLER_REVISION,
    CUSTOM_RESOURCE_DEFINITION,
    DAEMON_SET,
    DEPLOYMENT,
    HORIZONTAL_POD_AUTOSCALER,
    ROUTE_TABLE,
    SCALED_OBJECT,
    SERVICE,
    UPSTREAM,
    Resource,
)
from schemas.resources import NAMESPACE as NAMESPACES
from schemas.status import Phase
from schemas.workload import FROZEN
from tests.handlers.house import NAMESPACE, Crash, House

METADATA = {"name": "podinfo", "namespace": NAMESPACE}
Policy = Literal["Background", "Foreground"]
KEEPER = "podinfo-revert-on-deletion"
STAYS: list[tuple[Resource, str]] = [
    (ROUTE_TABLE, "podinfo"),
    (UPSTREAM, "default-podinfo-canaryupstream-9898"),
    (SERVICE, "podinfo-canary"),
    (SERVICE, "podinfo"),
]
GOES: list[tuple[Resource, str]] = [
    (DEPLOYMENT, "podinfo-primary"),
    (SERVICE, "podinfo-primary"),
    (UPSTREAM, "default-podinfo-primaryupstream-9898"),
    (CONTROLLER_REVISION, KEEPER),
]


async def _at_rest(house: House, **spec: Any) -> None:
    await house.prepare(replicas=2, **{"revertOnDeletion": True, **spec})
    await house.initialized()
    assert await house.replicas() == 0


async def _delete(house: House, policy: Policy = "Background") -> None:
    """As ``kubectl delete --cascade`` does."""
    await house.admin.delete(CANARY, NAMESPACE, "podinfo", policy=policy)


async def _canary(house: House) -> Object | None:
    return await house.admin.find(CANARY, NAMESPACE, "podinfo")


def _seen_gone(house: House) -> Change:
    """As the watcher tells it when there is no Canary any more."""
    where = {"namespace": NAMESPACE, "name": "podinfo", "uid": house.uid}
    return Change(**where, reason=ChangeReason.DELETED, object="Deployment/podinfo")


async def _gone(house: House, most: int = 12) -> None:
    """Wakes until the Canary is gone."""
    await house.change(ChangeReason.DELETED)
    for _ in range(most):
        if await _canary(house) is None:
            return
        await house.tick()
    raise AssertionError(f"never goes: {await house.status()}")


async def _assert_restored(house: House) -> None:
    for resource, name in STAYS:
        metadata = (await house.object(resource, name))["metadata"]
        assert "ownerReferences" not in metadata, name
        assert not [mark for mark in metadata.get("annotations") or {} if mark.startswith("canarybus.dev/")], name
    for resource, name in GOES:
        assert await house.admin.find(resource, NAMESPACE, name) is None, name
    destinations = (await house.object(ROUTE_TABLE, "podinfo"))["spec"]["routes"][0]["routeAction"]["multi"]
    assert [item["destination"]["upstream"]["name"] for item in destinations["destinations"]] == [STAYS[1][1]]
    for service in ("podinfo", "podinfo-canary"):
        assert await house.selector(service) == {"app": "podinfo"}
    target = await house.object(DEPLOYMENT, "podinfo")
    assert target["spec"]["replicas"] == target["status"]["availableReplicas"] == 2
    assert "canarybus.dev/target-step" not in (target["metadata"].get("annotations") or {})


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
async def test_a_deleted_canary_leaves_its_target_serving_and_takes_its_primary_along(
    house: House, policy: Policy
) -> None:
    await _at_rest(house)
    await _delete(house, policy)
    assert await house.replicas("podinfo-primary") == 2, "the primary serves until the target has taken over"
    await _gone(house)
    await _assert_restored(house)
    told = [notice.message for result in await house.results() for notice in result.notices]
    assert told[-4] == "Terminating canary podinfo.default"
    assert told[-1] == "Terminated canary podinfo.default"


async def test_the_order_is_target_then_apex_then_routes_then_owners_then_finalizer(house: House) -> None:
    await _at_rest(house)
    await _delete(house)
    house.kube.reset()
    await _gone(house)
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
    await _at_rest(house)
    await _delete(house, policy)
    for call in range(60):
        house.kube.reset()
        setattr(house.kube, f"die_{moment}", call % 20)
        with suppress(Crash):
            await house.tick()
        if await _canary(house) is None:
            break
    assert await _canary(house) is None
    await _assert_restored(house)
    told = [notice.message for result in await house.results() for notice in result.notices]
    for text in ("Terminating canary podinfo.default", "Terminated canary podinfo.default"):
        assert told.count(text) == 1


@pytest.mark.parametrize("phase", [Phase.PROGRESSING, Phase.PROMOTING])
async def test_a_rollout_under_way_is_brought_back_too(house: House, phase: Phase) -> None:
    await _at_rest(house)
    await house.push("podinfo:2")
    await house.tick(2)
    await house.until(phase, settled=False)
    await _delete(house, "Foreground")
    await _gone(house)
    await _assert_restored(house)
    assert await house.image("podinfo") == "podinfo:2"


async def test_the_finalizer_is_there_before_anything_is_parked_and_all_that_is_made_has_a_keeper(
    house: House,
) -> None:
    await house.prepare(revertOnDeletion=True)
    await house.change(ChangeReason.SPEC)
    assert (await house.object(CANARY, "podinfo"))["metadata"]["finalizers"] == [FINALIZER]
    assert await house.replicas() == 1
    for resource, name in [*STAYS, *GOES[:-1]]:
        owners = (await house.object(resource, name))["metadata"]["ownerReferences"]
        assert [owner["kind"] for owner in owners] == ["Canary", "ControllerRevision"], name


async def test_initialising_with_revert_on_deletion_takes_three_calls_more(house: House) -> None:
    await house.prepare(revertOnDeletion=True)
    await house.change(ChangeReason.SPEC)
    while (await house.status()).phase is not Phase.INITIALIZED:
        await house.change()
    assert house.kube.total <= 28, house.kube.made


async def test_switching_revert_on_deletion_on_and_off_moves_finalizer_and_keeper(house: House) -> None:
    scaler = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": "podinfo"}
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"}
    await house.admin.create(
        HORIZONTAL_POD_AUTOSCALER,
        {"metadata": METADATA, "spec": {"scaleTargetRef": target, "maxReplicas": 3}},
    )
    await _at_rest(house, revertOnDeletion=False, autoscalerRef=scaler)
    await _revert_on_deletion(house, on=True)
    assert (await house.object(CANARY, "podinfo"))["metadata"]["finalizers"] == [FINALIZER]
    for resource, name in [*STAYS, *GOES[:-1], (HORIZONTAL_POD_AUTOSCALER, "podinfo-primary")]:
        assert await _owners(house, resource, name) == ["Canary", "ControllerRevision"], name
    house.kube.reset()
    await house.tick()
    assert not [call for call in house.kube.made if not call.startswith("GET")], "nothing is written twice"
    await _revert_on_deletion(house, on=False)
    assert "finalizers" not in (await house.object(CANARY, "podinfo"))["metadata"]
    assert await house.admin.find(CONTROLLER_REVISION, NAMESPACE, KEEPER) is None
    assert await _owners(house, ROUTE_TABLE, "podinfo") == ["Canary"]
    await _delete(house)
    assert await _canary(house) is None
    assert await house.admin.find(ROUTE_TABLE, NAMESPACE, "podinfo") is None


async def _revert_on_deletion(house: House, *, on: bool) -> None:
    await house.admin.patch(CANARY, NAMESPACE, "podinfo", {"spec": {"revertOnDeletion": on}})
    await house.change(ChangeReason.SPEC)


async def _owners(house: House, resource: Resource, name: str) -> list[str]:
    return [owner["kind"] for owner in (await house.object(resource, name))["metadata"]["ownerReferences"]]


async def test_a_foreign_finalizer_is_never_touched(house: House) -> None:
    await house.prepare(replicas=2, revertOnDeletion=True)
    theirs = {"metadata": {"finalizers": ["example.com/theirs"]}}
    await house.admin.patch(CANARY, NAMESPACE, "podinfo", theirs)
    await house.initialized()
    found = await house.object(CANARY, "podinfo")
    assert found["metadata"]["finalizers"] == ["example.com/theirs", FINALIZER]
    await _delete(house)
    await house.change(ChangeReason.DELETED)
    await house.tick(5)
    found = await house.object(CANARY, "podinfo")
    assert found["metadata"]["finalizers"] == ["example.com/theirs"]
    house.kube.reset()
    await house.tick(2)
    assert not [call for call in house.kube.made if not call.startswith("GET")]


async def test_a_target_that_never_gets_ready_leaves_everything_to_a_keeper(house: House) -> None:
    await _at_rest(house, progressDeadlineSeconds=60)
    await _delete(house, "Foreground")

    async def refuse(method: str, path: str) -> None:
        if method == "PATCH" and path.endswith("/deployments/podinfo"):
            raise Forbidden("an admission webhook says no")

    house.kube.before = refuse
    with pytest.raises(TransientError):
        await house.change(ChangeReason.DELETED)
    with pytest.raises(TransientError):
        await house.tick()
    status = await house.status()
    ready = next(item for item in status.conditions if item.type == "Ready")
    assert (status.phase, ready.reason) == (Phase.TERMINATING, "Refused")
    for _ in range(7):
        if await _canary(house) is None:
            break
        with suppress(TransientError):
            await house.tick()
    assert await _canary(house) is None, "it always ends"
    for resource, name in [*STAYS, *GOES]:
        assert await house.admin.find(resource, NAMESPACE, name), f"{name} may still serve"
    assert await house.weight() == 0
    assert await house.replicas("podinfo-primary") == 2
    await house.admin.delete(CONTROLLER_REVISION, NAMESPACE, KEEPER)
    for resource, name in GOES:
        with pytest.raises(NotFound):
            await house.object(resource, name)


async def test_an_application_that_is_deleted_as_a_whole_goes_as_a_whole(house: House) -> None:
    await _at_rest(house)
    await _delete(house)
    await house.admin.delete(DEPLOYMENT, NAMESPACE, "podinfo")
    await _gone(house)
    for resource, name in [*STAYS, *GOES]:
        assert await house.admin.find(resource, NAMESPACE, name) is None, name


async def test_the_finalizer_holds_no_namespace(house: House) -> None:
    await _at_rest(house)
    await house.admin.delete(NAMESPACES, "", NAMESPACE)
    await _gone(house)
    assert await house.admin.find(NAMESPACES, "", NAMESPACE) is None


async def test_a_paused_scaler_of_the_target_is_resumed_before_it_is_scaled_up(house: House) -> None:
    ref = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "podinfo"}
    annotations = {"autoscaling.keda.sh/paused-replicas": "0", "kept": "yes"}
    await _at_rest(house)
    await house.admin.create(CUSTOM_RESOURCE_DEFINITION, definition(SCALED_OBJECT))
    await house.admin.create(
        SCALED_OBJECT, {"metadata": {**METADATA, "annotations": annotations}, "spec": {"triggers": []}}
    )
    await house.admin.patch(CANARY, NAMESPACE, "podinfo", {"spec": {"autoscalerRef": ref}})
    await _delete(house)
    await house.change(ChangeReason.DELETED)
    assert "autoscaling.keda.sh/paused-replicas" not in await _annotations(house, SCALED_OBJECT)
    assert await house.replicas() == 2
    await _gone(house)
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
    await _delete(house)
    await _gone(house)
    assert await house.selector("podinfo") == own


async def test_a_daemonset_runs_on_its_nodes_again(house: House) -> None:
    await house.prepare("DaemonSet", revertOnDeletion=True)
    await house.initialized()
    await _delete(house, "Foreground")
    await _gone(house)
    found = await house.object(DAEMON_SET, "podinfo")
    assert not found["spec"]["template"]["spec"].get("nodeSelector")
    assert found["status"]["numberAvailable"] == 1
    assert await house.admin.find(DAEMON_SET, NAMESPACE, "podinfo-primary") is None


async def test_routes_lead_to_a_service_itself_again_and_its_copies_go(house: House) -> None:
    await house.prepare("Service", revertOnDeletion=True)
    await house.initialized()
    before = (await house.object(SERVICE, "podinfo"))["spec"]
    await _delete(house, "Foreground")
    await _gone(house)
    upstream = await house.object(UPSTREAM, "default-podinfo-canaryupstream-9898")
    assert upstream["spec"]["kube"]["serviceName"] == "podinfo"
    for name in ("podinfo-primary", "podinfo-canary"):
        assert await house.admin.find(SERVICE, NAMESPACE, name) is None, name
    assert (await house.object(SERVICE, "podinfo"))["spec"] == before
    assert "ownerReferences" not in upstream["metadata"]


async def test_a_canary_that_was_never_looked_at_needs_nothing_to_go(house: House) -> None:
    await house.prepare(revertOnDeletion=True)
    await house.admin.patch(CANARY, NAMESPACE, "podinfo", {"metadata": {"finalizers": [FINALIZER]}})
    await _delete(house)
    await _gone(house)
    assert await house.replicas() == 1
    assert await house.admin.find(ROUTE_TABLE, NAMESPACE, "podinfo") is None


async def test_a_restored_target_can_have_a_canary_again(house: House) -> None:
    """What is left behind is adopted: users are served all the way."""
    await _at_rest(house)
    await _delete(house)
    await _gone(house)
    await house.canary(revertOnDeletion=True)
    await house.initialized()
    assert await house.weight() == 0
    assert await house.selector("podinfo") == {"app": "podinfo-primary"}
    assert await house.replicas() == 0
    await house.push("podinfo:2")
    await house.until(Phase.SUCCEEDED)
    await _delete(house)
    await _gone(house)
    await _assert_restored(house)


async def test_without_revert_on_deletion_a_target_at_zero_is_said_when_the_canary_is_gone(house: House) -> None:
    await _at_rest(house, revertOnDeletion=False)
    await _delete(house)
    assert await _canary(house) is None
    for _ in range(2):
        await house.wake(_seen_gone(house))
    told = [result for result in await house.results() if result.step == 0]
    text = (
        "Canary podinfo.default was deleted without revertOnDeletion: Deployment podinfo.default runs no pods, and its "
        "primary goes; kubectl -n default scale deployment/podinfo --replicas=1"
    )
    assert [notice.message for result in told for notice in result.notices] == [text]


async def test_a_deleted_canary_whose_target_runs_is_no_news(house: House) -> None:
    await house.prepare(replicas=2)
    await _delete(house)
    assert (await house.wake(_seen_gone(house))).code == 404
    assert (await house.bus.js.stream_info("CANARY_RESULTS")).state.messages == 0


async def test_pods_that_were_kept_for_users_are_nobodys_to_keep_when_the_canary_is_gone(house: House) -> None:
    await house.prepare(revertOnDeletion=False)
    await house.initialized()
    await house.push("podinfo:2")
    await house.until(Phase.PROMOTING, settled=False)
    await house.command("abort")
    frozen = await house.object(DEPLOYMENT, "podinfo")
    assert frozen["spec"]["paused"]
    await _delete(house)
    await house.wake(_seen_gone(house))
    left = await house.object(DEPLOYMENT, "podinfo")
    assert "paused" not in left["spec"]
    assert FROZEN not in left["metadata"]["annotations"]
