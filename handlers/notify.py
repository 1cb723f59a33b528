"""Telling: a result becomes one durable message per receiver, so that one who fails never repeats another's."""

from __future__ import annotations

import logging

from handlers.adapters.bus import Bus
from handlers.adapters.errors import AdapterError, AlreadyExists, TransientError
from handlers.adapters.kube import Kube, Object
from handlers.adapters.webhooks import Webhooks, payload_of
from handlers.alerting import Alerting
from handlers.core.alerting import is_alert
from handlers.core.receivers import KUBERNETES, by_receiver, event_hooks, post_rollout_hooks, who_hears
from schemas.base import format_time
from schemas.canary import Canary, Webhook
from schemas.events import NoticeMessage, StepResult
from schemas.measurement import HookAnswer
from schemas.resources import CANARY, EVENT
from schemas.revision import digest
from schemas.status import Notice, Reason, UnreadableStatusError

log = logging.getLogger("canarybus.notify")
SOURCE = "canarybus/handlers"
_TRIED = 50 * 60.0
"""Seconds for which an alert is tried: the stream keeps it for an hour, and drops it without a word."""


class Notifier:
    """``event_webhook`` is the url that hears of every Canary without an ``event`` hook of its own; empty: none."""

    def __init__(self, kube: Kube, bus: Bus, webhooks: Webhooks, alerting: Alerting, event_webhook: str = "") -> None:
        self._kube = kube
        self._bus = bus
        self._webhooks = webhooks
        self._alerting = alerting
        self._everywhere = event_webhook

    async def on_result(self, result: StepResult) -> None:
        """Fan out; the broker drops what was fanned out already."""
        # the flight record stays in the results stream
        short = result.model_copy(update={"before": None, "after": None, "observation": None})
        await self._fan_out(short, result.receivers)

    async def on_notice(self, message: NoticeMessage, *, deliveries: int = 1, age: float = 0.0) -> None:
        """``deliveries``: how often it came, this time counts; ``age``: seconds since it was published."""
        if message.receiver == KUBERNETES:
            for number in range(len(message.result.notices)):
                await self._event(message, number)
            return
        found = await self._kube.find(CANARY, message.namespace, message.name)
        if found is None:
            return
        try:
            canary = Canary.from_object(found)
        except UnreadableStatusError as error:
            raise TransientError(f"Canary {message.ref} is left to a newer release: {error}") from error
        if is_alert(message.receiver):
            await self._alert(canary, message, deliveries, age)
        if hook := by_receiver(event_hooks(canary, self._everywhere)).get(message.receiver):
            await self._event_hook(canary, hook, message)
        if hook := by_receiver(post_rollout_hooks(canary)).get(message.receiver):
            await self._post_rollout(canary, hook, message)

    async def _fan_out(self, result: StepResult, receivers: tuple[str, ...], about: str = "") -> None:
        for receiver in receivers:
            place = {"namespace": result.namespace, "name": result.name}
            message = NoticeMessage(**place, receiver=receiver, about=about, result=result)
            await self._bus.publish(message, source=SOURCE)

    async def _event(self, message: NoticeMessage, number: int) -> None:
        """Named by step, so that saying it twice makes one Event; the same reason never hides another message."""
        try:
            await self._kube.create(EVENT, event_of(message, number))
        except AlreadyExists:
            return

    async def _event_hook(self, canary: Canary, hook: Webhook, message: NoticeMessage) -> None:
        """Tried again while nobody is there, as long as the message is kept; what was heard is not said again.

        A refusal is only logged, and so is an address that is none.
        """
        result = message.result
        for heard, notice in enumerate(result.notices):
            answer = await self._ask(canary, hook, result, _event_metadata(result, notice))
            if answer.passed:
                continue
            text = f"Event hook {hook.name} failed {answer.text}"
            log.warning(text, extra={"canary": str(canary.ref), "step": result.step})
            if not hook.addressed or (answer.answered and (answer.status or 0) < 500):
                continue
            if not heard:
                raise TransientError(text)
            rest = result.model_copy(update={"notices": result.notices[heard:]})
            about = ".".join(filter(None, (message.about, f"after-{heard}")))
            await self._fan_out(rest, (message.receiver,), about=about)
            return

    async def _post_rollout(self, canary: Canary, hook: Webhook, message: NoticeMessage) -> None:
        """Asked once per end, with the hook's own retries; what came of it is told like any event."""
        result = message.result
        answer = await self._ask(canary, hook, result, {})
        if answer.passed:
            notice = Notice(reason=Reason.HOOK_PASSED, message=f"Post-rollout check {hook.name} passed")
        else:
            text = f"Post-rollout hook {hook.name} failed {answer.text}".rstrip()
            notice = Notice(type="Warning", reason=Reason.HOOK_FAILED, message=text)
        level = logging.INFO if answer.passed else logging.WARNING
        fields = {"canary": str(canary.ref), "step": result.step, "reason": notice.reason.value}
        log.log(level, notice.message, extra=fields)
        told = result.model_copy(update={"notices": (notice,), "checks": ()})
        await self._fan_out(told, who_hears(canary, self._everywhere), about=message.receiver)

    async def _alert(self, canary: Canary, message: NoticeMessage, deliveries: int, age: float) -> None:
        """Once per step and provider; a fault is told when it is met and when it is given up, not at each try."""
        try:
            await self._alerting.tell(canary, message.result, message.receiver)
        except AdapterError as error:
            over = not isinstance(error, TransientError) or age > _TRIED
            given_up = over and deliveries > 1
            text = f"alert can't be sent{', given up' if given_up else ''}: {error}"
            log.warning(text, extra={"canary": str(canary.ref), "step": message.result.step})
            if deliveries == 1 or over:
                notice = Notice(type="Warning", reason=Reason.ALERT_FAILED, message=text)
                told = message.result.model_copy(update={"notices": (notice,), "checks": ()})
                about = f"{message.receiver}.given-up" if given_up else message.receiver
                await self._fan_out(told, who_hears(canary, self._everywhere), about=about)
            if not over:
                raise

    async def _ask(self, canary: Canary, hook: Webhook, result: StepResult, metadata: dict[str, str]) -> HookAnswer:
        place = canary.metadata
        payload = payload_of(place.name, place.namespace, result.phase, result.revision, {**hook.metadata, **metadata})
        return await self._webhooks.ask(hook, payload)


def event_of(message: NoticeMessage, number: int) -> Object:
    result, notice = message.result, message.result.notices[number]
    time = format_time(result.time.replace(microsecond=0))
    # a Canary's name may be as long as an Event's
    parts = (result.name[:200].rstrip("-."), result.uid[:8], str(result.step), _mark(message.about), str(number))
    return {
        "metadata": {"name": ".".join(filter(None, parts)), "namespace": result.namespace},
        "involvedObject": {
            "apiVersion": CANARY.api_version,
            "kind": CANARY.kind,
            "name": result.name,
            "namespace": result.namespace,
            "uid": result.uid,
        },
        "type": notice.type,
        "reason": notice.reason.value,
        # the API server refuses longer ones
        "message": notice.message[:1024],
        "source": {"component": "canarybus"},
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    }


def _mark(about: str) -> str:
    """Hook names are free text, Event names are not."""
    return digest(about)[:8] if about else ""


def _event_metadata(result: StepResult, notice: Notice) -> dict[str, str]:
    """The reserved keys of the peer's event webhook (spec lifecycle 2.8)."""
    stamp = str(int(result.time.timestamp() * 1000))
    return {"eventMessage": notice.message, "eventType": notice.type, "timestamp": stamp}
