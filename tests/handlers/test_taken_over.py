"""A user who gives an object of his own the name of a copy: it is his from then on, and the copy has another name."""

from __future__ import annotations

import pytest

from schemas.events import ChangeReason
from schemas.resources import CANARY, CONFIG_MAP, DEPLOYMENT
from schemas.status import Phase
from tests.handlers.configured import Configured
from tests.handlers.house import NAMESPACE, House
from tests.handlers.test_copy_names import read_from_now_on, reads, wholes

HIS = {"mine": "yes"}


@pytest.fixture
async def people(house: House) -> Configured:
    """At rest, with ``colours-primary`` as the copy of ``colours``; then somebody applies it."""
    people = Configured(house)
    await people.prepare(wholes("colours"))
    await house.initialized()
    ours = await house.object(CONFIG_MAP, "colours-primary")
    await house.admin.replace(CONFIG_MAP, {"metadata": ours["metadata"], "data": HIS})
    return people


async def his(house: House) -> bool:
    """Whether it is as he wrote it, and nobody takes it with him."""
    item = await house.object(CONFIG_MAP, "colours-primary")
    return item["data"] == HIS and not item["metadata"].get("ownerReferences")


async def test_the_primary_reads_on_what_it_was_promoted_with_and_he_keeps_his(
    house: House, people: Configured
) -> None:
    await read_from_now_on(house, wholes("colours", "colours-primary"))
    await house.change(ChangeReason.DRIFT)
    assert await reads(people) == {"colours-podinfo-primary": {"colour": "blue"}}
    await house.until(Phase.SUCCEEDED)
    expected = {"colours-podinfo-primary": {"colour": "blue"}, "colours-primary-primary": HIS}
    assert await reads(people) == expected
    assert await his(house)
    await house.admin.delete(CANARY, NAMESPACE, "podinfo")
    await people.gone(DEPLOYMENT, "podinfo-primary")
    await people.gone(CONFIG_MAP, "colours-podinfo-primary")
    assert await his(house)


async def test_he_keeps_it_when_his_revision_is_refused(house: House, people: Configured) -> None:
    await read_from_now_on(house, wholes("colours", "colours-primary"))
    await house.change(ChangeReason.DRIFT)
    await house.command("abort")
    await house.until(Phase.FAILED)
    await read_from_now_on(house, wholes("colours"))
    await house.push("podinfo:3")
    await house.until(Phase.SUCCEEDED)
    assert await reads(people) == {"colours-podinfo-primary": {"colour": "blue"}}
    assert await his(house)


async def test_a_name_that_the_target_waits_for_is_not_taken_for_what_the_primary_reads(house: House) -> None:
    """The primary is made again in the middle of the rollout, from what was promoted."""
    people = Configured(house)
    await house.definitions()
    await people.config("colours-primary", HIS)
    await people.prepare(wholes("colours"))
    await house.initialized()
    await house.admin.delete(CONFIG_MAP, NAMESPACE, "colours-primary")
    await read_from_now_on(house, wholes("colours", "colours-primary", optional=True))
    await house.admin.delete(DEPLOYMENT, NAMESPACE, "podinfo-primary")
    await people.gone(DEPLOYMENT, "podinfo-primary")
    await house.change(ChangeReason.DRIFT)
    assert await reads(people) == {"colours-podinfo-primary": {"colour": "blue"}}
    assert await house.admin.find(CONFIG_MAP, NAMESPACE, "colours-primary") is None
