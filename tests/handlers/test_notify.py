"""Nothing that was told is lost: one Event for each notice, and what came of a post-rollout hook is told as well."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from handlers.adapters.errors import TransientError
from handlers.adapters.kube import Object
from handlers.core.receivers import KUBERNETES
from schemas.events import NoticeMessage, StepResult
from schemas.resources import EVENT
from schemas.status import Notice, Phase, Reason
from tests.handlers.house import NAMESPACE, House

Deliver = Callable[[], Awaitable[int]]


@pytest.fixture
async def deliver(house: House) -> Deliver:
    """All notices that are there, until none is left; how many could not be delivered."""
    notifier = house.notifier()
    subscription = await house.bus.js.pull_subscribe_bind("notices", "CANARY_NOTICES")

    async def delivered() -> int:
        for result in await house.results():
            await notifier.on_result(result)
        failed = 0
        while (await subscription.consumer_info()).num_pending:
            for message in await subscription.fetch(100, timeout=1):
                try:
                    await notifier.on_notice(NoticeMessage.model_validate_json(message.data))
                except TransientError:
                    failed += 1
                await message.ack()
        return failed

    return delivered


async def events(house: House) -> list[Object]:
    found, _ = await house.admin.list(EVENT, NAMESPACE, fields="involvedObject.kind=Canary")
    return found


async def a_rollout(house: House) -> None:
    address = f"{house.answering.url}/hook"
    hooks = [
        {"name": "Bench mark", "type": "post-rollout", "url": f"{address}/post"},
        {"name": "feed", "type": "event", "url": f"{address}/feed"},
    ]
    await house.prepare(analysis={"webhooks": hooks})
    await house.initialized()
    await house.push("podinfo:2")
    await house.until(Phase.SUCCEEDED)


async def test_what_came_of_a_post_rollout_hook_is_an_event_as_any_other(house: House, deliver: Deliver) -> None:
    await a_rollout(house)
    assert await deliver() == 0
    told = {event["message"]: (event["type"], event["reason"]) for event in await events(house)}
    assert told["Post-rollout check Bench mark passed"] == ("Normal", "HookPassed")
    assert len(told) == len(await events(house)) > 5, "nothing is told twice"
    assert house.answering.asked.count("feed") == len(told), "and event hooks hear of all of it"


async def test_a_post_rollout_hook_that_fails_says_why_and_is_not_asked_again(house: House, deliver: Deliver) -> None:
    house.answering.gates["post"] = 500
    await a_rollout(house)
    assert await deliver() == 0
    assert house.answering.asked.count("post") == 1
    found = [event for event in await events(house) if event["message"].startswith("Post-rollout")]
    assert [(event["type"], event["reason"]) for event in found] == [("Warning", "HookFailed")]
    assert found[0]["message"].startswith("Post-rollout hook Bench mark failed ")


async def test_the_event_of_a_canary_with_the_longest_name_is_written(house: House) -> None:
    notifier = house.notifier()
    notices = tuple(Notice(reason=Reason.STEP_TAKEN, message=text) for text in ("one", "two"))
    result = StepResult(
        namespace=NAMESPACE,
        name="a." * 126 + "a",
        uid="0d5c1f5e-4a52-4d0e-9f0a-1f6c2f0b7a11",
        step=2_000_000,
        stimulus="tick",
        time=house.now,
        phase="Progressing",
        weight=25,
        reason="StepTaken",
        message="one",
        notices=notices,
    )
    message = NoticeMessage(namespace=NAMESPACE, name=result.name, receiver=KUBERNETES, result=result)
    await notifier.on_notice(message)
    await notifier.on_notice(message.model_copy(update={"about": "Bench mark.passed"}))
    assert sorted(event["message"] for event in await events(house)) == ["one", "one", "two", "two"]


async def test_what_an_older_release_cannot_say_is_left_for_a_newer_one(house: House, deliver: Deliver) -> None:
    await a_rollout(house)
    await house.strange()
    assert await deliver() > 0
    assert "feed" not in house.answering.asked
    assert await events(house), "for an Event nobody needs the Canary"
