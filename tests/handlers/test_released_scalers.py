"""A scaler that the Canary names no more: its user's own again, with nothing of ours on it or beside it."""

from __future__ import annotations

from contextlib import suppress

import pytest

from handlers.objects.scalers import Scalers
from handlers.observe import Observer
from schemas.events import ChangeReason
from schemas.names import Names
from schemas.resources import CANARY, DEPLOYMENT, HORIZONTAL_POD_AUTOSCALER, SCALED_OBJECT
from schemas.status import Phase
from schemas.workload import PAUSE, PAUSED_REPLICAS, PAUSED_SCALE_IN, TARGET_STEP
from tests.handlers.autoscaled import REF, naming, scaled, second_scaler, worn
from tests.handlers.house import NAMESPACE, House
from tests.handlers.neighbours import Crash
from tests.handlers.renamed import OTHER, edit, names, other_target, tidied

OURS = {PAUSE, PAUSED_REPLICAS, PAUSED_SCALE_IN, TARGET_STEP}
SECOND = {**REF, "name": "second"}
HPA = {**naming(HORIZONTAL_POD_AUTOSCALER)["autoscalerRef"], "name": "podinfo"}


async def autoscaler(house: House) -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"}
    body = {"metadata": {"name": "podinfo", "namespace": NAMESPACE}}
    await house.admin.create(
        HORIZONTAL_POD_AUTOSCALER, {**body, "spec": {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 4}}
    )


async def scalers_of_the_primary(house: House) -> list[str]:
    found = []
    for kind in (HORIZONTAL_POD_AUTOSCALER, SCALED_OBJECT):
        items, _ = await house.admin.list(kind, NAMESPACE)
        found += [
            f"{kind.kind} {item['metadata']['name']}"
            for item in items
            if item["spec"]["scaleTargetRef"]["name"] == "podinfo-primary"
        ]
    return found


@pytest.mark.parametrize(
    ("ref", "left"),
    [
        (None, []),
        (SECOND, ["ScaledObject second-primary"]),
        (HPA, ["HorizontalPodAutoscaler podinfo-primary"]),
    ],
    ids=["removed", "renamed", "of another kind"],
)
async def test_a_scaled_object_that_is_named_no_more_is_its_users_own_in_the_wake_of_the_edit(
    house: House, ref: dict[str, str] | None, left: list[str]
) -> None:
    await scaled(house, SCALED_OBJECT)
    await second_scaler(house)
    await autoscaler(house)
    kept = {"metadata": {"annotations": {"kept": "yes"}}}
    await house.admin.patch(SCALED_OBJECT, NAMESPACE, "podinfo", kept)
    assert (await worn(house))[PAUSED_REPLICAS] == "0"
    await edit(house, autoscalerRef=ref)
    assert await worn(house) == {"kept": "yes"}
    assert await scalers_of_the_primary(house) == left
    status = await house.status()
    assert status.last_step is not None
    assert status.last_step.message == (
        "spec.autoscalerRef names ScaledObject podinfo no more: its copy podinfo-primary goes, and KEDA scales "
        "Deployment podinfo after it again, without a rollout as well"
    )
    assert status.former_scalers == (), "nothing is owed any more"
    if ref is SECOND:
        assert (await worn(house, "second"))[PAUSED_REPLICAS] == "0", "the one in force sleeps with the target"
    await house.until(Phase.INITIALIZED)
    assert await house.replicas() == 0, "nobody but KEDA scales it up"
    await house.push("podinfo:2")
    await house.until(Phase.SUCCEEDED)
    assert await worn(house) == {"kept": "yes"}, "and it is left alone from then on"


async def test_a_scaler_that_comes_and_goes_in_mid_rollout_never_fights_another_and_keeps_the_floor(
    house: House,
) -> None:
    await scaled(house, SCALED_OBJECT, minReplicaCount=0)
    await house.admin.patch(DEPLOYMENT, NAMESPACE, "podinfo-primary", {"spec": {"replicas": 3}})
    await house.ready("podinfo-primary")
    await second_scaler(house, minReplicaCount=0)
    await house.push("podinfo:2")
    await house.tick()
    await edit(house, autoscalerRef=SECOND)
    assert await scalers_of_the_primary(house) == ["ScaledObject second-primary"]
    assert (await house.object(SCALED_OBJECT, "second-primary"))["spec"]["minReplicaCount"] == 3
    assert not OURS & set(await worn(house))
    assert (await worn(house, "second"))[PAUSED_SCALE_IN] == "true"
    await edit(house, autoscalerRef=None)
    assert await scalers_of_the_primary(house) == []
    assert not OURS & set(await worn(house, "second"))
    assert (await house.status()).phase is Phase.PROGRESSING
    await house.until(Phase.SUCCEEDED)


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_whoever_dies_on_the_way_leaves_the_release_to_the_next(house: House, moment: str) -> None:
    await scaled(house, SCALED_OBJECT)
    await second_scaler(house)
    await house.admin.patch(CANARY, NAMESPACE, "podinfo", {"spec": {"autoscalerRef": SECOND}})
    for call in range(40):
        house.kube.reset()
        setattr(house.kube, f"die_{moment}", call)
        with suppress(Crash):
            await house.tick()
        status = await house.status()
        if status.settled and not status.former_scalers and status.names and status.names.scaler == "second":
            break
    house.kube.reset()
    await house.until(Phase.INITIALIZED)
    assert not await worn(house)
    assert (await worn(house, "second"))[PAUSED_REPLICAS] == "0"
    assert await scalers_of_the_primary(house) == ["ScaledObject second-primary"]
    told = [result for result in await house.results() if "no more: its copy" in result.message]
    assert len({result.step for result in told}) == 1


async def test_an_edit_that_is_taken_back_before_it_was_acted_upon_releases_nothing(house: House) -> None:
    await scaled(house, SCALED_OBJECT)
    await second_scaler(house)

    async def die(method: str, path: str) -> None:
        if "scaledobjects" in path and method != "GET":
            raise Crash

    house.kube.before = die
    with pytest.raises(Crash):
        await edit(house, autoscalerRef=SECOND)
    house.kube.before = None
    assert [former.scaler for former in (await house.status()).former_scalers] == ["podinfo"]
    await edit(house, autoscalerRef=REF)
    await house.until(Phase.INITIALIZED)
    assert (await worn(house))[PAUSED_REPLICAS] == "0"
    assert not await worn(house, "second")
    assert await scalers_of_the_primary(house) == ["ScaledObject podinfo-primary"]


async def test_what_the_spec_names_again_is_not_released_whoever_has_not_decided_about_it_yet(house: House) -> None:
    """An invalid Canary, say: nothing is decided, and what is committed is projected."""
    await scaled(house, SCALED_OBJECT)
    sight = await Observer(house.admin, house.settings).look(house.ref, house.slot())
    assert sight is not None
    names = sight.canary.names
    owing = sight.canary.status.model_copy(update={"former_scalers": (names, names.model_copy(update={"port": 1}))})
    await Scalers(house.admin).release(sight.canary.model_copy(update={"status": owing}))
    assert (await worn(house))[PAUSED_REPLICAS] == "0"
    assert await scalers_of_the_primary(house) == ["ScaledObject podinfo-primary"]


async def test_a_new_copy_is_made_when_keda_has_let_go_of_the_former_one(house: House) -> None:
    """It takes no two ScaledObjects of one workload, and what it deletes waits for it."""
    await scaled(house, SCALED_OBJECT)
    await second_scaler(house)
    held = {"metadata": {"finalizers": ["finalizer.keda.sh"]}}
    await house.admin.patch(SCALED_OBJECT, NAMESPACE, "podinfo-primary", held)
    await edit(house, autoscalerRef=SECOND)
    await house.tick(3)
    assert await scalers_of_the_primary(house) == ["ScaledObject podinfo-primary"]
    assert (await worn(house, "second"))[PAUSED_REPLICAS] == "0", "nothing else waits for that"
    assert not (await house.status()).settled
    await house.admin.patch(SCALED_OBJECT, NAMESPACE, "podinfo-primary", {"metadata": {"finalizers": None}})
    await house.tick(2)
    assert await scalers_of_the_primary(house) == ["ScaledObject second-primary"]
    assert (await house.status()).settled


async def test_a_copy_that_is_not_ours_stays(house: House) -> None:
    await scaled(house, SCALED_OBJECT)
    theirs = {"metadata": {"ownerReferences": None}}
    await house.admin.patch(SCALED_OBJECT, NAMESPACE, "podinfo-primary", theirs)
    await edit(house, autoscalerRef=None)
    await house.until(Phase.INITIALIZED)
    assert await names(house, SCALED_OBJECT) == ["podinfo", "podinfo-primary"]
    assert (await house.status()).former_scalers == ()


async def test_another_target_leaves_the_primary_its_scaler_for_as_long_as_that_serves(house: House) -> None:
    await scaled(house, SCALED_OBJECT)
    await other_target(house)
    await second_scaler(house, "other", "other")
    service = {"port": 9898, "name": "podinfo"}
    await edit(house, **OTHER, service=service, autoscalerRef={**REF, "name": "other"})
    assert not await worn(house), "the former target is its user's own at once"
    assert "podinfo-primary" in await names(house, SCALED_OBJECT)
    await tidied(house)
    assert await names(house, SCALED_OBJECT) == ["other", "other-primary", "podinfo"]
    assert (await worn(house, "other"))[PAUSED_REPLICAS] == "0"


async def test_a_scaler_that_is_gone_already_is_owed_nothing(house: House) -> None:
    await scaled(house, SCALED_OBJECT)
    for name in ("podinfo", "podinfo-primary"):
        await house.admin.delete(SCALED_OBJECT, NAMESPACE, name)
    await edit(house, autoscalerRef=None)
    await house.until(Phase.INITIALIZED)
    status = await house.status()
    assert (status.former_scalers, status.names) == (
        (),
        Names(kind="Deployment", target="podinfo", service="podinfo", port=9898),
    )
    house.kube.reset()
    await house.change(ChangeReason.RESYNC)
    assert not [call for call in house.kube.made if "scaledobjects" in call]
