"""The keeper of what has to outlive its Canary: noticed when it is gone, there when a deletion needs it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from handlers.adapters.errors import Forbidden, TransientError
from schemas.events import ChangeReason
from schemas.resources import CANARY, CONTROLLER_REVISION, DEPLOYMENT, ROUTE_TABLE, SERVICE, Resource
from schemas.status import Phase
from tests.handlers.deleting import GOES, KEEPER, STAYS, assert_restored, at_rest, delete, gone
from tests.handlers.house import NAMESPACE, House


@pytest.mark.parametrize("made_again", [False, True], ids=["deleted by somebody", "switched off and on elsewhere"])
async def test_a_keeper_that_is_gone_is_found_out_by_what_it_does_not_own_any_more(
    house: House, *, made_again: bool
) -> None:
    await at_rest(house)
    await house.push("podinfo:2")
    await house.tick()
    gone = await _without_keeper(house, made_again=made_again)
    await house.tick()
    for resource, name in [*STAYS, *GOES[:-1]]:
        uids = await _owner_uids(house, resource, name)
        assert gone not in uids, name
        assert uids == [house.uid, await _keeper_uid(house)], name


async def test_a_tick_asks_for_no_keeper_while_everything_has_one(house: House) -> None:
    await at_rest(house)
    await house.push("podinfo:2")
    house.kube.reset()
    await house.tick(2)
    assert not [call for call in house.kube.made if KEEPER in call]


@pytest.mark.parametrize("made_again", [False, True], ids=["deleted by somebody", "switched off and on elsewhere"])
async def test_a_deletion_that_finds_its_keeper_gone_leaves_the_target_serving(
    house: House, *, made_again: bool
) -> None:
    await at_rest(house)
    await _without_keeper(house, made_again=made_again)
    await delete(house)
    await gone(house)
    await assert_restored(house)


async def test_whoever_takes_the_keeper_away_while_a_deletion_waits_finds_everything_with_another(house: House) -> None:
    await at_rest(house, progressDeadlineSeconds=60)
    await delete(house)

    async def refuse(method: str, path: str) -> None:
        if method == "PATCH" and path.endswith("/deployments/podinfo"):
            raise Forbidden("an admission webhook says no")

    house.kube.before = refuse
    for _ in range(8):
        if (await house.status()).phase is Phase.TERMINATED:
            break
        await house.admin.delete(CONTROLLER_REVISION, NAMESPACE, KEEPER)
        with suppress(TransientError):
            await house.tick()
    assert (await house.status()).phase is Phase.TERMINATED
    for resource, name in [*STAYS, *GOES[:-1]]:
        assert await _keeper_uid(house) in await _owner_uids(house, resource, name), name


async def test_who_goes_back_takes_keepers_away_by_their_label_and_deletions_leave_nothing_then(house: House) -> None:
    await house.prepare(revertOnDeletion=True)
    await house.initialized()
    found, _ = await house.admin.list(CONTROLLER_REVISION, NAMESPACE, labels="canarybus.dev/keeper=podinfo")
    assert [item["metadata"]["uid"] for item in found] == [await _keeper_uid(house)]
    for item in found:
        await house.admin.delete(CONTROLLER_REVISION, NAMESPACE, item["metadata"]["name"])
    async with asyncio.timeout(10):
        while await _owner_uids(house, DEPLOYMENT, "podinfo-primary") != [house.uid]:
            await asyncio.sleep(0.05)
    await house.admin.delete(CANARY, NAMESPACE, "podinfo")
    await house.admin.patch(CANARY, NAMESPACE, "podinfo", {"metadata": {"finalizers": None}})
    async with asyncio.timeout(10):
        for resource, name in ((DEPLOYMENT, "podinfo-primary"), (ROUTE_TABLE, "podinfo"), (SERVICE, "podinfo-primary")):
            while await house.admin.find(resource, NAMESPACE, name):
                await asyncio.sleep(0.05)


async def _without_keeper(house: House, *, made_again: bool) -> str:
    """Its uid, which the worker at hand has seen."""
    found = await _keeper_uid(house)
    if not made_again:
        await house.admin.delete(CONTROLLER_REVISION, NAMESPACE, KEEPER)
        async with asyncio.timeout(10):  # the garbage collector takes its time
            while found in [uid for place in GOES[:-1] + STAYS for uid in await _owner_uids(house, *place)]:
                await asyncio.sleep(0.01)
        return found
    other = house.worker()
    for on in (False, True):
        await house.admin.patch(CANARY, NAMESPACE, "podinfo", {"spec": {"revertOnDeletion": on}})
        await house.change(ChangeReason.SPEC, worker=other)
    return found


async def _keeper_uid(house: House) -> str:
    return str((await house.object(CONTROLLER_REVISION, KEEPER))["metadata"]["uid"])


async def _owner_uids(house: House, resource: Resource, name: str) -> list[str]:
    return [owner["uid"] for owner in (await house.object(resource, name))["metadata"]["ownerReferences"]]
