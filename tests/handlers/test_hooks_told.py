"""Hooks that hear of things: event hooks, the one of the installation, and post-rollout hooks at the end."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import nats.errors
import pytest

from handlers.adapters.errors import TransientError
from schemas.events import NoticeMessage
from schemas.resources import EVENT
from schemas.status import Phase
from tests.handlers.house import NAMESPACE, House


class People:
    """Whoever results and notices are delivered to, one after the other, until there are no more."""

    def __init__(self, house: House, **settings: Any) -> None:
        self.house = house
        self.notifier = house.notifier(**settings)
        self._told = 0
        self.failed: list[str] = []

    async def hear(self, *, again: bool = False) -> None:
        """``again``: what fails is delivered once more, at once."""
        for result in (await self.house.results())[self._told :]:
            await self.notifier.on_result(result)
            self._told += 1
        notices = await self.house.bus.js.pull_subscribe_bind("notices", "CANARY_NOTICES")
        with suppress(nats.errors.TimeoutError):
            while True:
                (message,) = await notices.fetch(1, timeout=0.3)
                try:
                    await self.notifier.on_notice(NoticeMessage.model_validate_json(message.data))
                except TransientError as error:
                    self.failed.append(str(error))
                    if again:
                        await message.nak()
                        continue
                await message.ack()

    async def events(self) -> list[tuple[str, str, str]]:
        found, _ = await self.house.admin.list(EVENT, NAMESPACE, fields="involvedObject.kind=Canary")
        return [(event["type"], event["reason"], event["message"]) for event in found]


def hook(house: House, kind: str, **more: Any) -> dict[str, Any]:
    return {"name": kind, "type": kind, "url": f"{house.answering.url}/hook/{kind}", **more}


async def _failed(house: House) -> None:
    await house.initialized()
    await house.push("podinfo:2")
    await house.tick()
    await house.command("abort")


async def test_a_post_rollout_hook_is_asked_once_at_the_end_and_its_yes_is_an_event(house: House) -> None:
    await house.prepare(analysis={"webhooks": [hook(house, "post-rollout", metadata={"cmd": "clean up"})]})
    people = People(house)
    await _failed(house)
    await people.hear()
    revision = (await house.status()).canary_revision
    body = {"name": "podinfo", "namespace": NAMESPACE, "phase": "Failed", "checksum": revision}
    assert house.answering.bodies == [("post-rollout", body | {"metadata": {"cmd": "clean up"}})]
    assert ("Normal", "HookPassed", "Post-rollout check post-rollout passed") in await people.events()
    await house.until(Phase.FAILED)
    await people.hear()
    assert house.answering.asked == ["post-rollout"]


async def test_hooks_of_one_name_are_told_each_for_itself(house: House) -> None:
    twice = [
        hook(house, "post-rollout", name=name, url=f"{house.answering.url}/hook/{at}")
        for name, at in (("clean up", "a"), ("clean up", "b"), ("clean-up", "c"))
    ]
    house.answering.gates["b"] = 403
    await house.prepare(analysis={"webhooks": twice})
    people = People(house)
    await _failed(house)
    await people.hear()
    assert sorted(house.answering.asked) == ["a", "b", "c"]
    said = [message for _, reason, message in await people.events() if reason.startswith("Hook")]
    assert sorted(text.split(" failed")[0] for text in said) == [
        "Post-rollout check clean up passed",
        "Post-rollout check clean-up passed",
        "Post-rollout hook clean up",
    ]


async def test_event_hooks_hear_of_everything_with_the_peers_keys_which_win(house: House) -> None:
    metadata = {"team": "shop", "eventType": "mine"}
    hooks = [hook(house, "event", metadata=metadata), hook(house, "post-rollout")]
    await house.prepare(analysis={"webhooks": hooks})
    people = People(house, event_webhook=f"{house.answering.url}/hook/everywhere")
    await _failed(house)
    await people.hear()
    heard = [body["metadata"] for name, body in house.answering.bodies if name == "event"]
    assert heard[0]["eventMessage"] == "Initialization done! podinfo.default"
    assert heard[0]["eventType"] == "Normal"
    assert heard[0]["team"] == "shop"
    assert heard[0]["timestamp"] == str(int(heard[0]["timestamp"]))
    assert len(heard[0]["timestamp"]) == len("1767225600000"), "milliseconds"
    messages = [item["eventMessage"] for item in heard]
    assert messages[-3:] == [
        "Rolling back podinfo.default aborted",
        "Canary failed! Scaling down podinfo.default",
        "Post-rollout check post-rollout passed",
    ]
    assert "everywhere" not in house.answering.asked, "a hook of its own replaces the one of the installation"


async def test_an_event_hook_at_no_address_is_not_tried_again(house: House) -> None:
    await house.prepare(analysis={"webhooks": [hook(house, "event", url="gate"), hook(house, "event", name="good")]})
    people = People(house)
    await house.initialized()
    await people.hear()
    assert people.failed == []
    assert "event" in house.answering.asked


async def test_the_hook_of_the_installation_hears_of_a_canary_without_one(house: House) -> None:
    await house.prepare()
    house.settings = house.settings.model_copy(update={"event_webhook": f"{house.answering.url}/hook/everywhere"})
    house.advance = house.worker()
    people = People(house, event_webhook=house.settings.event_webhook)
    await house.initialized()
    await people.hear()
    (heard,) = house.answering.bodies
    assert heard[0] == "everywhere"
    assert heard[1]["phase"] == "Initialized"
    assert set(heard[1]["metadata"]) == {"eventMessage", "eventType", "timestamp"}


@pytest.mark.parametrize(("status", "again"), [(503, True), (403, False)])
async def test_an_event_hook_that_is_away_is_told_again_later_and_one_that_refuses_is_not(
    house: House, status: int, again: bool
) -> None:
    house.answering.gates["event"] = status
    await house.prepare(analysis={"webhooks": [hook(house, "event")]})
    people = People(house)
    await house.initialized()
    await people.hear()
    assert bool(people.failed) is again
    assert ("Normal", "Initialized", "Initialization done! podinfo.default") in await people.events()


async def test_an_event_hook_that_goes_away_in_the_middle_of_a_step_hears_the_rest_later_and_nothing_twice(
    house: House,
) -> None:
    failed = "Canary failed! Scaling down podinfo.default"
    answers = iter([503, 503, 200])

    async def meanwhile(_name: str) -> None:
        said = house.answering.bodies[-1][1]["metadata"]["eventMessage"]
        house.answering.gates["event"] = next(answers) if said == failed else 200

    house.answering.meanwhile = meanwhile
    await house.prepare(analysis={"webhooks": [hook(house, "event", retries=0)]})
    people = People(house)
    await _failed(house)
    await people.hear(again=True)
    heard = [body["metadata"]["eventMessage"] for _, body in house.answering.bodies]
    assert heard[-4:] == ["Rolling back podinfo.default aborted", failed, failed, failed]
    others = [text for text in heard if text != failed]
    assert len(others) == len(set(others))
    assert len(people.failed) == 1, "what was left is a message of its own, which is tried again like any other"
