"""Objects that somebody deletes or edits come back as they were; what is right, or another's, is not written."""

from __future__ import annotations

from schemas.events import ChangeReason
from schemas.resources import CANARY, DEPLOYMENT, ROUTE_TABLE
from schemas.status import Phase
from tests.handlers.house import NAMESPACE, House


async def test_a_deleted_route_table_comes_back_with_its_weight(house: House) -> None:
    await house.prepare()
    await house.initialized()
    await house.push("podinfo:2")
    await house.tick()
    assert await house.weight() == 25
    await house.admin.delete(ROUTE_TABLE, NAMESPACE, "podinfo")
    await house.change(ChangeReason.DRIFT)
    assert await house.weight() == 25


async def test_what_a_user_added_to_the_routes_survives_every_weight(house: House) -> None:
    await house.prepare()
    await house.initialized()
    routes = (await house.object(ROUTE_TABLE, "podinfo"))["spec"]["routes"]
    routes[0]["options"] = {"timeout": "7s"}
    mine = {"metadata": {"labels": {"team": "a"}}, "spec": {"routes": routes}}
    await house.admin.patch(ROUTE_TABLE, NAMESPACE, "podinfo", mine)
    await house.push("podinfo:2")
    await house.tick(2)
    found = await house.object(ROUTE_TABLE, "podinfo")
    assert await house.weight() == 50
    assert found["spec"]["routes"][0]["options"] == {"timeout": "7s"}
    assert found["metadata"]["labels"]["team"] == "a"


async def test_a_forged_fence_is_drift_and_is_overwritten(house: House) -> None:
    await house.prepare()
    await house.initialized()
    forged = {"metadata": {"annotations": {"canarybus.dev/route-step": "999"}}}
    await house.admin.patch(ROUTE_TABLE, NAMESPACE, "podinfo", forged)
    await house.change(ChangeReason.DRIFT)
    found = await house.object(ROUTE_TABLE, "podinfo")
    assert found["metadata"]["annotations"]["canarybus.dev/route-step"] == str((await house.status()).route_step)


async def test_an_edited_primary_gets_its_promoted_revision_back(house: House) -> None:
    await house.prepare()
    await house.initialized()
    container = {"name": "podinfod", "image": "podinfo:evil"}
    body = {"spec": {"template": {"spec": {"containers": [container]}}}}
    await house.admin.patch(DEPLOYMENT, NAMESPACE, "podinfo-primary", body, type="strategic")
    await house.change(ChangeReason.DRIFT)
    assert await house.image() == "podinfo:1"
    await house.admin.delete(DEPLOYMENT, NAMESPACE, "podinfo-primary")
    await house.change(ChangeReason.DRIFT)
    assert await house.image() == "podinfo:1"


async def test_a_deleted_primary_comes_back_with_the_pods_that_it_had(house: House) -> None:
    await house.prepare()
    await house.initialized()
    await house.push("podinfo:2")
    await house.admin.patch(DEPLOYMENT, NAMESPACE, "podinfo-primary", {"spec": {"replicas": 3}})
    await house.until(Phase.PROMOTING, settled=False)
    await house.admin.delete(DEPLOYMENT, NAMESPACE, "podinfo-primary")
    await house.change(ChangeReason.DRIFT)
    assert await house.replicas("podinfo-primary") == 3
    await house.until(Phase.SUCCEEDED)
    await house.admin.patch(DEPLOYMENT, NAMESPACE, "podinfo-primary", {"spec": {"replicas": 5}})
    await house.push("podinfo:3")
    await house.command("abort")
    await house.until(Phase.FAILED)
    await house.admin.delete(DEPLOYMENT, NAMESPACE, "podinfo-primary")
    await house.change(ChangeReason.DRIFT)
    assert await house.replicas("podinfo-primary") == 5


async def test_another_providers_canary_is_never_touched(house: House) -> None:
    await house.prepare(provider="istio")
    reply = await house.change(ChangeReason.SPEC)
    assert not reply.accepted
    assert "status" not in await house.object(CANARY, "podinfo")


async def test_a_resync_in_mid_rollout_judges_nothing_writes_nothing_and_takes_at_most_10_calls(house: House) -> None:
    await house.prepare()
    await house.initialized()
    await house.push("podinfo:2")
    await house.tick(2)
    await house.change(ChangeReason.RESYNC)
    before = await house.status()
    house.kube.reset()
    await house.change(ChangeReason.RESYNC)
    assert set(house.kube.calls) == {"GET"}, house.kube.made
    assert house.kube.total <= 10, house.kube.made
    assert before.canary_weight > 0
    assert await house.status() == before


async def test_resyncs_of_an_idle_canary_write_nothing_after_the_first(house: House) -> None:
    await house.prepare()
    await house.initialized()
    await house.change(ChangeReason.RESYNC)
    house.kube.reset()
    await house.change(ChangeReason.RESYNC)
    assert set(house.kube.calls) == {"GET"}, house.kube.made
