"""An optional ConfigMap that is not there: when it comes, nobody reads it before it was analysed."""

from __future__ import annotations

import pytest

from handlers.adapters.kube import Object
from schemas.configs import absent_name
from schemas.events import ChangeReason
from schemas.resources import CONFIG_MAP, DEPLOYMENT
from schemas.status import Phase
from tests.handlers.configured import Configured, reading
from tests.handlers.house import NAMESPACE, House

NOTHING = absent_name("podinfo", "configmap/extras")
OPT_OUT = {"flagger.app/config-tracking": "disabled"}


def optional(*others: str) -> Object:
    names = [{"name": name} for name in others] + [{"name": "extras", "optional": True}]
    return reading(envFrom=[{"configMapRef": name} for name in names])


async def reads(people: Configured, name: str = "podinfo-primary") -> list[str]:
    return [item["configMapRef"]["name"] for item in (await people.read_by(name))["envFrom"]]


async def test_the_primary_does_not_read_it_before_it_is_promoted(house: House, people: Configured) -> None:
    await people.prepare(optional())
    await house.initialized()
    assert await reads(people) == [NOTHING]
    assert await reads(people, "podinfo") == ["extras"]
    await people.config("extras", {"a": "bad"})
    await house.change(ChangeReason.REVISION)
    await house.tick()
    assert await reads(people) == [NOTHING]
    await house.command("abort")
    await house.until(Phase.FAILED)
    assert await reads(people) == [NOTHING]
    await people.config("extras", {"a": "good"})
    await house.change(ChangeReason.REVISION)
    await house.until(Phase.SUCCEEDED)
    assert await reads(people) == ["extras-primary"]
    assert (await house.object(CONFIG_MAP, "extras-primary"))["data"] == {"a": "good"}


async def test_an_abort_while_it_is_promoted_goes_back_to_nothing(house: House, people: Configured) -> None:
    await people.prepare(optional("colours"))
    await house.initialized()
    await people.config("extras", {"a": "bad"})
    await house.change(ChangeReason.REVISION)
    await house.until(Phase.PROMOTING, settled=False)
    assert await reads(people) == ["colours-primary", "extras-primary"]
    await house.command("abort")
    await house.until(Phase.FAILED)
    assert await reads(people) == ["colours-primary", NOTHING]


async def test_a_primary_that_somebody_deletes_comes_back_without_it(house: House, people: Configured) -> None:
    await people.prepare(optional())
    await house.initialized()
    await people.config("extras", {"a": "bad"})
    await house.change(ChangeReason.REVISION)
    await house.admin.delete(DEPLOYMENT, NAMESPACE, "podinfo-primary")
    await people.gone(DEPLOYMENT, "podinfo-primary")
    await house.change(ChangeReason.DRIFT)
    assert await reads(people) == [NOTHING]


@pytest.mark.parametrize("others", [(), ("colours",)], ids=["nothing is copied", "another is copied"])
async def test_one_that_nobody_tracks_is_read_as_it_is_when_it_comes(
    house: House, people: Configured, others: tuple[str, ...]
) -> None:
    await people.prepare(optional(*others))
    await house.initialized()
    await people.config("extras", {"a": "b"}, OPT_OUT)
    await house.change(ChangeReason.RESYNC)
    assert (await reads(people))[-1] == "extras"
    assert (await house.status()).phase is Phase.INITIALIZED, "there is nothing to analyse"
    settled = await house.object(DEPLOYMENT, "podinfo-primary")
    await house.change(ChangeReason.RESYNC)
    assert await house.object(DEPLOYMENT, "podinfo-primary") == settled


async def test_one_that_somebody_takes_away_is_promoted_as_nothing(house: House, people: Configured) -> None:
    await house.definitions()
    await people.config("extras", {"a": "b"})
    await people.prepare(optional())
    await house.initialized()
    assert await reads(people) == ["extras-primary"]
    await house.admin.delete(CONFIG_MAP, NAMESPACE, "extras")
    await house.change(ChangeReason.REVISION)
    await house.until(Phase.SUCCEEDED)
    assert await reads(people) == [NOTHING]
    assert await house.admin.find(CONFIG_MAP, NAMESPACE, "extras-primary") is None


async def test_nothing_is_read_in_its_place_where_nobody_tracks_anything(house: House, people: Configured) -> None:
    house.settings = house.settings.model_copy(update={"config_tracking": False})
    house.advance = house.worker()
    await people.prepare(optional())
    await house.initialized()
    assert await reads(people) == ["extras"]
