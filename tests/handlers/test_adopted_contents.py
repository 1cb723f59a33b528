"""ConfigMaps that the peer tracked, or did not: what its primary reads is what counts as promoted."""

from __future__ import annotations

from typing import Any

from schemas.events import ChangeReason
from schemas.resources import CANARY, CONFIG_MAP, DEPLOYMENT
from schemas.status import Phase
from schemas.workload import Workload
from tests.handlers.house import NAMESPACE, House
from tests.handlers.test_switching import move_in

GREEN = {"data": {"colour": "green"}}


async def edit(house: House, **content: Any) -> None:
    await house.admin.patch(CONFIG_MAP, NAMESPACE, "settings", content)


async def colour(house: House) -> str:
    return str((await house.object(CONFIG_MAP, "settings-primary"))["data"]["colour"])


async def test_a_content_that_changed_while_nobody_watched_is_analysed_and_can_be_refused(house: House) -> None:
    await move_in(house, "Succeeded")
    await edit(house, **GREEN)
    pods = (await house.object(DEPLOYMENT, "podinfo-primary"))["spec"]["template"]
    await house.change(ChangeReason.SPEC)
    assert (await house.object(DEPLOYMENT, "podinfo-primary"))["spec"]["template"] == pods, "no pod is restarted"
    await house.change(ChangeReason.REVISION)
    assert (await house.status()).phase is Phase.PROGRESSING
    await house.tick(2)
    assert await colour(house) == "blue"
    await house.until(Phase.PROMOTING, settled=False)
    assert await colour(house) == "green"
    await house.command("abort")
    assert await colour(house) == "blue", "what the peer's copy held was kept"
    await house.until(Phase.FAILED)


async def test_binary_data_that_the_peer_lost_starts_no_rollout_and_comes_with_the_copy(house: House) -> None:
    await move_in(house, "Succeeded")
    await edit(house, binaryData={"logo": "AAEC"})
    await house.change(ChangeReason.SPEC)
    await house.until(Phase.SUCCEEDED)
    await house.change(ChangeReason.RESYNC)
    assert (await house.status()).phase is Phase.SUCCEEDED
    assert (await house.object(CONFIG_MAP, "settings-primary"))["binaryData"] == {"logo": "AAEC"}
    assert Workload(await house.object(DEPLOYMENT, "podinfo-primary")).runs((await house.status()).promoted_revision)


async def test_a_primary_that_reads_the_originals_starts_no_rollout_and_gets_copies_with_the_next(house: House) -> None:
    """The peer ran without config tracking."""
    await move_in(house, "Succeeded")
    originals = [{"configMapRef": {"name": "settings"}}, {"secretRef": {"name": "of-old-primary", "optional": True}}]
    container = {"name": "podinfod", "envFrom": originals}
    body = {"spec": {"template": {"spec": {"containers": [container]}}}}
    await house.admin.patch(DEPLOYMENT, NAMESPACE, "podinfo-primary", body, type="strategic")
    await house.admin.delete(CONFIG_MAP, NAMESPACE, "settings-primary")
    await house.admin.patch(CANARY, NAMESPACE, "podinfo", {"status": {"trackedConfigs": None}}, subresource="status")
    await house.ready("podinfo-primary")
    pods = (await house.object(DEPLOYMENT, "podinfo-primary"))["spec"]["template"]
    await house.change(ChangeReason.SPEC)
    await house.until(Phase.SUCCEEDED)
    await house.change(ChangeReason.RESYNC)
    assert (await house.status()).phase is Phase.SUCCEEDED
    assert (await house.object(DEPLOYMENT, "podinfo-primary"))["spec"]["template"] == pods
    await edit(house, **GREEN)
    await house.change(ChangeReason.REVISION)
    await house.until(Phase.SUCCEEDED)
    assert await colour(house) == "green"
    read = (await house.object(DEPLOYMENT, "podinfo-primary"))["spec"]["template"]["spec"]["containers"][0]["envFrom"]
    assert {"configMapRef": {"name": "settings-primary"}} in read


async def test_what_ran_before_a_promotion_by_hand_that_nobody_had_looked_at_is_kept(house: House) -> None:
    await move_in(house, "Progressing", weight=20)
    await house.command("promote")
    assert await house.image() == "podinfo:2"
    await house.command("abort")
    await house.until(Phase.FAILED)
    assert await house.image() == "podinfo:1"
