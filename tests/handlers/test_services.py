"""Services while what is behind them changes: users meet the primary's pods by its labels and its ports."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from schemas.events import ChangeReason
from schemas.resources import CANARY, DEPLOYMENT, SERVICE, UPSTREAM
from schemas.status import Phase
from tests.handlers.house import House
from tests.handlers.targets import target_object

GRPC = {"name": "grpc", "containerPort": 9999}
SLOWLY_BACK = {"stepWeightPromotion": 10}
OF_USERS = ("podinfo", "podinfo-primary")


async def target(house: House, labels: dict[str, str] | None = None, *ports: dict[str, Any], **body: Any) -> None:
    made = target_object("Deployment", namespace=house.namespace, **body)
    if labels:
        made["spec"]["selector"]["matchLabels"] = made["spec"]["template"]["metadata"]["labels"] = labels
    made["spec"]["template"]["spec"]["containers"][0]["ports"] += ports
    await house.admin.create(DEPLOYMENT, made)
    await house.ready("podinfo")


async def discovering(house: House, *ports: dict[str, Any], **spec: Any) -> None:
    await house.definitions()
    await target(house, None, *ports)
    await house.canary(service={"port": 9898, "portDiscovery": True}, **spec)
    await house.initialized()


async def push(house: House, image: str, *ports: dict[str, Any]) -> None:
    containers = [{"name": "podinfod", "image": image, "ports": [{"containerPort": 9898}, *ports]}]
    await house.admin.patch(
        DEPLOYMENT, house.namespace, "podinfo", {"spec": {"template": {"spec": {"containers": containers}}}}
    )
    await house.change(ChangeReason.REVISION)


async def ports(house: House, name: str) -> list[int]:
    return [port["port"] for port in (await house.object(SERVICE, name))["spec"]["ports"]]


async def ports_of_users(house: House) -> list[list[int]]:
    return [await ports(house, name) for name in OF_USERS]


# ---- ports


@pytest.mark.parametrize("moment", ["waits for its gate", "is analysed", "is aborted"])
async def test_a_port_that_a_pushed_revision_drops_stays_as_long_as_users_are_on_the_one_that_has_it(
    house: House, moment: str
) -> None:
    gate = {"name": "g", "type": "confirm-rollout", "url": f"{house.answering.url}/hook/g"}
    await discovering(house, GRPC, analysis={"webhooks": [gate]})
    house.answering.gates["g"] = 403 if moment == "waits for its gate" else 200
    await push(house, "podinfo:2")
    await house.tick(2)
    if moment == "is aborted":
        await house.command("abort")
        await house.until(Phase.FAILED)
    await house.change(ChangeReason.RESYNC)
    assert await ports_of_users(house) == [[9898, 9999]] * 2
    assert await ports(house, "podinfo-canary") == [9898], "those of the pods that it leads to"
    assert await house.image() == "podinfo:1"


async def test_a_promotion_brings_its_ports_and_takes_away_those_that_it_drops_when_all_is_over(house: House) -> None:
    await discovering(house, GRPC, analysis=SLOWLY_BACK)
    await push(house, "podinfo:2", {"name": "admin", "containerPort": 9797})
    await house.until(Phase.PROMOTING, settled=False)
    await house.change(ChangeReason.RESYNC)
    assert (await house.image(), (await house.status()).phase) == ("podinfo:2", Phase.PROMOTING)
    assert await ports_of_users(house) == [[9898, 9999, 9797]] * 2, "pods of either revision serve users"
    await house.until(Phase.SUCCEEDED)
    assert await ports_of_users(house) == [[9898, 9797]] * 2
    assert await ports(house, "podinfo-canary") == [9898, 9797]
    assert (await house.status()).surroundings_owed == 0
    house.kube.reset()
    await house.change()
    assert [call for call in house.kube.made if "/services/" in call] == [], "nothing is owed any more"


async def test_a_promotion_that_is_taken_back_has_its_ports_again(house: House) -> None:
    await discovering(house, GRPC)
    await push(house, "podinfo:2")
    await house.until(Phase.SUCCEEDED)
    assert await ports_of_users(house) == [[9898]] * 2
    await house.command("rollback")
    await house.until(Phase.FAILED)
    assert await house.image() == "podinfo:1"
    assert await ports_of_users(house) == [[9898, 9999]] * 2


async def test_an_aborted_promotion_never_misses_a_port(house: House) -> None:
    await discovering(house, GRPC, analysis=SLOWLY_BACK)
    await push(house, "podinfo:2")
    await house.until(Phase.PROMOTING, settled=False)
    await house.change(ChangeReason.RESYNC)
    assert (await house.image(), (await house.status()).phase) == ("podinfo:2", Phase.PROMOTING)
    assert await ports_of_users(house) == [[9898, 9999]] * 2
    await house.command("abort")
    await house.until(Phase.FAILED)
    assert await house.image() == "podinfo:1"
    assert await ports_of_users(house) == [[9898, 9999]] * 2


# ---- labels


async def made_anew(house: House, labels: dict[str, str], image: str) -> None:
    """A selector cannot be changed: whoever wants another deletes the Deployment first."""
    await house.admin.delete(DEPLOYMENT, house.namespace, "podinfo")
    while await house.admin.find(DEPLOYMENT, house.namespace, "podinfo"):
        await asyncio.sleep(0.01)
    await target(house, labels, image=image)


async def led_to(house: House) -> list[dict[str, str]]:
    """What Services and upstream of the primary select."""
    upstream = await house.object(UPSTREAM, f"{house.namespace}-podinfo-primaryupstream-9898")
    return [*[await house.selector(name) for name in OF_USERS], dict(upstream["spec"]["kube"]["selector"])]


async def labels_of_primary(house: House) -> dict[str, str]:
    primary = await house.object(DEPLOYMENT, "podinfo-primary")
    assert primary["spec"]["selector"]["matchLabels"] == {"app": "podinfo-primary"}
    return dict(primary["spec"]["template"]["metadata"]["labels"])


@pytest.mark.parametrize("labels", [{"app": "shop"}, {"name": "shop"}], ids=["another value", "another label"])
async def test_a_target_that_is_made_anew_under_another_label_is_rolled_out_and_users_never_lose_their_pods(
    house: House, labels: dict[str, str]
) -> None:
    await house.prepare()
    await house.initialized()
    before = await led_to(house)
    assert before == [{"app": "podinfo-primary"}] * 3
    await made_anew(house, labels, "podinfo:2")
    await house.change(ChangeReason.RESYNC)
    assert await led_to(house) == before
    await house.tick()
    assert await house.weight() == 25
    assert await house.selector("podinfo-canary") == labels
    canary = await house.object(UPSTREAM, f"{house.namespace}-podinfo-canaryupstream-9898")
    assert canary["spec"]["kube"]["selector"] == labels
    await house.until(Phase.SUCCEEDED)
    assert await house.image() == "podinfo:2"
    assert await led_to(house) == before
    assert not labels.items() <= (await labels_of_primary(house)).items(), "the target does not find its pods"


async def test_a_target_that_selects_pods_of_its_primary_is_refused_and_users_stay_where_they_are(
    house: House,
) -> None:
    await house.prepare(labels={"tier": "web", "name": "web"})
    await house.initialized()
    await made_anew(house, {"name": "web"}, "podinfo:2")
    await house.change(ChangeReason.REVISION)
    status = await house.status()
    assert status.last_step is not None
    assert status.last_step.message == (
        "deployment podinfo.default spec.selector.matchLabels: name=web is on the pods of podinfo-primary as well; "
        "give name another value, or select by app as before"
    )
    assert await led_to(house) == [{"app": "podinfo-primary"}] * 3
    await made_anew(house, {"name": "web2"}, "podinfo:2")
    await house.change(ChangeReason.REVISION)
    await house.until(Phase.SUCCEEDED)
    assert await house.image() == "podinfo:2"


async def test_another_setting_of_selector_labels_is_for_new_primaries(house: House) -> None:
    await house.definitions()
    await target(house, {"app": "podinfo", "name": "web"})
    await house.canary()
    await house.initialized()
    house.settings = house.settings.model_copy(update={"selector_labels": ("name",)})
    house.advance = house.worker()
    await house.change(ChangeReason.RESYNC)
    await house.push("podinfo:2")
    assert await led_to(house) == [{"app": "podinfo-primary"}] * 3
    assert await house.selector("podinfo-canary") == {"app": "podinfo"}, "name=web is on the primary's pods, too"
    await house.until(Phase.SUCCEEDED)
    assert await labels_of_primary(house) == {"app": "podinfo-primary", "name": "web-primary"}


async def test_a_deleted_canary_leads_users_to_a_target_that_was_made_anew(house: House) -> None:
    await house.prepare(revertOnDeletion=True)
    await house.initialized()
    await made_anew(house, {"app": "shop"}, "podinfo:2")
    await house.change(ChangeReason.REVISION)
    await house.until(Phase.SUCCEEDED)
    await house.admin.delete(CANARY, house.namespace, "podinfo")
    await house.change(ChangeReason.DELETED)
    while await house.admin.find(CANARY, house.namespace, "podinfo"):
        await house.tick()
    assert await house.selector("podinfo") == {"app": "shop"}
