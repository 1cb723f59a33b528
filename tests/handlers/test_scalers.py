"""The scaler of the primary, on the Kubernetes API: it follows that of the target, and has a floor in a rollout."""

from __future__ import annotations

from datetime import timedelta

import pytest

from handlers.objects.scalers import Scalers
from handlers.observe import Observer
from schemas.events import ChangeReason
from schemas.resources import DEPLOYMENT, HORIZONTAL_POD_AUTOSCALER, SCALED_OBJECT, Resource
from schemas.status import HAND_BACK, Phase
from tests.handlers.autoscaled import KINDS, make_scaler, naming, scaled
from tests.handlers.house import NAMESPACE, REF, House
from tests.handlers.neighbours import Crash


@KINDS
async def test_the_primarys_scaler_follows_the_targets_whenever_it_changes(house: House, kind: Resource) -> None:
    await scaled(house, kind)
    most = "maxReplicas" if kind is HORIZONTAL_POD_AUTOSCALER else "maxReplicaCount"
    clone = await house.object(kind, "podinfo-primary")
    assert clone["spec"]["scaleTargetRef"]["name"] == "podinfo-primary"
    body = {"metadata": {"labels": {"team": "a"}}, "spec": {most: 9}}
    await house.admin.patch(kind, NAMESPACE, "podinfo", body)
    await house.change(ChangeReason.DRIFT)
    clone = await house.object(kind, "podinfo-primary")
    assert (clone["spec"][most], clone["metadata"]["labels"]) == (9, {"team": "a"})
    await house.push("podinfo:2")
    await house.tick()
    await house.admin.patch(kind, NAMESPACE, "podinfo", {"metadata": {"labels": {"team": None}}, "spec": {most: 7}})
    await house.change(ChangeReason.DRIFT)
    assert (await house.status()).phase is Phase.PROGRESSING
    clone = await house.object(kind, "podinfo-primary")
    assert clone["spec"][most] == 7, "in mid-rollout as well"
    assert not clone["metadata"].get("labels")


@KINDS
async def test_a_whole_rollout_writes_an_unchanged_scaler_of_the_primary_not_once(house: House, kind: Resource) -> None:
    await scaled(house, kind)
    before = await house.object(kind, "podinfo-primary")
    house.kube.reset()
    await house.push("podinfo:2")
    await house.until(Phase.SUCCEEDED)
    after = await house.object(kind, "podinfo-primary")
    assert after["metadata"].get("generation") == before["metadata"].get("generation")
    written = [call for call in house.kube.made if call.startswith("PATCH") and call.endswith("podinfo-primary")]
    assert [call for call in written if kind.plural in call] == []


@KINDS
async def test_a_new_revision_begins_with_as_many_pods_as_the_primary_has_now(house: House, kind: Resource) -> None:
    await scaled(house, kind)
    await house.admin.patch(DEPLOYMENT, NAMESPACE, "podinfo-primary", {"spec": {"replicas": 4}})
    await house.ready("podinfo-primary")
    await house.push("podinfo:2")
    assert await house.replicas() == 4


@KINDS
async def test_nor_does_one_whose_manifest_names_the_replicas_of_a_quieter_day_begin_with_less(
    house: House, kind: Resource
) -> None:
    await scaled(house, kind)
    await house.admin.patch(DEPLOYMENT, NAMESPACE, "podinfo-primary", {"spec": {"replicas": 4}})
    await house.ready("podinfo-primary")
    await house.admin.patch(DEPLOYMENT, NAMESPACE, "podinfo", {"spec": {"replicas": 2}})
    await house.push("podinfo:2")
    assert await house.replicas() == 4


@KINDS
async def test_during_a_rollout_the_primarys_scaler_has_a_floor_and_a_while_after_its_own_minimum(
    house: House, kind: Resource
) -> None:
    await scaled(house, kind)
    least = "minReplicas" if kind is HORIZONTAL_POD_AUTOSCALER else "minReplicaCount"
    await house.admin.patch(DEPLOYMENT, NAMESPACE, "podinfo-primary", {"spec": {"replicas": 3}})
    await house.ready("podinfo-primary")
    await house.push("podinfo:2")
    await house.until(Phase.SUCCEEDED)
    assert (await house.object(kind, "podinfo-primary"))["spec"][least] == 3
    if kind is HORIZONTAL_POD_AUTOSCALER:  # the controllers of the embedded API know it
        await house.admin.patch(DEPLOYMENT, NAMESPACE, "podinfo-primary", {"spec": {"replicas": 1}})
        await house.ready("podinfo-primary")
        assert await house.replicas("podinfo-primary") == 3
    house.now += timedelta(seconds=HAND_BACK)
    await house.change(ChangeReason.RESYNC)
    assert (await house.object(kind, "podinfo-primary"))["spec"][least] == 1
    assert not (await house.status()).settled
    await house.tick()
    assert (await house.status()).settled


async def test_a_worker_that_dies_after_its_commit_leaves_the_floor_to_the_next_wake(house: House) -> None:
    await scaled(house, HORIZONTAL_POD_AUTOSCALER)
    await house.admin.patch(DEPLOYMENT, NAMESPACE, "podinfo-primary", {"spec": {"replicas": 3}})
    await house.ready("podinfo-primary")

    async def die(method: str, path: str) -> None:
        if method == "PATCH" and not path.endswith("status"):
            raise Crash

    house.kube.before = die
    with pytest.raises(Crash):
        await house.push("podinfo:2")
    house.kube.before = None
    assert (await house.status()).primary_floor == 3
    await house.tick()
    assert (await house.object(HORIZONTAL_POD_AUTOSCALER, "podinfo-primary"))["spec"]["minReplicas"] == 3


@KINDS
async def test_a_worker_with_an_old_status_takes_no_floor_away(house: House, kind: Resource) -> None:
    await scaled(house, kind)
    observer = Observer(house.admin, house.settings)
    old = await observer.look(REF, house.slot())
    await house.push("podinfo:2")
    fresh = await observer.look(REF, house.slot())
    assert old is not None
    assert fresh is not None
    before = await house.object(kind, "podinfo-primary"), await house.object(kind, "podinfo")
    # it knows no later step, and reads the objects as they are now
    known = fresh.canary.status.model_copy(
        update={"primary_floor": 0, "scaler_step": 0, "target_step": old.canary.status.target_step}
    )
    stale = fresh.canary.model_copy(update={"status": known})
    await Scalers(house.admin).apply(stale, fresh.seen)
    assert (await house.object(kind, "podinfo-primary"), await house.object(kind, "podinfo")) == before


@KINDS
async def test_a_scaler_costs_two_reads_a_tick_and_no_more(house: House, kind: Resource) -> None:
    await scaled(house, kind)
    await house.push("podinfo:2")
    await house.tick()
    house.kube.reset()
    await house.tick()
    assert await house.weight() == 50
    assert [call for call in house.kube.made if kind.plural in call] == [
        f"GET {kind.path(NAMESPACE, name)}" for name in ("podinfo", "podinfo-primary")
    ]
    assert house.kube.total <= 10


async def test_a_cluster_without_keda_says_that_a_scaled_object_cannot_be_there(house: House) -> None:
    await house.prepare(**naming(SCALED_OBJECT))
    await house.change(ChangeReason.SPEC)
    held = next(item for item in (await house.status()).conditions if item.type == "Held")
    assert held.reason == "Invalid"
    assert held.message == (
        "spec.autoscalerRef: ScaledObject podinfo.default not found; create it or mend the name, "
        "and install KEDA if there are no ScaledObjects here"
    )
    await make_scaler(house, SCALED_OBJECT)
    await house.until(Phase.INITIALIZED)


@KINDS
async def test_a_scaler_that_goes_away_is_said_and_the_primary_keeps_its_own(house: House, kind: Resource) -> None:
    await scaled(house, kind)
    await house.admin.delete(kind, NAMESPACE, "podinfo")
    await house.change(ChangeReason.DRIFT)
    status = await house.status()
    held = next(item for item in status.conditions if item.type == "Held")
    assert (held.reason, status.waiting_for) == ("SourceMissing", "source")
    assert f"{kind.kind} podinfo.default" in held.message
    assert await house.admin.find(kind, NAMESPACE, "podinfo-primary") is not None
    await house.push("podinfo:2")
    await house.until(Phase.SUCCEEDED)
    if kind is HORIZONTAL_POD_AUTOSCALER:
        await make_scaler(house, kind)
        await house.change(ChangeReason.DRIFT)
        held = next(item for item in (await house.status()).conditions if item.type == "Held")
        assert held.status == "False"


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        (
            {"minReplicas": 6},
            (
                "minReplicas: 6 is above the maximum of HorizontalPodAutoscaler podinfo, 5; "
                "lower it or give a higher maxReplicas"
            ),
        ),
        (
            {"minReplicas": 3, "maxReplicas": 2},
            "minReplicas: 3 is above maxReplicas, 2; lower it or give a higher maxReplicas",
        ),
        (
            {"maxReplicas": 1},
            (
                "maxReplicas: 1 is below the minimum of HorizontalPodAutoscaler podinfo, 2; "
                "raise it or give a lower minReplicas"
            ),
        ),
    ],
)
async def test_bounds_that_cross_are_named(house: House, bounds: dict[str, int], said: str) -> None:
    await make_scaler(house, HORIZONTAL_POD_AUTOSCALER)
    await house.admin.patch(HORIZONTAL_POD_AUTOSCALER, NAMESPACE, "podinfo", {"spec": {"minReplicas": 2}})
    await house.prepare(**naming(HORIZONTAL_POD_AUTOSCALER, primaryScalerReplicas=bounds))
    await house.change(ChangeReason.SPEC)
    held = next(item for item in (await house.status()).conditions if item.type == "Held")
    assert held.message == f"spec.autoscalerRef.primaryScalerReplicas.{said}"
