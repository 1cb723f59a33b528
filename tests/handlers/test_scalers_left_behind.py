"""The Canary is deleted: its ScaledObject is its user's own again, or it is said that it stays paused."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.events import Change, ChangeReason
from schemas.resources import CANARY, CUSTOM_RESOURCE_DEFINITION, DEPLOYMENT, ROUTE_TABLE, SCALED_OBJECT
from schemas.workload import PAUSED_REPLICAS, PAUSED_SCALE_IN
from tests import keda
from tests.handlers.autoscaled import REF, second_scaler, worn
from tests.handlers.house import NAMESPACE, House


async def parked(house: House, **spec: Any) -> None:
    """Its ScaledObject has another name than the target, and a minimum of zero."""
    await house.definitions()
    await house.admin.create(CUSTOM_RESOURCE_DEFINITION, keda.DEFINITION)
    await second_scaler(house, "scaled", minReplicaCount=0)
    await house.prepare(autoscalerRef={**REF, "name": "scaled"}, **spec)
    await house.initialized()


async def gone(house: House) -> None:
    """Somebody deletes it, and there are wakes until it is gone."""
    await house.admin.delete(CANARY, NAMESPACE, "podinfo")
    await house.change(ChangeReason.DELETED)
    for _ in range(12):
        if await house.admin.find(CANARY, NAMESPACE, "podinfo") is None:
            return
        await house.tick()
    raise AssertionError(f"never goes: {await house.status()}")


@pytest.mark.parametrize("end", ["in time", "past the deadline", "without a target"])
async def test_whatever_way_a_deletion_with_revert_ends_the_scaled_object_is_its_users_own(
    house: House, end: str
) -> None:
    await parked(house, revertOnDeletion=True, progressDeadlineSeconds=60)
    if end == "past the deadline":
        house.gateway = None
        await house.admin.patch(ROUTE_TABLE, NAMESPACE, "podinfo", {"status": None})
    elif end == "without a target":
        await house.admin.delete(DEPLOYMENT, NAMESPACE, "podinfo")
    await gone(house)
    assert await worn(house, "scaled") == {}
    told = [result.reason for result in await house.results()]
    assert {"in time": "LeftBehind", "past the deadline": "DeadlineExceeded", "without a target": "TargetMissing"}[
        end
    ] in told


async def test_a_target_that_is_returned_to_is_not_put_to_sleep_before_it_has_its_users(house: House) -> None:
    await parked(house, revertOnDeletion=True)
    await house.admin.delete(CANARY, NAMESPACE, "podinfo")
    await house.change(ChangeReason.DELETED)
    seen = await worn(house, "scaled")
    assert (seen.get(PAUSED_REPLICAS), seen.get(PAUSED_SCALE_IN)) == (None, "true")


async def test_a_reference_that_is_taken_out_with_the_deletion_leaves_nothing_paused_either(house: House) -> None:
    await parked(house, revertOnDeletion=True)
    await house.admin.patch(CANARY, NAMESPACE, "podinfo", {"spec": {"autoscalerRef": None}})
    await gone(house)
    assert await worn(house, "scaled") == {}


async def deleted_for_good(house: House) -> str:
    """What is said of it."""
    change = Change(
        namespace=NAMESPACE, name="podinfo", uid=house.uid, reason=ChangeReason.DELETED, object="Deployment/podinfo"
    )
    await house.wake(change)
    [told] = [notice.message for result in await house.results() for notice in result.notices if not result.step]
    return str(told)


async def test_a_deletion_without_revert_says_which_scaled_object_stays_paused_and_how_it_is_woken(
    house: House,
) -> None:
    await parked(house)
    await house.admin.delete(CANARY, NAMESPACE, "podinfo")
    assert (await worn(house, "scaled"))[PAUSED_REPLICAS] == "0", "as the peer leaves it"
    assert await deleted_for_good(house) == (
        "Canary podinfo.default was deleted without revertOnDeletion: Deployment podinfo.default runs no pods, and its "
        "primary goes; ScaledObject scaled is paused at zero: kubectl -n default annotate scaledobject/scaled "
        "autoscaling.keda.sh/paused-replicas-, then kubectl -n default scale deployment/podinfo --replicas=1"
    )


async def test_a_scaled_object_that_somebody_has_woken_meanwhile_is_not_said_to_be_paused(house: House) -> None:
    await parked(house)
    woken = {"metadata": {"annotations": {PAUSED_REPLICAS: None}}}
    await house.admin.patch(SCALED_OBJECT, NAMESPACE, "scaled", woken)
    await house.admin.delete(CANARY, NAMESPACE, "podinfo")
    assert "ScaledObject" not in await deleted_for_good(house)


async def test_revert_on_deletion_that_is_switched_off_with_the_deletion_says_the_same(house: House) -> None:
    await parked(house, revertOnDeletion=True)
    await house.admin.delete(CANARY, NAMESPACE, "podinfo")
    await house.admin.patch(CANARY, NAMESPACE, "podinfo", {"spec": {"revertOnDeletion": False}})
    await house.change(ChangeReason.DELETED)
    await house.tick(2)
    told = [notice.message for result in await house.results() for notice in result.notices]
    assert any("ScaledObject scaled is paused at zero" in text for text in told)
