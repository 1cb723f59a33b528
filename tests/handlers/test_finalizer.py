"""Who gets a finalizer and a keeper, when they go, and what is said of a Canary that went without."""

from __future__ import annotations

from schemas.canary import FINALIZER
from schemas.events import Change, ChangeReason
from schemas.resources import CANARY, CONTROLLER_REVISION, DEPLOYMENT, HORIZONTAL_POD_AUTOSCALER, ROUTE_TABLE, Resource
from schemas.resources import NAMESPACE as NAMESPACES
from schemas.status import Phase
from schemas.workload import FROZEN
from tests.handlers.deleting import GOES, KEEPER, METADATA, STAYS, at_rest, canary, delete, gone
from tests.handlers.house import NAMESPACE, House


async def test_the_finalizer_is_there_before_anything_is_parked_and_all_that_is_made_has_a_keeper(
    house: House,
) -> None:
    await house.prepare(revertOnDeletion=True)
    await house.change(ChangeReason.SPEC)
    assert (await house.object(CANARY, "podinfo"))["metadata"]["finalizers"] == [FINALIZER]
    assert await house.replicas() == 1
    await house.change()
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
    await at_rest(house, revertOnDeletion=False, autoscalerRef=scaler)
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
    await delete(house)
    assert await canary(house) is None
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
    await delete(house)
    await house.change(ChangeReason.DELETED)
    await house.tick(5)
    found = await house.object(CANARY, "podinfo")
    assert found["metadata"]["finalizers"] == ["example.com/theirs"]
    house.kube.reset()
    await house.tick(2)
    assert not [call for call in house.kube.made if not call.startswith("GET")]


async def test_the_finalizer_holds_no_namespace(house: House) -> None:
    await at_rest(house)
    await house.admin.delete(NAMESPACES, "", NAMESPACE)
    await gone(house)
    assert await house.admin.find(NAMESPACES, "", NAMESPACE) is None


def _seen_gone(house: House) -> Change:
    """As the watcher tells it when there is no Canary any more."""
    where = {"namespace": NAMESPACE, "name": "podinfo", "uid": house.uid}
    return Change(**where, reason=ChangeReason.DELETED, object="Deployment/podinfo")


async def test_without_revert_on_deletion_a_target_at_zero_is_said_when_the_canary_is_gone(house: House) -> None:
    await at_rest(house, revertOnDeletion=False)
    await delete(house)
    assert await canary(house) is None
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
    await delete(house)
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
    await delete(house)
    await house.wake(_seen_gone(house))
    left = await house.object(DEPLOYMENT, "podinfo")
    assert "paused" not in left["spec"]
    assert FROZEN not in left["metadata"]["annotations"]
