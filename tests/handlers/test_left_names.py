"""What the peer left under names that the spec does not say any more: known, and led on from."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.adapters.errors import TransientError
from schemas.events import ChangeReason
from schemas.resources import CANARY, DAEMON_SET, DEPLOYMENT, ROUTE_TABLE, SERVICE, UPSTREAM
from schemas.status import Phase
from tests import moving
from tests.handlers.house import NAMESPACE, House, canary_object
from tests.handlers.renamed import OTHER, asked_to_delegate, names, other_target, routed_to, tidied
from tests.handlers.targets import target_object
from tests.handlers.users import Users

WEB = {"service": {"port": 9898, "name": "web"}}
PORT = {"service": {"port": 80, "targetPort": 9898}}


async def left(house: House, phase: str, edited: dict[str, Any], *, pods: bool = True, **more: Any) -> Users:
    """As the peer left it, and edited before anybody of us looked; its users come from now on."""
    house.settings = house.settings.model_copy(update={"drain": 5})
    house.advance = house.worker()
    await house.definitions()
    spec = canary_object()["spec"] | more.pop("spec", {})
    found = await moving.move_in(house.admin, NAMESPACE, phase, spec, **more)
    house.uid = found.uid
    for name in ("podinfo", "podinfo-primary") if pods else ("podinfo",):
        await house.ready(name)
    if "targetRef" in edited:
        await other_target(house)
    await house.admin.patch(CANARY, NAMESPACE, "podinfo", {"spec": edited})
    users = Users(house.admin, NAMESPACE, tables=("podinfo",), services=("podinfo",))
    house.kube.before = users.try_everything
    return users


def delegate(house: House, users: Users, name: str) -> None:
    house.delegated, users.tables, users.services = {name}, [name], [name]


async def test_another_port_ends_with_nothing_of_the_old_one_left(house: House) -> None:
    users = await left(house, "Succeeded", PORT)
    await house.change(ChangeReason.SPEC)
    assert (await house.results())[0].reason == "Adopted"
    assert await routed_to(house) == ["default-podinfo-primaryupstream-9898", "default-podinfo-canaryupstream-9898"]
    await tidied(house)
    assert await routed_to(house) == ["default-podinfo-primaryupstream-80", "default-podinfo-canaryupstream-80"]
    assert await names(house, UPSTREAM) == ["default-podinfo-canaryupstream-80", "default-podinfo-primaryupstream-80"]
    assert users.met == []


async def test_another_service_name_leaves_the_old_routes_until_the_new_ones_are_delegated_to(house: House) -> None:
    users = await left(house, "Succeeded", WEB)
    await house.change(ChangeReason.SPEC)
    assert (await asked_to_delegate(house)).startswith("RouteTable web.default gets no status from the gateway")
    delegate(house, users, "web")
    await tidied(house)
    assert await names(house, ROUTE_TABLE) == ["web"]
    assert await names(house, SERVICE) == ["web", "web-canary", "web-primary"]
    assert users.met == []


@pytest.mark.parametrize("edited", [WEB, PORT], ids=["name", "port"])
async def test_a_rollout_of_the_peer_is_taken_back_under_its_old_names_and_begins_again(
    house: House, edited: dict[str, Any]
) -> None:
    users = await left(house, "Progressing", edited, weight=25)
    await house.change(ChangeReason.SPEC)
    assert ((await house.status()).phase, await house.weight()) == (Phase.PROGRESSING, 25)
    await house.change()
    assert (await house.results())[-1].reason == "Renamed"
    assert await house.weight() == 0
    assert (await routed_to(house))[0] == "default-podinfo-primaryupstream-9898"
    if edited is WEB:
        await asked_to_delegate(house)
        delegate(house, users, "web")
    await tidied(house)
    assert await house.image() == "podinfo:2"
    assert users.met == []


async def test_users_of_a_promotion_stay_on_the_canary_at_their_weight_until_the_primary_is_ready(house: House) -> None:
    await left(house, "Promoting", WEB, pods=False, weight=50)
    house.workloads = []
    await house.admin.patch(DEPLOYMENT, NAMESPACE, "podinfo-primary", {"spec": {"minReadySeconds": 3600}})
    await house.change(ChangeReason.SPEC)
    status = await house.status()
    assert (status.phase, status.canary_weight, await house.weight()) == (Phase.PROMOTING, 50, 50)


async def test_what_the_peer_left_behind_after_an_earlier_edit_stays_as_some_of_its_users_may_come_that_way(
    house: House,
) -> None:
    users = await left(house, "Succeeded", {})
    owner = {
        "apiVersion": CANARY.api_version,
        "kind": "Canary",
        "name": "podinfo",
        "uid": house.uid,
        "controller": True,
    }
    before = {"namespace": NAMESPACE, "ownerReferences": [owner]}
    place = {"name": "default-shop-primaryupstream-9898", "namespace": NAMESPACE}
    kube = {"serviceName": "shop-primary", "serviceNamespace": NAMESPACE, "servicePort": 9898}
    routes = [{"routeAction": {"multi": {"destinations": [{"destination": {"upstream": place}, "weight": 100}]}}}]
    await house.admin.create(UPSTREAM, {"metadata": {**before, "name": place["name"]}, "spec": {"kube": kube}})
    await house.admin.create(ROUTE_TABLE, {"metadata": {**before, "name": "shop"}, "spec": {"routes": routes}})
    await house.change(ChangeReason.SPEC)
    await tidied(house)
    assert await names(house, ROUTE_TABLE) == ["podinfo", "shop"]
    assert place["name"] in await names(house, UPSTREAM)
    assert await routed_to(house) == ["default-podinfo-primaryupstream-9898", "default-podinfo-canaryupstream-9898"]
    assert users.met == []


@pytest.mark.parametrize("service", [{}, {"service": {"port": 9898, "name": "podinfo"}}], ids=["moves", "stays"])
async def test_another_target_gets_its_primary_before_users_leave_the_peers(
    house: House, service: dict[str, Any]
) -> None:
    users = await left(house, "Succeeded", OTHER, spec=service)
    await house.change(ChangeReason.SPEC)
    assert await house.selector("podinfo-primary") == {"app": "podinfo-primary"}
    if not service:
        await asked_to_delegate(house)
        delegate(house, users, "other")
    await tidied(house)
    assert await names(house, DEPLOYMENT) == ["other", "other-primary", "podinfo"]
    assert await house.image("other-primary") == "other:1"
    assert await names(house, ROUTE_TABLE) == [users.tables[0]]
    assert users.met == []


async def test_another_kind_under_the_same_name_leaves_no_primary_of_the_former_behind(house: House) -> None:
    agent = {"targetRef": {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "podinfo"}}
    await left(house, "Succeeded", {})
    house.kube.before = None
    await house.admin.create(DAEMON_SET, target_object("DaemonSet", namespace=NAMESPACE, image="podinfo:9"))
    await house.admin.patch(CANARY, NAMESPACE, "podinfo", {"spec": agent})
    house.resource = DAEMON_SET
    await house.change(ChangeReason.SPEC)
    await tidied(house)
    assert await names(house, DAEMON_SET) == ["podinfo", "podinfo-primary"]
    assert await names(house, DEPLOYMENT) == ["podinfo"]


@pytest.mark.parametrize("edited", [WEB, PORT], ids=["name", "port"])
async def test_a_deletion_before_the_first_look_returns_users_by_the_names_by_which_they_come(
    house: House, edited: dict[str, Any]
) -> None:
    users = await left(house, "Progressing", edited, spec={"revertOnDeletion": True}, weight=25)
    await house.admin.delete(CANARY, NAMESPACE, "podinfo")
    for _ in range(12):
        if await house.admin.find(CANARY, NAMESPACE, "podinfo") is None:
            break
        await house.tick()
    assert await house.admin.find(CANARY, NAMESPACE, "podinfo") is None
    assert users.met == []
    assert await routed_to(house) == ["default-podinfo-canaryupstream-9898"]


async def test_who_edited_nothing_costs_one_call_more_until_taken_over_and_none_afterwards(house: House) -> None:
    await left(house, "Succeeded", {})
    asked: list[str] = []

    async def note(_method: str, path: str) -> None:
        if path.endswith("/upstreams"):
            asked.append(path)

    house.kube.before = note
    await house.change(ChangeReason.SPEC)
    assert (len(asked), (await house.status()).former) == (1, ())
    await house.change(ChangeReason.RESYNC)
    assert len(asked) == 1


async def test_names_that_change_with_every_look_are_left_to_the_next_wake(house: House) -> None:
    await left(house, "Succeeded", {})
    ports = iter(range(80, 200))

    async def edit(method: str, path: str) -> None:
        if (method, path.rpartition("/")[2]) == ("GET", "podinfo-primary"):
            port = {"port": next(ports), "targetPort": 9898}
            await house.admin.patch(CANARY, NAMESPACE, "podinfo", {"spec": {"service": port}})

    house.kube.before = edit
    with pytest.raises(TransientError, match="changed by others"):
        await house.change(ChangeReason.SPEC)
    house.kube.before = None
    await house.change(ChangeReason.SPEC)
    assert (await house.results())[0].reason == "Adopted"
