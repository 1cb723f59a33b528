"""Rollouts at moments where a test begins, on a target of each kind."""

from __future__ import annotations

import pytest

from schemas.resources import TARGETS
from schemas.status import Phase
from tests.handlers.house import House
from tests.handlers.neighbours import Crash

EACH_KIND = pytest.mark.parametrize("kind", TARGETS)


async def progressing(house: House, kind: str = "Deployment") -> None:
    await house.prepare(kind)
    await house.initialized()
    await house.push("podinfo:2")


async def to_the_promotion(house: House) -> None:
    """One tick before it until Promoting is committed; the worker dies before it copies anything."""

    async def die_before_copying(method: str, _path: str) -> None:
        if method == "PUT":
            raise Crash

    house.kube.before = die_before_copying
    with pytest.raises(Crash):
        await house.tick()
    house.kube.before = None
    assert (await house.status()).phase is Phase.PROMOTING
