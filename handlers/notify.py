"""Telling: a result becomes one durable message per receiver, so that one who fails never repeats another's."""

from __future__ import annotations

import logging

from handlers.adapters.bus import Bus
from handlers.adapters.errors import AlreadyExists, TransientError
from handlers.adapters.kube import Kube, Object
from handlers.adapters.webhooks import Webhooks, payload_of
from handlers.core.receivers import KUBERNETES, listeners, receiver_of
from schemas.base import format_time
from schemas.canary import Canary, HookType, Webhook
from schemas.events import NoticeMessage, StepResult
from schemas.resources import CANARY, EVENT
from schemas.status import Notice

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
            for number, notice in enumerate(message.result.notices):
                await self._event(message.result, number, notice)
            return
        await self._hook(message)

    async def _event(self, result: StepResult, number: int, notice: Notice) -> None:
        """Named by step, so that saying it twice makes one Event; the same reason never hides another message."""
        try:
            await self._kube.create(EVENT, event_of(result, number, notice))
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
                    await self._ask(canary, hook, result, _event_metadata(result, notice))
            else:
                await self._ask(canary, hook, result, {})

    async def _ask(self, canary: Canary, hook: Webhook, result: StepResult, metadata: dict[str, str]) -> None:
        place = canary.metadata
        payload = payload_of(place.name, place.namespace, result.phase, result.revision, {**hook.metadata, **metadata})
        answer = await self._webhooks.ask(hook, payload)
        if answer.passed:
            return
        text = f"{hook.hook_type.value.capitalize()} hook {hook.name} failed {answer.text}"
        log.warning(text, extra={"canary": str(canary.ref), "step": result.step})
        if answer.status is None or answer.status >= 500:
            raise TransientError(text)


def event_of(result: StepResult, number: int, notice: Notice) -> Object:
    time = format_time(result.time.replace(microsecond=0))
    return {
        "metadata": {"name": f"{result.name}.{result.uid[:8]}.{result.step}.{number}", "namespace": result.namespace},
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


def _event_metadata(result: StepResult, notice: Notice) -> dict[str, str]:
    """The reserved keys of the peer's event webhook (spec lifecycle 2.8)."""
    stamp = str(int(result.time.timestamp() * 1000))
    return {"eventMessage": notice.message, "eventType": notice.type, "timestamp": stamp}
