"""Canaries, targets and configs with the longest names that Kubernetes lets people give."""

from __future__ import annotations

import pytest

from schemas.canary import Ref
from schemas.events import ChangeReason
from schemas.resources import CANARY, CONFIG_MAP, DEPLOYMENT
from schemas.status import Phase
from tests.handlers.configured import Configured, reading
from tests.handlers.house import NAMESPACE, House


@pytest.mark.parametrize("length", [64, 253])
async def test_a_canary_with_a_long_name_does_all_that_others_do(house: House, people: Configured, length: int) -> None:
    house.settings = house.settings.model_copy(update={"revision_history": 1})
    house.advance = house.worker()
    house.ref = Ref(NAMESPACE, "c" * length)
    await people.prepare(revertOnDeletion=True)
    await house.initialized()
    for colour in ("green", "red", "black"):
        await people.recolour(colour)
        await house.until(Phase.SUCCEEDED)
    assert await people.colour() == "black"
    kept = [name for name in await house.snapshots() if not name.endswith("-revert-on-deletion")]
    assert len(kept) == 2, "the older ones are found and taken away"
    await people.recolour("white")
    await house.until(Phase.PROMOTING, settled=False)
    await house.command("abort")
    await house.until(Phase.FAILED)
    assert await people.colour() == "black"
    await house.admin.delete(CANARY, NAMESPACE, house.ref.name)
    for _ in range(8):
        await house.tick()
    await people.gone(CANARY, house.ref.name)
    await people.gone(DEPLOYMENT, "podinfo-primary")
    assert await house.replicas() == 1


async def test_a_config_with_a_long_name_is_copied(house: House, people: Configured) -> None:
    name = "m" * 253
    await house.definitions()
    await people.config(name, {"a": "b"})
    await people.prepare(reading(envFrom=[{"configMapRef": {"name": name}}]))
    await house.initialized()
    (read,) = (await people.read_by())["envFrom"]
    copy = await house.object(CONFIG_MAP, read["configMapRef"]["name"])
    assert copy["metadata"]["name"] != name
    assert copy["data"] == {"a": "b"}


async def test_a_name_that_leaves_no_room_is_told_once_and_its_remedy_heals(house: House) -> None:
    name = "s" * 60
    await house.prepare(service={"name": name, "port": 9898})
    await house.change(ChangeReason.SPEC)
    held = next(item for item in (await house.status()).conditions if item.type == "Held")
    assert (held.status, held.reason) == ("True", "Invalid")
    assert held.message.startswith("spec.service.name has 60 characters; 55 leave room for the Service")
    assert await house.replicas() == 1, "the target goes on serving"
    await house.admin.patch(CANARY, NAMESPACE, "podinfo", {"spec": {"service": {"name": "podinfo"}}})
    await house.initialized()
