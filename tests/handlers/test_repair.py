"""What is gone, refused or not there yet: made again, or said to people, by whichever wake comes."""

from __future__ import annotations

from schemas.resources import UPSTREAM
from schemas.status import Phase
from tests.handlers.house import NAMESPACE, House


async def test_an_upstream_that_the_gateway_misses_is_made_again_by_any_tick(house: House) -> None:
    """The word of its deletion may be lost: the watcher was away, or a newer change took its place."""
    await house.prepare()
    await house.initialized()
    await house.push("podinfo:2")
    await house.tick()
    name = "default-podinfo-canaryupstream-9898"
    await house.admin.delete(UPSTREAM, NAMESPACE, name)
    house.gateway = "Warning"
    await house.tick()
    await house.tick()
    assert await house.admin.find(UPSTREAM, NAMESPACE, name) is not None
    assert (await house.status()).phase is Phase.PROGRESSING
