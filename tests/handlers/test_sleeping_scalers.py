"""A ScaledObject sleeps while its target is parked, and is kept awake while a canary has no traffic yet."""

from __future__ import annotations

from schemas.events import ChangeReason
from schemas.resources import SCALED_OBJECT
from schemas.status import Phase
from schemas.workload import PAUSED_REPLICAS, PAUSED_SCALE_IN
from tests import keda
from tests.handlers.autoscaled import scaled
from tests.handlers.house import NAMESPACE, House


async def paused(house: House) -> str | None:
    found = await house.object(SCALED_OBJECT, "podinfo")
    return (found["metadata"].get("annotations") or {}).get(PAUSED_REPLICAS)


async def test_a_scaled_object_sleeps_while_its_target_is_parked_and_its_copy_never_does(house: House) -> None:
    await scaled(house, SCALED_OBJECT)
    assert (await house.replicas(), await paused(house)) == (0, "0")
    await house.push("podinfo:2")
    assert (await house.replicas(), await paused(house)) == (1, None)
    await house.command("abort")
    await house.until(Phase.FAILED)
    assert (await house.replicas(), await paused(house)) == (0, "0")
    await house.change(ChangeReason.DRIFT)
    clone = await house.object(SCALED_OBJECT, "podinfo-primary")
    assert PAUSED_REPLICAS not in clone["metadata"]["annotations"]


async def test_a_scaled_object_is_paused_before_its_target_is_parked_and_woken_before_it_is_scaled(
    house: House,
) -> None:
    await scaled(house, SCALED_OBJECT)
    house.kube.reset()
    await house.push("podinfo:2")
    await house.command("abort")
    await house.until(Phase.FAILED)
    ours = ("scaledobjects/podinfo", "deployments/podinfo")
    written = [call.rpartition("/namespaces/default/")[2] for call in house.kube.made if call.startswith("PATCH")]
    assert [call for call in written if call in ours] == [*ours, *ours]


async def test_a_canary_without_traffic_is_not_put_to_sleep_and_the_next_one_finds_the_user_s_own_settings(
    house: House,
) -> None:
    """KEDA would scale it to zero at its next poll: it has no users before its first step."""
    await scaled(house, SCALED_OBJECT, minReplicaCount=0)

    async def pauses() -> dict[str, str]:
        found = (await house.object(SCALED_OBJECT, "podinfo"))["metadata"].get("annotations") or {}
        return {key: value for key, value in found.items() if key.startswith("autoscaling.keda.sh/")}

    assert await pauses() == {PAUSED_REPLICAS: "0"}
    house.kube.reset()
    await house.push("podinfo:2")
    assert await pauses() == {PAUSED_SCALE_IN: "true"}
    written = [call for call in house.kube.made if call.startswith("PATCH") and call.endswith("scaledobjects/podinfo")]
    assert len(written) == 1, "woken and kept awake in one write"
    house.kube.reset()
    await house.tick(2)
    assert not [call for call in house.kube.made if "scaledobjects" in call and not call.startswith("GET")]
    clone = await house.object(SCALED_OBJECT, "podinfo-primary")
    assert PAUSED_SCALE_IN not in clone["metadata"]["annotations"]
    await house.admin.patch(SCALED_OBJECT, NAMESPACE, "podinfo", {"spec": {"minReplicaCount": 1}})
    await house.change(ChangeReason.DRIFT)
    assert await pauses() == {}, "whoever has a minimum needs no help"
    await house.admin.patch(SCALED_OBJECT, NAMESPACE, "podinfo", {"spec": {"minReplicaCount": 0}})
    await house.change(ChangeReason.DRIFT)
    assert await pauses() == {PAUSED_SCALE_IN: "true"}
    await house.until(Phase.SUCCEEDED)
    assert await pauses() == {PAUSED_REPLICAS: "0"}


async def test_a_scaled_object_that_is_made_anew_sleeps_like_the_one_before(house: House) -> None:
    await scaled(house, SCALED_OBJECT)
    await house.admin.delete(SCALED_OBJECT, NAMESPACE, "podinfo")
    body = keda.scaled_object()
    body["metadata"]["namespace"] = NAMESPACE
    await house.admin.create(SCALED_OBJECT, body)
    await house.change(ChangeReason.DRIFT)
    assert await paused(house) == "0"


async def test_the_pause_that_somebody_takes_away_is_not_written_again(house: House) -> None:
    """As with replicas: written on a transition, theirs afterwards."""
    await scaled(house, SCALED_OBJECT)
    body = {"metadata": {"annotations": {PAUSED_REPLICAS: None}}}
    await house.admin.patch(SCALED_OBJECT, NAMESPACE, "podinfo", body)
    await house.change(ChangeReason.RESYNC)
    assert await paused(house) is None
