"""One alert for each step and receiver, whatever comes twice, late, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from handlers.adapters.bus import Bus
from handlers.adapters.errors import Forbidden, TransientError, Unavailable
from handlers.app import App
from handlers.core.alerting import receiver_of
from handlers.notify import SOURCE
from schemas.canary import Canary
from schemas.events import ChangeReason, Message, NoticeMessage, StepResult
from schemas.resources import CANARY, SECRET
from schemas.status import Notice, Reason, Severity
from tests.handlers.adapters.apiserver import serving
from tests.handlers.chat import Chat
from tests.handlers.house import NAMESPACE, House
from tests.handlers.test_alerting import alert, provider
from tests.handlers.test_hooks_told import People, hook

BOT = {"ok": True, "channel": "C1", "ts": "17.5"}


async def prepared(house: House, chat: Chat, *, bot: bool = False, **analysis: Any) -> Callable[..., NoticeMessage]:
    """A Canary with one provider; what comes back makes its alert of a step."""
    await house.definitions()
    if bot:
        chat.body = BOT
        secret = {"address": f"{chat.url}/api/chat.postMessage", "token": "xoxb-t0ken"}
        await house.admin.create(SECRET, {"metadata": {"name": "bot", "namespace": NAMESPACE}, "stringData": secret})
        await provider(house, secretRef={"name": "bot"})
    else:
        await provider(house, address=chat.url)
    await house.prepare(analysis={"alerts": [alert()], **analysis})
    canary = Canary.from_object(await house.object(CANARY, "podinfo"))
    (ref,) = canary.spec.analysis.alerts

    def of(step: int, text: str = "news", severity: Severity = "error", began: float = 0.0) -> NoticeMessage:
        """``began``: seconds after the first rollout."""
        notice = Notice(reason=Reason.ROLLED_BACK, message=text, alert=text, severity=severity)
        fields: dict[str, Any] = {"stimulus": "tick", "time": house.now, "phase": "Failed", "weight": 0, "reason": "x"}
        fields["message"] = text
        place: dict[str, Any] = {"namespace": NAMESPACE, "name": "podinfo"}
        start = house.now + timedelta(seconds=began)
        result = StepResult(**place, uid=house.uid, step=step, began=start, notices=(notice,), **fields)
        return NoticeMessage(**place, receiver=receiver_of(canary, ref), result=result)

    return of


async def test_the_same_notice_twice_is_one_alert_however_much_later_the_second_comes(house: House, chat: Chat) -> None:
    of = await prepared(house, chat)
    notifier = house.notifier()
    for step in (5, 5, 6, 5):
        # handed to the handler: nothing of the broker's window is in between
        await notifier.on_notice(of(step, f"step {step}"))
    assert chat.texts == ["step 5", "step 6"]


async def test_what_failed_and_comes_late_is_told_by_a_webhook_all_the_same(house: House, chat: Chat) -> None:
    of = await prepared(house, chat)
    for step in (6, 5):
        await house.notifier().on_notice(of(step, f"step {step}"))
    assert chat.texts == ["step 6", "step 5"]


async def test_a_late_retry_never_overwrites_newer_news_of_a_bot(house: House, chat: Chat) -> None:
    of = await prepared(house, chat, bot=True)
    for step, text in ((4, "begun"), (6, "failed"), (5, "progressing")):
        await house.notifier().on_notice(of(step, text))
    assert chat.texts == ["begun", "failed"]
    assert [path.rpartition("/")[2] for path, _ in chat.heard] == ["chat.postMessage", "chat.update"]
    assert house.registry.get_sample_value("canarybus_alerts_total", {"type": "slack", "result": "sent"}) == 3


async def test_another_rollout_or_a_request_for_approval_gets_a_message_of_its_own(house: House, chat: Chat) -> None:
    of = await prepared(house, chat, bot=True)
    await house.notifier().on_notice(of(4, "promoted", "info"))
    await house.notifier().on_notice(of(5, "Canary is waiting for approval.", "warn", began=600))
    assert [path.rpartition("/")[2] for path, _ in chat.heard] == ["chat.postMessage"] * 2


@pytest.mark.parametrize("error", [Unavailable("the API is away"), Forbidden("not you")])
async def test_an_alert_that_was_sent_and_cannot_be_remembered_is_not_sent_again(
    house: House, chat: Chat, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = await prepared(house, chat, bot=True)

    async def refuse(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(house.admin, "patch", refuse)
    await house.notifier().on_notice(of(5))
    assert len(chat.heard) == 1
    assert house.registry.get_sample_value("canarybus_alerts_total", {"type": "slack", "result": "failed"}) is None


def failures_told(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Receivers that are told of a failed alert, before the broker drops what comes twice within its window."""
    receivers: list[str] = []
    publish = bus.publish

    async def noted(message: Message, *, source: str) -> bool:
        if isinstance(message, NoticeMessage) and message.result.notices[0].reason is Reason.ALERT_FAILED:
            receivers.append(message.receiver)
        return await publish(message, source=source)

    monkeypatch.setattr(bus, "publish", noted)
    return receivers


async def test_hooks_hear_of_a_failed_alert_when_it_is_met_and_when_it_is_given_up(
    house: House, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    receivers = failures_told(house.bus, monkeypatch)
    of = await prepared(house, chat, webhooks=[hook(house, "event")])
    await house.change(ChangeReason.SPEC)
    chat.status = 503
    people = People(house)
    for deliveries, age in ((1, 0.0), (2, 1.0), (3, 3.0), (60, 2990.0)):
        with pytest.raises(TransientError):
            await people.notifier.on_notice(of(5), deliveries=deliveries, age=age)
    await people.notifier.on_notice(of(5), deliveries=61, age=3050.0)
    assert receivers == ["kubernetes", "event-event"] * 2
    await people.hear()
    words = "Slack answered 503 Service Unavailable: ok"
    said = [body["metadata"]["eventMessage"] for name, body in house.answering.bodies if name == "event"]
    said = [text for text in said if text.startswith("alert")]
    assert said == [f"alert can't be sent: {words}", f"alert can't be sent, given up: {words}"]
    assert {text for _, reason, text in await people.events() if reason == "AlertFailed"} == {*said}


async def test_the_token_of_the_settings_may_end_in_a_newline(house: House, chat: Chat) -> None:
    of = await prepared(house, chat)
    chat.body = BOT
    notifier = house.notifier(slack_url=f"{chat.url}/api/chat.postMessage\n", slack_token="xoxb-t0ken\n")
    await notifier.on_notice(of(5).model_copy(update={"receiver": "alerts"}))
    assert chat.texts == ["news"]


async def test_an_alert_that_failed_comes_again_until_it_is_sent_and_is_told_as_failed_once(
    house: House, app: App, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handlers.adapters.settling.outcome.growing_delay", lambda _: 0.1)
    receivers = failures_told(app.bus, monkeypatch)
    of = await prepared(house, chat)
    chat.status = 503
    await house.bus.publish(of(5), source=SOURCE)
    async with asyncio.timeout(20):
        while len(chat.heard) < 3:
            await asyncio.sleep(0.01)
        chat.status = 200
        while not await remembered(house):
            await asyncio.sleep(0.02)
    assert {*chat.texts} == {"news"}
    assert receivers == ["kubernetes"]
    assert app.metrics.registry.get_sample_value("canarybus_alerts_total", {"type": "slack", "result": "sent"}) == 1


async def test_a_chat_service_that_hangs_delays_no_tick(house: House, app: App) -> None:
    entered, over = asyncio.Event(), asyncio.Event()

    async def hang(request: Any) -> Any:
        entered.set()
        await over.wait()
        raise ConnectionError

    async with serving(hang) as url:
        chat = Chat()
        chat.url = url
        of = await prepared(house, chat)
        for step in range(5, 10):
            await house.bus.publish(of(step), source=SOURCE)
        async with asyncio.timeout(4):
            await entered.wait()
            await house.bus.publish(house.slot(), source=SOURCE)
            while not (await house.status()).step:
                await asyncio.sleep(0.02)
        over.set()


async def remembered(house: House) -> bool:
    return bool((await house.status()).alerts)
