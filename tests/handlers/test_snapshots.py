"""Snapshots own the contents of their revision, and what is lost of one is never guessed."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.adapters.errors import Conflict
from handlers.adapters.kube import Object
from handlers.objects import snapshots
from schemas.canary import Canary
from schemas.resources import CANARY, CONFIG_MAP, CONTROLLER_REVISION, DEPLOYMENT, Resource
from schemas.status import Phase
from tests.handlers.configured import Configured
from tests.handlers.house import NAMESPACE, House
from tests.handlers.rollouts import to_the_promotion


async def test_a_snapshot_owns_immutable_copies_of_its_contents_which_go_with_it(
    house: House, people: Configured
) -> None:
    house.settings = house.settings.model_copy(update={"revision_history": 1})
    house.advance = house.worker()
    await people.prepare()
    await house.initialized()
    first = [one for one in (await house.admin.list(CONFIG_MAP, NAMESPACE))[0] if one.get("immutable")]
    assert len(first) == 1
    for colour in ("green", "red"):
        await people.recolour(colour)
        await house.until(Phase.SUCCEEDED)
    await people.gone(CONFIG_MAP, first[0]["metadata"]["name"])
    kept = await people.kept()
    assert [len(contents) for contents in kept.values()] == [2, 2]
    assert sum("red" in str(contents) for contents in kept.values()) == 1
    assert f"podinfo-{(await house.status()).promoted_revision}" in kept


async def _to_the_promotion(house: House, people: Configured) -> None:
    """Promoting is committed; the worker dies before it copies anything."""
    await people.prepare()
    await house.initialized()
    await people.recolour("green")
    await house.tick(2)
    await house.catch_up()
    await to_the_promotion(house)


async def _lose_the_kept_contents(house: House, resource: Any) -> None:
    for item in (await house.admin.list(resource, NAMESPACE))[0]:
        if item.get("immutable"):
            await house.admin.delete(resource, NAMESPACE, item["metadata"]["name"])


async def test_lost_contents_of_a_snapshot_are_those_that_are_live_if_they_are_the_same(
    house: House, people: Configured
) -> None:
    await _to_the_promotion(house, people)
    await _lose_the_kept_contents(house, CONFIG_MAP)
    await house.change()
    assert await people.colour() == "green"


async def test_lost_contents_of_a_snapshot_are_never_guessed(house: House, people: Configured) -> None:
    await _to_the_promotion(house, people)
    await _lose_the_kept_contents(house, CONFIG_MAP)
    await people.recolour("red", announce=False)
    await house.change()
    status = await house.status()
    assert (status.phase, status.last_step and status.last_step.reason) == (Phase.PROGRESSING, "SnapshotMissing")
    assert await people.colour() == "blue"


async def test_forged_contents_of_a_snapshot_are_not_taken(house: House, people: Configured) -> None:
    await _to_the_promotion(house, people)
    for item in (await house.admin.list(CONFIG_MAP, NAMESPACE))[0]:
        if item.get("immutable"):
            await house.admin.delete(CONFIG_MAP, NAMESPACE, item["metadata"]["name"])
            await house.admin.create(CONFIG_MAP, {"metadata": {**_anew(item)}, "data": {"colour": "evil"}})
    await people.recolour("red", announce=False)
    await house.change()
    assert (await house.status()).phase is Phase.PROGRESSING
    assert await people.colour() == "blue"


def _anew(item: Object) -> Object:
    return {key: item["metadata"][key] for key in ("name", "namespace", "labels", "ownerReferences")}


async def _of_another(house: House, resource: Resource, name: str) -> None:
    """As a deleted namesake left it; an owner that is there keeps the garbage collector away for the moment."""
    other = await house.object(DEPLOYMENT, "podinfo")
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo", "uid": other["metadata"]["uid"]}
    await house.admin.patch(resource, NAMESPACE, name, {"metadata": {"ownerReferences": [reference]}})


async def test_a_snapshot_that_a_deleted_namesake_left_behind_belongs_to_the_new_canary(house: House) -> None:
    await house.prepare()
    await house.initialized()
    canary = Canary.from_object(await house.object(CANARY, "podinfo"))
    revision = canary.status.promoted_revision
    content = await snapshots.load(house.admin, canary, revision, None)
    assert content is not None
    await _of_another(house, CONTROLLER_REVISION, snapshots.name_of(canary, revision))
    await snapshots.store(house.admin, canary, revision, content)
    kept = await house.object(CONTROLLER_REVISION, snapshots.name_of(canary, revision))
    (reference,) = kept["metadata"]["ownerReferences"]
    assert (reference["kind"], reference["uid"]) == ("Canary", house.uid)


async def test_a_snapshot_that_is_being_deleted_is_waited_for_and_made_anew(house: House) -> None:
    await house.prepare()
    await house.initialized()
    canary = Canary.from_object(await house.object(CANARY, "podinfo"))
    revision = canary.status.promoted_revision
    content, name = await snapshots.load(house.admin, canary, revision, None), snapshots.name_of(canary, revision)
    assert content is not None
    await house.admin.patch(CONTROLLER_REVISION, NAMESPACE, name, {"metadata": {"finalizers": ["tests/hold"]}})
    await house.admin.delete(CONTROLLER_REVISION, NAMESPACE, name)
    with pytest.raises(Conflict):
        await snapshots.store(house.admin, canary, revision, content)
    await house.admin.patch(CONTROLLER_REVISION, NAMESPACE, name, {"metadata": {"finalizers": None}})
    await snapshots.store(house.admin, canary, revision, content)
    assert name in await house.snapshots()


async def test_contents_that_a_deleted_snapshot_left_behind_belong_to_the_new_one(
    house: House, people: Configured
) -> None:
    await people.prepare()
    await house.initialized()
    canary = Canary.from_object(await house.object(CANARY, "podinfo"))
    revision = canary.status.promoted_revision
    content = await snapshots.load(house.admin, canary, revision, None)
    assert content is not None
    name = snapshots.name_of(canary, revision)
    kept = (await people.kept())[name]
    for item in (await house.admin.list(CONFIG_MAP, NAMESPACE))[0]:
        if item.get("immutable"):
            await _of_another(house, CONFIG_MAP, item["metadata"]["name"])
    await snapshots.store(house.admin, canary, revision, content)
    assert (await people.kept())[name] == kept
    owner = (await house.object(CONTROLLER_REVISION, name))["metadata"]["uid"]
    for item in (await house.admin.list(CONFIG_MAP, NAMESPACE))[0]:
        if item.get("immutable"):
            assert item["metadata"]["ownerReferences"][0]["uid"] == owner
