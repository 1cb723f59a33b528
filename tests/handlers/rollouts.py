"""A rollout that has just begun, on a target of each kind."""

from __future__ import annotations

import pytest

from schemas.resources import TARGETS
from tests.handlers.house import House

EACH_KIND = pytest.mark.parametrize("kind", TARGETS)


async def progressing(house: House, kind: str = "Deployment") -> None:
    await house.prepare(kind)
    await house.initialized()
    await house.push("podinfo:2")
