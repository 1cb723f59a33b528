"""Copies in a cluster that others use as well: shared, somebody's own, used no more, edited."""

from __future__ import annotations

import pytest

from handlers.adapters.kube import Object
from schemas.canary import Canary, Ref
from schemas.events import Change, ChangeReason
from schemas.resources import CANARY, CONFIG_MAP, DEPLOYMENT, SECRET, Resource
from schemas.status import CanaryStatus, Phase
from tests.handlers.configured import PASSWORD, Configured, encoded, reading
from tests.handlers.house import NAMESPACE, House, canary_object
from tests.handlers.neighbours import Crash


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


@pytest.mark.parametrize(("resource", "name"), [(CONFIG_MAP, "colours-primary"), (SECRET, "login-primary")])
async def test_a_copy_that_somebody_made_immutable_is_made_again_with_the_promoted_content(
    house: House, people: Configured, resource: Resource, name: str
) -> None:
    await people.prepare()
    await house.initialized()
    await house.admin.patch(resource, NAMESPACE, name, {"immutable": True, "metadata": {"labels": {"team": "a"}}})
    await people.recolour("green")
    await people.secret("login", "other")
    await house.change(ChangeReason.REVISION)
    await house.until(Phase.SUCCEEDED)
    copy = await house.object(resource, name)
    assert "immutable" not in copy
    assert copy["data"] == (await house.object(resource, name.removesuffix("-primary")))["data"]
    assert copy["metadata"]["labels"]["team"] == "a"


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
