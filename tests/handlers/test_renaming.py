"""Names that change under a running application: its users are served all the way, and nothing is left behind."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from handlers.adapters.kube import Object
from schemas.events import ChangeReason
from schemas.resources import CANARY, CONFIG_MAP, DEPLOYMENT, HORIZONTAL_POD_AUTOSCALER, ROUTE_TABLE, SERVICE, UPSTREAM
from schemas.status import Phase
from tests.handlers.house import NAMESPACE, House, deployment
from tests.handlers.neighbours import Crash
from tests.handlers.renamed import (
    OTHER,
    asked_to_delegate,
    at_rest,
    edit,
    names,
    other_target,
    ports,
    routed_to,
    tidied,
)


async def test_another_port_gets_upstreams_of_its_own_before_routes_lead_there_and_the_old_ones_go(
    house: House,
) -> None:
    users = await at_rest(house)
    before = await house.object(DEPLOYMENT, "podinfo-primary")
    await edit(house, service={"port": 80, "targetPort": 9898})
    assert await ports(house, "podinfo-primary") == [("http", 9898), ("http-80", 80)], "both, for the time being"
    await tidied(house)
    assert await names(house, UPSTREAM) == ["default-podinfo-canaryupstream-80", "default-podinfo-primaryupstream-80"]
    assert await routed_to(house) == ["default-podinfo-primaryupstream-80", "default-podinfo-canaryupstream-80"]
    for service in ("podinfo", "podinfo-primary", "podinfo-canary"):
        assert await ports(house, service) == [("http", 80)]
    assert (await house.object(DEPLOYMENT, "podinfo-primary"))["spec"] == before["spec"], "its pods stay"
    assert users.met == []
    assert (await house.status()).phase is Phase.INITIALIZED


async def test_another_service_name_leaves_the_old_routes_until_the_new_ones_are_delegated_to(house: House) -> None:
    users = await at_rest(house)
    await edit(house, service={"port": 9898, "name": "web"})
    assert await asked_to_delegate(house) == (
        "RouteTable web.default gets no status from the gateway; let the VirtualService of podinfo delegate to it"
    )
    assert await names(house, ROUTE_TABLE) == ["podinfo", "web"]
    house.delegated, users.tables, users.services = {"web"}, ["web"], ["web"]
    await tidied(house)
    assert users.met == []
    assert await names(house, ROUTE_TABLE) == ["web"]
    assert await names(house, SERVICE) == ["web", "web-canary", "web-primary"]
    assert await names(house, UPSTREAM) == ["default-web-canaryupstream-9898", "default-web-primaryupstream-9898"]
    await house.admin.patch(
        DEPLOYMENT, NAMESPACE, "podinfo", {"spec": {"template": {"metadata": {"labels": {"pushed": "yes"}}}}}
    )
    users.services = []
    await house.change(ChangeReason.REVISION)
    await house.until(Phase.SUCCEEDED)
    assert users.met == []


async def test_a_route_table_that_is_still_delegated_to_stays_and_people_are_told(house: House) -> None:
    users = await at_rest(house)
    house.delegated.add("web")
    await edit(house, service={"port": 9898, "name": "web"})
    users.tables.append("web")
    await house.until(Phase.INITIALIZED, settled=False)
    await house.tick(5)
    assert await names(house, ROUTE_TABLE) == ["podinfo", "web"]
    held = next(item for item in (await house.status()).conditions if item.type == "Held")
    assert held.message.startswith("a VirtualService still delegates to RouteTable podinfo; let it delegate to web")
    house.delegated, users.tables, users.services = {"web"}, ["web"], ["web"]
    house.now += (await house.status()).last_step.time - (await house.status()).last_step.time  # type: ignore[union-attr, operator]
    await tidied(house)
    assert await names(house, ROUTE_TABLE) == ["web"]
    assert users.met == []


async def test_another_target_gets_its_primary_first_and_takes_over_under_the_same_service(house: House) -> None:
    users = await at_rest(house, service={"port": 9898, "name": "podinfo"})
    await other_target(house)
    await edit(house, **OTHER)
    await tidied(house)
    assert users.met == []
    assert await names(house, DEPLOYMENT) == ["other", "other-primary", "podinfo"]
    assert await house.selector("podinfo-primary") == {"app": "other-primary"}
    assert await house.selector("podinfo") == {"app": "other-primary"}
    assert await house.selector("podinfo-canary") == {"app": "other"}
    assert await house.replicas("other") == 0
    assert await house.image("other-primary") == "other:1"
    assert (await house.status()).promoted_revision


async def test_another_target_under_a_name_of_its_own_moves_everything(house: House) -> None:
    users = await at_rest(house)
    await other_target(house)
    await edit(house, **OTHER)
    await asked_to_delegate(house)
    house.delegated, users.tables, users.services = {"other"}, ["other"], ["other"]
    await tidied(house)
    assert users.met == []
    assert await names(house, DEPLOYMENT) == ["other", "other-primary", "podinfo"]
    assert await names(house, ROUTE_TABLE) == ["other"]
    assert await names(house, SERVICE) == ["other", "other-canary", "other-primary"]


@pytest.mark.parametrize("spec", [{"service": {"port": 80, "targetPort": 9898}}, OTHER], ids=["port", "target"])
async def test_a_rollout_under_way_returns_to_its_primary_first_and_starts_again_under_the_new_names(
    house: House, spec: dict[str, Any]
) -> None:
    users = await at_rest(house, service={"port": 9898, "name": "podinfo"})
    await house.push("podinfo:2")
    await house.tick()
    assert await house.weight() == 25
    await other_target(house)
    await edit(house, **spec)
    status = await house.status()
    assert (status.phase, status.last_step and status.last_step.reason) == (Phase.FAILED, "Renamed")
    assert (await routed_to(house))[0] == "default-podinfo-primaryupstream-9898", "under the old names"
    assert await house.weight() == 0
    await house.until(Phase.INITIALIZED, settled=False)
    if "service" in spec:
        assert await house.image() == "podinfo:1", "what nobody has judged reaches no primary"
        await house.until(Phase.SUCCEEDED)
        assert await house.image() == "podinfo:2"
    await tidied(house)
    assert users.met == []


async def test_a_promotion_under_way_is_finished_under_the_old_names(house: House) -> None:
    users = await at_rest(house)
    await house.push("podinfo:2")
    await house.until(Phase.PROMOTING, settled=False)
    await edit(house, service={"port": 80, "targetPort": 9898})
    await tidied(house)
    assert await house.image() == "podinfo:2"
    assert await names(house, UPSTREAM) == ["default-podinfo-canaryupstream-80", "default-podinfo-primaryupstream-80"]
    assert users.met == []


async def test_what_a_user_wrote_himself_is_never_deleted_nor_what_it_leads_to(house: House) -> None:
    own: Object = {"metadata": {"name": "podinfo", "namespace": NAMESPACE}}
    await house.definitions()
    ports = [{"name": "http", "port": 9898}]
    await house.admin.create(SERVICE, {**own, "spec": {"selector": {"app": "podinfo"}, "ports": ports}})
    users = await at_rest(house)
    await other_target(house)
    await edit(house, **OTHER)
    await asked_to_delegate(house)
    house.delegated, users.tables = {"other"}, ["other"]
    await tidied(house)
    assert users.met == [], "his Service leads to the former primary, which stays"
    assert "podinfo-primary" in await names(house, DEPLOYMENT)
    told = [notice for result in await house.results() for notice in result.notices if notice.reason == "LeftBehind"]
    assert [notice.type for notice in told] == ["Warning"]
    assert told[0].message.endswith("stay until the Canary goes: Service podinfo may still lead users there")


async def test_a_gateway_that_reports_nothing_keeps_the_old_route_table(house: House) -> None:
    house.gateway = None
    users = await at_rest(house)
    await edit(house, service={"port": 9898, "name": "web"})
    await tidied(house)
    assert "podinfo" in await names(house, ROUTE_TABLE)
    assert users.met == []


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_worker_that_dies_at_any_call_of_a_rename_is_followed_by_one_that_goes_on(
    house: House, moment: str
) -> None:
    users = await at_rest(house)
    await house.admin.patch(CANARY, NAMESPACE, "podinfo", {"spec": {"service": {"port": 80, "targetPort": 9898}}})
    for call in range(60):
        house.kube.reset()
        setattr(house.kube, f"die_{moment}", call)
        with suppress(Crash):
            await house.tick()
        status = await house.status()
        if status.settled and not status.former and status.names and status.names.port == 80:
            break
    house.kube.reset()
    # whoever died after the very last commit left a port that nobody uses
    await house.change(ChangeReason.RESYNC)
    assert await names(house, UPSTREAM) == ["default-podinfo-canaryupstream-80", "default-podinfo-primaryupstream-80"]
    assert await ports(house, "podinfo") == [("http", 80)]
    assert users.met == []


async def test_another_scaler_is_followed_at_once_and_the_former_copy_goes(house: House) -> None:
    def scaler(name: str) -> Object:
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"}
        return {
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"scaleTargetRef": target, "maxReplicas": 4},
        }

    for name in ("first", "second"):
        await house.admin.create(HORIZONTAL_POD_AUTOSCALER, scaler(name))
    ref = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": "first"}
    users = await at_rest(house, autoscalerRef=ref)
    assert await names(house, HORIZONTAL_POD_AUTOSCALER) == ["first", "first-primary", "second"]
    await edit(house, autoscalerRef={**ref, "name": "second"})
    await tidied(house)
    assert await names(house, HORIZONTAL_POD_AUTOSCALER) == ["first", "second", "second-primary"]
    assert (await house.status()).phase is Phase.INITIALIZED
    assert users.met == []
    await edit(house, autoscalerRef=None)
    await tidied(house)
    assert await names(house, HORIZONTAL_POD_AUTOSCALER) == ["first", "second"]


async def test_copies_of_configs_go_with_the_primary_that_read_them(house: House) -> None:
    await house.definitions()
    metadata = {"name": "colour", "namespace": NAMESPACE}
    await house.admin.create(CONFIG_MAP, {"metadata": metadata, "data": {"colour": "blue"}})
    target = deployment(1)
    target["spec"]["template"]["spec"]["containers"][0]["envFrom"] = [{"configMapRef": {"name": "colour"}}]
    await house.admin.create(DEPLOYMENT, target)
    await house.canary(service={"port": 9898, "name": "podinfo"})
    await house.initialized()
    assert "colour-primary" in await names(house, CONFIG_MAP)
    await other_target(house)
    await edit(house, **OTHER)
    await tidied(house)
    assert "colour-primary" not in await names(house, CONFIG_MAP)
    assert "colour" in await names(house, CONFIG_MAP)


async def test_a_deletion_in_the_middle_of_a_rename_brings_users_back_by_the_way_that_they_come(house: House) -> None:
    users = await at_rest(house, revertOnDeletion=True)
    await edit(house, service={"port": 9898, "name": "web"})
    await house.tick(2)
    assert (await house.status()).phase is Phase.INITIALIZING
    await house.admin.delete(CANARY, NAMESPACE, "podinfo", policy="Foreground")
    await house.change(ChangeReason.DELETED)
    for _ in range(8):
        if await house.admin.find(CANARY, NAMESPACE, "podinfo") is None:
            break
        await house.tick()
    assert await house.admin.find(CANARY, NAMESPACE, "podinfo") is None
    await users.try_everything()
    assert users.met == []
    assert await names(house, ROUTE_TABLE) == ["podinfo"]
    assert await routed_to(house) == ["default-podinfo-canaryupstream-9898"]


async def test_an_invalid_edit_of_a_name_leaves_what_is_in_force_alone_and_a_deletion_finds_it(house: House) -> None:
    users = await at_rest(house, revertOnDeletion=True)
    await edit(house, targetRef={"apiVersion": "apps/v1", "kind": "Deployment", "name": "missing"})
    held = next(item for item in (await house.status()).conditions if item.type == "Held")
    assert held.message == "spec.targetRef: Deployment missing.default not found; create it or mend the name"
    await house.tick(2)
    assert await routed_to(house) == ["default-podinfo-primaryupstream-9898", "default-podinfo-canaryupstream-9898"]
    await house.admin.delete(CANARY, NAMESPACE, "podinfo")
    await house.change(ChangeReason.DELETED)
    await house.tick(4)
    assert await house.admin.find(CANARY, NAMESPACE, "podinfo") is None
    await users.try_everything()
    assert users.met == []
