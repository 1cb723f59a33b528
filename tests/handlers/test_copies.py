"""Copies in a cluster that others use as well: shared, somebody's own, used no more, lost, edited."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.adapters.errors import Conflict, Forbidden
from handlers.adapters.kube import Object
from handlers.objects import snapshots
from schemas.canary import Canary, Ref
from schemas.events import Change, ChangeReason
from schemas.resources import CANARY, CONFIG_MAP, CONTROLLER_REVISION, DEPLOYMENT, SECRET, Resource
from schemas.status import CanaryStatus, Phase
from tests.handlers.configured import PASSWORD, Configured, encoded, reading
from tests.handlers.house import NAMESPACE, Crash, House, canary_object


@pytest.fixture
def people(house: House) -> Configured:
    return Configured(house)


class Neighbour:
    """A second Canary, ``other``, on a Deployment of its own that reads the same objects."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.uid = ""

    async def initialized(self) -> None:
        await self.house.admin.create(DEPLOYMENT, reading("other"))
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "other"}
        made = canary_object(targetRef=target, skipAnalysis=True)
        made["metadata"]["name"] = "other"
        self.uid = (await self.house.admin.create(CANARY, made))["metadata"]["uid"]
        await self.until(Phase.INITIALIZED)

    async def until(self, phase: Phase) -> None:
        for number in range(20):
            if (await self.status()).phase is phase:
                return
            await self.house.ready("other")
            if await self.house.admin.find(DEPLOYMENT, NAMESPACE, "other-primary"):
                await self.house.ready("other-primary")
            await self.house.gloo("other")
            change = Change(
                namespace=NAMESPACE, name="other", uid=self.uid, reason=ChangeReason.DRIFT, version=str(number)
            )
            await self.house.advance(Ref(NAMESPACE, "other"), change)
        raise AssertionError(f"never {phase}: {(await self.status()).last_step}")

    async def status(self) -> CanaryStatus:
        return Canary.from_object(await self.house.object(CANARY, "other")).status


def owners(item: Object) -> dict[str, bool]:
    return {one["name"]: one["controller"] for one in item["metadata"]["ownerReferences"]}


async def test_canaries_that_read_the_same_content_share_a_copy(house: House, people: Configured) -> None:
    await people.prepare()
    await house.initialized()
    await Neighbour(house).initialized()
    shared = await house.object(CONFIG_MAP, "colours-primary")
    assert owners(shared) == {"other": True, "podinfo": False}
    for name in ("podinfo-primary", "other-primary"):
        assert (await people.read_by(name))["envFrom"][0]["configMapRef"]["name"] == "colours-primary"
    await house.change(ChangeReason.DRIFT)
    assert await house.object(CONFIG_MAP, "colours-primary") == shared, "nobody takes it from the other"


async def test_a_promotion_never_changes_what_another_canarys_primary_reads(house: House, people: Configured) -> None:
    """The neighbour has not analysed the new content; when it has, the usual name is free for it."""
    await people.prepare()
    await house.initialized()
    neighbour = Neighbour(house)
    await neighbour.initialized()
    await people.recolour("green")
    await house.until(Phase.SUCCEEDED)
    assert await people.colour("colours-primary") == "blue"
    assert await people.colour("colours-podinfo-primary") == "green"
    assert (await people.read_by())["envFrom"][0]["configMapRef"]["name"] == "colours-podinfo-primary"
    assert owners(await house.object(CONFIG_MAP, "colours-primary")) == {"other": True}
    assert owners(await house.object(SECRET, "login-primary")) == {"podinfo": True, "other": False}
    await neighbour.until(Phase.SUCCEEDED)
    assert await people.colour("colours-primary") == "green"
    await people.recolour("red")
    await house.until(Phase.SUCCEEDED)
    assert await people.colour("colours-podinfo-primary") == "red"


async def test_a_canary_that_goes_leaves_the_shared_copy_to_the_other(house: House, people: Configured) -> None:
    await people.prepare()
    await house.initialized()
    await Neighbour(house).initialized()
    await house.admin.delete(CANARY, NAMESPACE, "podinfo")
    await people.gone(CONFIG_MAP, "login-podinfo-primary")
    await people.gone(DEPLOYMENT, "podinfo-primary")
    assert await people.colour() == "blue"


async def test_an_object_of_the_user_under_the_name_of_a_copy_is_left_alone(house: House, people: Configured) -> None:
    await house.definitions()
    await people.config("colours-primary", {"mine": "yes"})
    await people.prepare()
    await house.initialized()
    assert (await house.object(CONFIG_MAP, "colours-primary"))["data"] == {"mine": "yes"}
    assert (await people.read_by())["envFrom"][0]["configMapRef"]["name"] == "colours-podinfo-primary"


async def test_a_copy_that_the_promoted_template_reads_no_more_is_taken_away(house: House, people: Configured) -> None:
    await people.prepare()
    await house.initialized()
    body = {"spec": {"template": {"spec": {"containers": [{"name": "podinfod", "image": "podinfo:2"}]}}}}
    await house.admin.patch(DEPLOYMENT, NAMESPACE, "podinfo", body)
    await house.change(ChangeReason.REVISION)
    await house.until(Phase.FINALISING, settled=False)
    assert await people.colour() == "blue", "pods of the old revision may still start"
    await house.until(Phase.SUCCEEDED)
    assert await house.admin.find(CONFIG_MAP, NAMESPACE, "colours-primary") is None
    assert await house.admin.find(SECRET, NAMESPACE, "login-primary") is None
    assert await people.colour("colours") == "blue"
    assert (await house.status()).tracked_configs == {}


async def test_a_copy_whose_removal_failed_is_removed_after_the_next_promotion(
    house: House, people: Configured
) -> None:
    await people.prepare()
    await house.initialized()
    body = {"spec": {"template": {"spec": {"containers": [{"name": "podinfod", "image": "podinfo:2"}]}}}}
    await house.admin.patch(DEPLOYMENT, NAMESPACE, "podinfo", body)

    async def die_before_deleting(method: str, path: str) -> None:
        if method == "DELETE" and path.endswith("colours-primary"):
            raise Crash

    house.kube.before = die_before_deleting
    await house.change(ChangeReason.REVISION)
    with pytest.raises(Crash):
        await house.until(Phase.SUCCEEDED)
    house.kube.before = None
    await house.until(Phase.SUCCEEDED)
    assert await people.colour() == "blue"
    await house.push("podinfo:3")
    await house.until(Phase.SUCCEEDED)
    assert await house.admin.find(CONFIG_MAP, NAMESPACE, "colours-primary") is None


async def test_labels_are_copied_by_prefix_and_what_others_wrote_stays(house: House, people: Configured) -> None:
    house.settings = house.settings.model_copy(update={"include_label_prefix": ("team.io/",)})
    house.advance = house.worker()
    await house.definitions()
    await people.prepare()
    labels = {"team.io/name": "a", "app": "podinfo"}
    await house.admin.patch(CONFIG_MAP, NAMESPACE, "colours", {"metadata": {"labels": labels}})
    await house.initialized()
    assert (await house.object(CONFIG_MAP, "colours-primary"))["metadata"]["labels"] == {"team.io/name": "a"}
    await house.admin.patch(CONFIG_MAP, NAMESPACE, "colours-primary", {"metadata": {"labels": {"seen": "yes"}}})
    await people.recolour("green")
    await house.until(Phase.SUCCEEDED)
    found = (await house.object(CONFIG_MAP, "colours-primary"))["metadata"]["labels"]
    assert found == {"team.io/name": "a", "seen": "yes"}


async def test_a_secret_that_was_made_again_with_another_type_is_copied_with_it(
    house: House, people: Configured
) -> None:
    await people.prepare()
    await house.initialized()
    await house.admin.delete(SECRET, NAMESPACE, "login")
    data = {"username": encoded("ann"), "password": encoded("other")}
    await people.secret("login", "", type="kubernetes.io/basic-auth", data=data)
    await house.change(ChangeReason.REVISION)
    await house.until(Phase.SUCCEEDED)
    copy = await house.object(SECRET, "login-primary")
    assert (copy["type"], copy["data"]) == ("kubernetes.io/basic-auth", data)


# ---- snapshots


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

    async def die_before_copying(method: str, path: str) -> None:
        if method == "PUT":
            raise Crash

    house.kube.before = die_before_copying
    with pytest.raises(Crash):
        await house.tick()
    house.kube.before = None
    assert (await house.status()).phase is Phase.PROMOTING


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


async def test_an_object_that_the_handlers_may_not_read_is_named_with_the_remedy(
    house: House, people: Configured
) -> None:
    await people.prepare()

    async def forbid(method: str, path: str) -> None:
        if "/secrets/" in path:
            raise Forbidden("secrets is forbidden")

    house.kube.before = forbid
    await house.change(ChangeReason.SPEC)
    house.kube.before = None
    ready = next(item for item in (await house.status()).conditions if item.type == "Ready")
    assert ready.message == (
        "secret login.default get query error: secrets is forbidden; "
        "grant the handlers get on it, or set CANARYBUS_CONFIG_TRACKING=false"
    )
    await house.until(Phase.INITIALIZED)


# ---- what others do to copies


async def test_a_copy_that_is_edited_or_deleted_at_rest_gets_its_content_back(house: House, people: Configured) -> None:
    await people.prepare()
    await house.initialized()
    await people.recolour("green", announce=False)  # what is live is not what was promoted
    await house.admin.patch(CONFIG_MAP, NAMESPACE, "colours-primary", {"data": {"colour": "evil", "more": "evil"}})
    await house.admin.delete(SECRET, NAMESPACE, "login-primary")
    await house.command("pause")
    await house.change(ChangeReason.DRIFT)
    assert (await house.object(CONFIG_MAP, "colours-primary"))["data"] == {"colour": "blue"}
    assert (await house.object(SECRET, "login-primary"))["data"] == {"password": encoded(PASSWORD)}


async def test_a_shared_copy_that_is_edited_stays_shared(house: House, people: Configured) -> None:
    await people.prepare()
    await house.initialized()
    await Neighbour(house).initialized()
    await house.admin.patch(CONFIG_MAP, NAMESPACE, "colours-primary", {"data": {"colour": "evil"}})
    await house.change(ChangeReason.DRIFT)
    assert await people.colour() == "blue"
    assert (await people.read_by())["envFrom"][0]["configMapRef"]["name"] == "colours-primary"


async def test_resyncs_read_each_copy_once_and_write_nothing(house: House, people: Configured) -> None:
    await people.prepare()
    await house.initialized()
    await house.change(ChangeReason.RESYNC)
    house.kube.reset()
    await house.change(ChangeReason.RESYNC)
    assert set(house.kube.calls) == {"GET"}, house.kube.made
    copies = [call for call in house.kube.made if call.endswith(("colours-primary", "login-primary"))]
    assert len(copies) == 2
