"""Two Canaries that want the same target or the same Services: one works, the other looks again when that is gone."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.events import ChangeReason
from schemas.resources import CANARY, DEPLOYMENT
from schemas.status import Phase
from tests.handlers.house import NAMESPACE, House, deployment
from tests.handlers.users import Users


async def _pair(house: House) -> tuple[House, House]:
    """The older works on podinfo, the younger on other, each under a service of its own."""
    await house.prepare(replicas=2)
    await house.initialized()
    await house.admin.create(DEPLOYMENT, deployment(2, "other:1", "other"))
    house.workloads += ["other", "other-primary"]
    house.delegated.add("other")
    younger = house.neighbour("younger")
    await younger.canary(targetRef={"apiVersion": "apps/v1", "kind": "Deployment", "name": "other"})
    await younger.initialized()
    return house, younger


async def _problem(house: House) -> str:
    held = next(item for item in (await house.status()).conditions if item.type == "Held")
    return held.message if held.reason == "Invalid" else ""


async def _edit(house: House, **spec: Any) -> None:
    await house.admin.patch(CANARY, NAMESPACE, house.ref.name, {"spec": spec})
    await house.change(ChangeReason.SPEC)


@pytest.mark.parametrize("field", ["targetRef", "service"])
async def test_who_moves_to_what_another_works_on_is_refused_even_if_it_is_the_older(house: House, field: str) -> None:
    older, younger = await _pair(house)
    before = await younger.status()
    other = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "other"}
    await _edit(older, **{field: other if field == "targetRef" else {"port": 9898, "name": "other"}})
    assert " already belongs to Canary younger.default; " in await _problem(older)
    await older.tick(3)
    names = (await older.status()).names
    assert names is not None
    assert (names.target, names.service) == ("podinfo", "podinfo"), "it works on under the names that it has"
    await younger.tick()
    assert await younger.status() == before
    await younger.admin.delete(CANARY, NAMESPACE, "younger")
    await older.tick()
    assert await _problem(older) == ""
    assert (await older.status()).phase is Phase.INITIALIZING


async def test_who_waits_goes_on_waiting_while_the_other_is_being_deleted_and_takes_over_when_it_is_gone(
    house: House,
) -> None:
    await house.prepare(replicas=2, revertOnDeletion=True)
    await house.initialized()
    users = Users(house.admin, NAMESPACE, tables=("podinfo",), services=("podinfo",))
    house.kube.before = users.try_everything
    younger = house.neighbour("younger")
    await younger.canary()
    await younger.change(ChangeReason.SPEC)
    assert await _problem(younger)
    await house.admin.delete(CANARY, NAMESPACE, "podinfo")
    await house.change(ChangeReason.DELETED)
    await younger.tick()
    assert (await house.status()).phase is Phase.TERMINATING
    assert await _problem(younger), "the older one still works there"
    while await house.admin.find(CANARY, NAMESPACE, "podinfo") is not None:
        await house.tick()
        await younger.tick()
    younger.now = house.now
    await younger.until(Phase.INITIALIZED)
    assert await house.replicas() == 0
    assert await house.selector("podinfo") == {"app": "podinfo-primary"}
    assert users.met == []


async def test_the_younger_that_waits_and_is_deleted_leaves_everything_alone(house: House) -> None:
    await house.prepare(replicas=2)
    await house.initialized()
    younger = house.neighbour("younger")
    await younger.canary(revertOnDeletion=True)
    await younger.change(ChangeReason.SPEC)
    assert "finalizers" not in (await younger.object(CANARY, "younger"))["metadata"]
    await house.admin.delete(CANARY, NAMESPACE, "younger")
    await house.tick()
    assert (await house.status()).phase is Phase.INITIALIZED
    assert await house.replicas("podinfo-primary") == 2
