"""Names of copies that could mean two things: each content has one of its own, and nobody's is written over."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.adapters.errors import TransientError
from handlers.adapters.kube import Object
from schemas.configs import copy_names
from schemas.events import ChangeReason
from schemas.resources import CONFIG_MAP, DEPLOYMENT
from schemas.status import Phase
from tests.handlers.configured import Configured, reading
from tests.handlers.house import NAMESPACE, House

MARK = "canarybus.dev/copy-of"
LAST = copy_names("podinfo", "configmap/colours")[-1]


def wholes(*names: str, optional: bool = False, **place: Any) -> Object:
    more = {"optional": True} if optional else {}
    return reading(envFrom=[{"configMapRef": {"name": name, **more}} for name in names], **place)


async def reads(people: Configured, name: str = "podinfo-primary") -> dict[str, dict[str, str]]:
    """What a primary's container reads, in order: name and content."""
    names = [item["configMapRef"]["name"] for item in (await people.read_by(name))["envFrom"]]
    return {one: (await people.house.object(CONFIG_MAP, one))["data"] for one in names}


async def read_from_now_on(house: House, target: Object) -> None:
    """What the target's container reads is another thing: a new revision."""
    container = target["spec"]["template"]["spec"]["containers"][0]
    patch = {"spec": {"template": {"spec": {"containers": [container]}}}}
    await house.admin.patch(DEPLOYMENT, NAMESPACE, "podinfo", patch)
    await house.change(ChangeReason.REVISION)


async def test_canaries_with_a_config_in_common_and_one_of_their_own_each_read_their_own(
    house: House, people: Configured
) -> None:
    """``colours-podinfo-primary`` could be the copy of both."""
    web = house.neighbour("web")
    house.workloads += ["web", "web-primary"]
    house.delegated.add("web")
    await house.definitions()
    for name in ("podinfo", "web"):
        await people.config(f"colours-{name}", {"own": name})
    await people.prepare(wholes("colours", "colours-podinfo"))
    await house.initialized()
    web.now = house.now
    await house.admin.create(DEPLOYMENT, wholes("colours", "colours-web", name="web"))
    await web.ready("web")
    await web.canary(targetRef={"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"})
    await web.initialized()
    await people.config("colours", {"colour": "green"})
    await house.change(ChangeReason.REVISION)
    await house.until(Phase.SUCCEEDED)
    assert await reads(people) == {LAST: {"colour": "green"}, "colours-podinfo-primary": {"own": "podinfo"}}
    expected = {"colours-primary": {"colour": "blue"}, "colours-web-primary": {"own": "web"}}
    assert await reads(people, "web-primary") == expected


async def test_an_object_of_the_user_leaves_two_copies_two_names(house: House, people: Configured) -> None:
    await house.definitions()
    await people.config("colours-primary", {"mine": "yes"})
    await people.config("colours-podinfo", {"own": "podinfo"})
    await people.prepare(wholes("colours", "colours-podinfo"))
    await house.initialized()
    assert await reads(people) == {LAST: {"colour": "blue"}, "colours-podinfo-primary": {"own": "podinfo"}}
    assert (await house.object(CONFIG_MAP, "colours-primary"))["data"] == {"mine": "yes"}


async def test_nothing_is_made_under_a_name_that_the_target_reads(house: House, people: Configured) -> None:
    """It would read what we wrote as its own."""
    await people.prepare(wholes("colours", "colours-primary", optional=True))
    await house.initialized()
    assert await house.admin.find(CONFIG_MAP, NAMESPACE, "colours-primary") is None
    assert (await house.object(CONFIG_MAP, "colours-podinfo-primary"))["data"] == {"colour": "blue"}


async def test_a_copy_is_not_written_over_for_another_original_while_pods_may_read_it(
    house: House, people: Configured
) -> None:
    """A rollback in the promotion finds what it goes back to."""
    await house.definitions()
    await people.config("colours-primary", {"mine": "yes"})
    await people.prepare(wholes("colours"))
    await house.initialized()
    assert await reads(people) == {"colours-podinfo-primary": {"colour": "blue"}}
    await people.config("colours-podinfo", {"own": "podinfo"})
    await read_from_now_on(house, wholes("colours-podinfo"))
    await house.until(Phase.PROMOTING, settled=False)
    assert await reads(people) == {"colours-podinfo-podinfo-primary": {"own": "podinfo"}}
    assert await people.colour("colours-podinfo-primary") == "blue"
    await house.command("abort")
    await house.until(Phase.FAILED)
    assert await reads(people) == {"colours-podinfo-primary": {"colour": "blue"}}


async def test_copies_without_our_mark_keep_their_names_and_get_it(house: House, people: Configured) -> None:
    """The peer's, and those of an earlier release."""
    await house.definitions()
    await people.config("theirs-primary", {"mine": "yes"})
    await people.config("theirs", {"own": "podinfo"})
    await people.prepare(wholes("colours", "theirs"))
    await house.initialized()
    for name in ("colours-primary", "theirs-podinfo-primary"):
        await house.admin.patch(CONFIG_MAP, NAMESPACE, name, {"metadata": {"annotations": {MARK: None}}})
    await house.push("podinfo:2")
    await house.until(Phase.SUCCEEDED)
    assert [*await reads(people)] == ["colours-primary", "theirs-podinfo-primary"]
    marks = [
        (await house.object(CONFIG_MAP, name))["metadata"]["annotations"][MARK]
        for name in ("colours-primary", "theirs-podinfo-primary")
    ]
    assert marks == ["configmap/colours", "configmap/theirs"]


async def test_a_name_that_has_become_free_restarts_nobody(house: House, people: Configured) -> None:
    await house.definitions()
    await people.config("colours-primary", {"mine": "yes"})
    await people.prepare(wholes("colours"))
    await house.initialized()
    before = (await house.object(DEPLOYMENT, "podinfo-primary"))["spec"]
    for name in ("colours-primary", "colours-podinfo-primary"):
        await house.admin.delete(CONFIG_MAP, NAMESPACE, name)
    await house.change(ChangeReason.DRIFT)
    assert await reads(people) == {"colours-podinfo-primary": {"colour": "blue"}}
    assert (await house.object(DEPLOYMENT, "podinfo-primary"))["spec"] == before


async def test_a_copy_of_which_all_names_are_taken_is_refused_with_all_of_them(
    house: House, people: Configured
) -> None:
    await house.definitions()
    for name in copy_names("podinfo", "configmap/colours"):
        await people.config(name, {"mine": "yes"})
    await people.prepare(wholes("colours"))
    with pytest.raises(TransientError):
        await house.change(ChangeReason.SPEC)
    held = next(item for item in (await house.status()).conditions if item.type == "Held")
    assert held.message.endswith(
        "no name is left for the primary's copy of ConfigMap colours.default: colours-primary, "
        f"colours-podinfo-primary, {LAST} are somebody else's or read as they are; rename or delete one of them"
    )
