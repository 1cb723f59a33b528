"""Rollouts on DaemonSets and Services: the objects that a real API shows at each moment."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from schemas.events import ChangeReason
from schemas.kinds.daemonset import SCALE_TO_ZERO
from schemas.resources import CANARY, DAEMON_SET, ROUTE_TABLE, SERVICE, UPSTREAM
from schemas.status import Phase
from schemas.workload import Workload
from tests.handlers.house import House
from tests.handlers.neighbours import Crash
from tests.handlers.targets import image_of, target_object

STRATEGIES: dict[str, dict[str, Any]] = {
    "weights": {},
    "A/B": {
        "iterations": 2,
        "match": [{"headers": {"x-canary": {"exact": "insider"}}}],
        "stepWeight": None,
        "maxWeight": None,
    },
    "blue/green": {"iterations": 2, "stepWeight": None, "maxWeight": None},
}


async def prepared(house: House, kind: str, strategy: str = "weights", **spec: Any) -> None:
    await house.prepare(kind, analysis=STRATEGIES[strategy], **spec)
    await house.initialized()


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("kind", ["DaemonSet", "Service"])
async def test_a_rollout_of_each_strategy_ends_with_the_primary_on_the_new_revision(
    house: House, kind: str, strategy: str
) -> None:
    await prepared(house, kind, strategy)
    await house.push("podinfo:2")
    await house.until(Phase.SUCCEEDED)
    assert await house.image() == "podinfo:2"
    assert await house.weight() == 0


# ---- DaemonSets


async def selector_of(house: House, name: str) -> dict[str, str]:
    found = await house.object(DAEMON_SET, name)
    return dict(found["spec"]["template"]["spec"].get("nodeSelector") or {})


async def test_a_daemonset_runs_on_its_nodes_only_during_a_rollout(house: House) -> None:
    await prepared(house, "DaemonSet")
    assert await selector_of(house, "podinfo") == {SCALE_TO_ZERO: "true"}
    await house.push("podinfo:2")
    assert await selector_of(house, "podinfo") == {}
    await house.until(Phase.SUCCEEDED)
    assert await selector_of(house, "podinfo") == {SCALE_TO_ZERO: "true"}
    assert await selector_of(house, "podinfo-primary") == {}
    assert (await house.object(DAEMON_SET, "podinfo-primary"))["status"]["numberAvailable"] == 1


async def test_a_daemonset_is_rolled_back_by_an_abort_and_keeps_its_own_selector(house: House) -> None:
    await prepared(house, "DaemonSet")
    own = {"kubernetes.io/os": "linux"}
    await house.admin.patch(
        DAEMON_SET, house.namespace, "podinfo", {"spec": {"template": {"spec": {"nodeSelector": own}}}}
    )
    await house.push("podinfo:2")
    assert await selector_of(house, "podinfo") == own
    await house.command("abort")
    await house.until(Phase.FAILED)
    assert await selector_of(house, "podinfo") == own | {SCALE_TO_ZERO: "true"}
    assert await selector_of(house, "podinfo-primary") == {}


# ---- Services


async def kube_of(house: House, role: str) -> dict[str, Any]:
    upstream = await house.object(UPSTREAM, f"{house.namespace}-podinfo-{role}upstream-9898")
    return dict(upstream["spec"]["kube"])


async def canary_image(house: House) -> str:
    return image_of(await house.object(SERVICE, "podinfo-canary"))


async def test_routes_lead_to_two_copies_of_a_service_and_the_original_is_its_users_own(house: House) -> None:
    await prepared(house, "Service")
    for role in ("primary", "canary"):
        place = {"serviceName": f"podinfo-{role}", "serviceNamespace": house.namespace, "servicePort": 9898}
        assert await kube_of(house, role) == place
    original = await house.object(SERVICE, "podinfo")
    addresses = {original["spec"]["clusterIP"]}
    for name in ("podinfo-primary", "podinfo-canary"):
        copy = await house.object(SERVICE, name)
        assert copy["spec"]["selector"] == original["spec"]["selector"]
        assert copy["metadata"]["ownerReferences"][0]["kind"] == "Canary"
        addresses.add(copy["spec"]["clusterIP"])
    assert len(addresses) == 3
    assert "ownerReferences" not in original["metadata"]
    assert original["spec"]["selector"] == {"app": "podinfo", "version": "podinfo-1"}


@pytest.mark.parametrize("written", [{"clusterIP": "None"}, {"externalIPs": ["192.0.2.1"]}], ids=" ".join)
async def test_a_service_is_rolled_out_and_comes_to_rest_whatever_its_addresses_are(
    house: House, written: dict[str, Any]
) -> None:
    house.resource = SERVICE
    await house.definitions()
    target = target_object("Service", namespace=house.namespace)
    target["spec"] |= written
    await house.admin.create(SERVICE, target)
    await house.canary(targetRef={"apiVersion": "v1", "kind": "Service", "name": "podinfo"})
    await house.initialized()
    await house.push("podinfo:2")
    await house.until(Phase.SUCCEEDED)
    assert await house.image() == "podinfo:2"
    for name in ("podinfo-primary", "podinfo-canary"):
        copy = (await house.object(SERVICE, name))["spec"]
        assert (copy["clusterIP"] == "None") is ("clusterIP" in written)
        assert "externalIPs" not in copy


async def test_a_changed_service_gets_traffic_through_its_copies_only_as_far_as_the_rollout_is(house: House) -> None:
    await prepared(house, "Service")
    addresses = [(await house.object(SERVICE, name))["spec"]["clusterIP"] for name in ("podinfo-primary",)]
    await house.push("podinfo:2")
    assert (await house.weight(), await canary_image(house), await house.image()) == (0, "podinfo:2", "podinfo:1")
    await house.tick()
    assert (await house.weight(), await house.image()) == (25, "podinfo:1")
    await house.until(Phase.SUCCEEDED)
    assert (await house.weight(), await canary_image(house), await house.image()) == (0, "podinfo:2", "podinfo:2")
    assert [(await house.object(SERVICE, "podinfo-primary"))["spec"]["clusterIP"]] == addresses


async def test_a_service_pushed_again_in_mid_rollout_is_shown_to_nobody_before_the_routes_are_back(
    house: House,
) -> None:
    await prepared(house, "Service")
    await house.push("podinfo:2")
    await house.tick()
    house.gateway = None
    await house.push("podinfo:3")
    assert (await house.weight(), await canary_image(house)) == (0, "podinfo:2"), "the gateway has not said so yet"
    house.gateway = "Accepted"
    await house.change()
    assert await canary_image(house) == "podinfo:3"
    await house.until(Phase.SUCCEEDED)
    assert await house.image() == "podinfo:3"


async def test_an_abort_of_a_service_leaves_its_primary_as_it_was(house: House) -> None:
    await prepared(house, "Service")
    await house.push("podinfo:2")
    await house.tick(2)
    await house.command("abort")
    await house.until(Phase.FAILED)
    assert (await house.weight(), await house.image()) == (0, "podinfo:1")


@pytest.mark.parametrize("name", ["podinfo-canary", "podinfo-primary"])
async def test_a_copy_that_somebody_deleted_is_made_again(house: House, name: str) -> None:
    await prepared(house, "Service")
    await house.push("podinfo:2")
    await house.tick()
    before = await house.object(SERVICE, name)
    await house.admin.delete(SERVICE, house.namespace, name)
    await house.change(ChangeReason.DRIFT)
    again = await house.object(SERVICE, name)
    assert again["metadata"]["uid"] != before["metadata"]["uid"]
    assert again["spec"]["selector"] == before["spec"]["selector"]
    await house.until(Phase.SUCCEEDED)


async def test_an_edited_copy_is_repaired(house: House) -> None:
    await prepared(house, "Service")
    for name in ("podinfo-canary", "podinfo-primary"):
        edit = {"spec": {"selector": {"version": "foreign"}}}
        await house.admin.patch(SERVICE, house.namespace, name, edit)
        await house.change(ChangeReason.DRIFT)
        assert image_of(await house.object(SERVICE, name)) == "podinfo:1"


async def test_an_upstream_of_the_peers_loses_the_selector_that_would_lose_its_endpoints(house: House) -> None:
    await prepared(house, "Service")
    name = f"{house.namespace}-podinfo-primaryupstream-9898"
    await house.admin.patch(UPSTREAM, house.namespace, name, {"spec": {"kube": {"selector": {"version": "podinfo-1"}}}})
    await house.change(ChangeReason.RESYNC)
    assert "selector" not in await kube_of(house, "primary")


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet", "Service"])
async def test_a_tick_of_each_kind_keeps_to_its_calls(house: House, kind: str) -> None:
    await prepared(house, kind)
    await house.push("podinfo:2")
    await house.tick()
    await house.catch_up()
    house.kube.reset()
    await house.tick()
    assert await house.weight() == 50
    assert house.kube.total <= 10, house.kube.made


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_handler_that_dies_at_any_call_of_a_start_leaves_no_half_made_copy(house: House, moment: str) -> None:
    await prepared(house, "Service")
    for call in range(12):
        await house.push(f"podinfo:{call + 2}", announce=False)
        house.kube.reset()
        setattr(house.kube, f"die_{moment}", call)
        with suppress(Crash):
            await house.change(ChangeReason.REVISION)
        house.kube.reset()
        while await house.weight() != 25:
            assert await house.image() == "podinfo:1"
            await house.tick()
        assert await canary_image(house) == f"podinfo:{call + 2}", "users met what nobody had accepted"
        await house.command("abort")
        await house.until(Phase.FAILED)


async def test_a_copy_that_is_made_again_under_users_is_looked_at_twice(house: House) -> None:
    """The one who makes it may come late: by then another revision may be analysed."""
    await prepared(house, "Service")
    await house.push("podinfo:2")
    await house.tick()
    await house.admin.delete(SERVICE, house.namespace, "podinfo-canary")
    house.kube.reset()
    await house.change(ChangeReason.DRIFT)
    made = [call for call in house.kube.made if "canaries/" in call or call.startswith("POST")]
    assert [call.split()[0] for call in made][-2:] == ["POST", "GET"]
    assert await canary_image(house) == "podinfo:2"


# ---- deletion


@pytest.mark.parametrize("begun", [False, True], ids=["at rest", "in mid-rollout"])
@pytest.mark.parametrize("kind", ["DaemonSet", "Service"])
async def test_a_deleted_canary_leaves_users_with_its_target(house: House, kind: str, begun: bool) -> None:
    await prepared(house, kind, revertOnDeletion=True)
    if begun:
        await house.push("podinfo:2")
        await house.tick(2)
    await house.admin.delete(CANARY, house.namespace, "podinfo")
    await house.change(ChangeReason.DELETED)
    while await house.admin.find(CANARY, house.namespace, "podinfo"):
        await house.tick()
    target = await house.object(house.resource, "podinfo")
    assert Workload(target).replicas == 1
    assert image_of(target) == ("podinfo:2" if begun else "podinfo:1")
    assert await house.admin.find(house.resource, house.namespace, "podinfo-primary") is None
    (only,) = (await house.object(ROUTE_TABLE, "podinfo"))["spec"]["routes"][0]["routeAction"]["multi"]["destinations"]
    name = f"{house.namespace}-podinfo-canaryupstream-9898"
    assert only["destination"]["upstream"]["name"] == name
    left = [(UPSTREAM, name), (SERVICE, "podinfo"), (house.resource, "podinfo")]
    for resource, place in left:
        metadata = (await house.object(resource, place))["metadata"]
        assert "ownerReferences" not in metadata
        assert not [mark for mark in metadata.get("annotations") or {} if mark.startswith("canarybus.dev/")]
    reached = (await house.object(UPSTREAM, name))["spec"]["kube"]["serviceName"]
    assert reached == ("podinfo" if kind == "Service" else "podinfo-canary"), "a copy would no longer follow"
    assert (await house.admin.find(SERVICE, house.namespace, reached)) is not None


@pytest.mark.parametrize("kind", ["DaemonSet", "Service"])
async def test_initialising_each_kind_takes_at_most_25_calls(house: House, kind: str) -> None:
    await house.prepare(kind)
    house.kube.reset()
    await house.initialized()
    assert house.kube.total <= 25, house.kube.made
