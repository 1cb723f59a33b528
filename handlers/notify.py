"""Telling: a result becomes one durable message per receiver, so that one who fails never repeats another's."""

from __future__ import annotations

import logging

from handlers.adapters.bus import Bus
from handlers.adapters.errors import AlreadyExists, TransientError
from handlers.adapters.kube import Kube, Object
from handlers.adapters.webhooks import Webhooks, payload_of
from handlers.core.receivers import KUBERNETES, listeners, receiver_of, receivers
from schemas.base import format_time
from schemas.canary import Canary, HookType, Webhook
from schemas.events import NoticeMessage, StepResult
from schemas.measurement import HookAnswer
from schemas.resources import CANARY, EVENT
from schemas.revision import digest
from schemas.status import Notice, Phase, Reason

log = logging.getLogger("canarybus.notify")
SOURCE = "canarybus/handlers"


class Notifier:
    def __init__(self, kube: Kube, bus: Bus, webhooks: Webhooks) -> None:
        self._kube = kube
        self._bus = bus
        self._webhooks = webhooks

    async def on_result(self, result: StepResult) -> None:
        """Fan out; the broker drops what was fanned out already."""
        for receiver in result.receivers:
            message = NoticeMessage(
                namespace=result.namespace,
                name=result.name,
                receiver=receiver,
                # the flight record stays in the results stream
                result=result.model_copy(update={"before": None, "after": None, "observation": None}),
            )
            await self._bus.publish(message, source=SOURCE)

    async def on_notice(self, message: NoticeMessage) -> None:
        if message.receiver == KUBERNETES:
            for number in range(len(message.result.notices)):
                await self._event(message, number)
            return
        await self._hook(message)

    async def _event(self, message: NoticeMessage, number: int) -> None:
        """Named by step, so that saying it twice makes one Event; the same reason never hides another message."""
        try:
            await self._kube.create(EVENT, event_of(message, number))
        except AlreadyExists:
            return

    async def _hook(self, message: NoticeMessage) -> None:
        found = await self._kube.find(CANARY, message.namespace, message.name)
        if found is None:
            return
        canary, result = Canary.from_object(found), message.result
        for hook in listeners(canary):
            if receiver_of(hook) != message.receiver:
                continue
            if hook.hook_type is HookType.EVENT:
                for notice in result.notices:
                    _check(hook, await self._ask(canary, hook, result, _event_metadata(result, notice)))
            else:
                answer = await self._ask(canary, hook, result, {})
                await self._report(canary, message, hook, answer)
                _check(hook, answer)

    async def _ask(self, canary: Canary, hook: Webhook, result: StepResult, metadata: dict[str, str]) -> HookAnswer:
        place = canary.metadata
        payload = payload_of(place.name, place.namespace, result.phase, result.revision, {**hook.metadata, **metadata})
        answer = await self._webhooks.ask(hook, payload)
        if not answer.passed:
            log.warning(_failed(hook, answer), extra={"canary": str(canary.ref), "step": result.step})
        return answer

    async def _report(self, canary: Canary, message: NoticeMessage, hook: Webhook, answer: HookAnswer) -> None:
        """What came of a post-rollout hook is an event as any other, but the rollout does not wait for it."""
        notice = Notice(reason=Reason.HOOK_PASSED, message=f"Post-rollout check {hook.name} passed")
        if not answer.passed:
            notice = Notice(type="Warning", reason=Reason.HOOK_FAILED, message=_failed(hook, answer))
        result = message.result.model_copy(update={"notices": (notice,), "checks": ()})
        about = f"{message.receiver}.{'passed' if answer.passed else 'failed'}"
        for receiver in receivers(canary, Phase(result.phase), result.notices):
            told = NoticeMessage(
                namespace=result.namespace, name=result.name, receiver=receiver, result=result, about=about
            )
            await self._bus.publish(told, source=SOURCE)


def _failed(hook: Webhook, answer: HookAnswer) -> str:
    return f"{hook.hook_type.value.capitalize()} hook {hook.name} failed {answer.text}".rstrip()


def _check(hook: Webhook, answer: HookAnswer) -> None:
    """Who cannot be reached, or says that it is its own fault, is asked again."""
    if not answer.passed and (answer.status is None or answer.status >= 500):
        raise TransientError(_failed(hook, answer))


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
