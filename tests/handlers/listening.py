"""What the whole process is told, and what it tells, for tests that talk to it over the bus only."""

from __future__ import annotations

import asyncio

from schemas.events import Change, ChangeReason, StepResult
from tests.handlers.house import NAMESPACE, House


async def told(house: House, reason: str) -> StepResult:
    """The first result with this reason."""
    subscription = await house.bus.js.subscribe("canary.result.>", ordered_consumer=True)
    async with asyncio.timeout(15):
        async for message in subscription.messages:
            result = StepResult.model_validate_json(message.data)
            if result.reason == reason:
                return result
    raise AssertionError(reason)


async def announce(house: House, reason: ChangeReason, version: str) -> None:
    change = Change(namespace=NAMESPACE, name="podinfo", uid=house.uid, reason=reason, version=version)
    await house.bus.publish(change, source="test")


async def progressing(house: House) -> None:
    await house.prepare()
    await house.initialized()
    await house.push("podinfo:2", announce=False)
    await announce(house, ChangeReason.REVISION, "1")
    await told(house, "NewRevision")
