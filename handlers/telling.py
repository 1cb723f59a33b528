"""Telling: what was committed becomes a result on the bus, from which Events, alerts and hooks follow."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from handlers.adapters.bus import Bus
from handlers.adapters.errors import Conflict, PermanentError
from handlers.adapters.kube import Kube
from handlers.core.observation import Observation
from handlers.core.receivers import KUBERNETES, Everywhere, receivers
from handlers.observe import Sight
from schemas.canary import Canary
from schemas.events import Change, StepResult, Stimulus
from schemas.resources import CANARY
from schemas.settings import Settings
from schemas.status import IDLE, CanaryStatus, Notice, Reason

log = logging.getLogger("canarybus.advance")
SOURCE = "canarybus/handlers"
_REMEMBERED = 60.0
"""Seconds for which the broker surely drops a result that it has already: half its window (:mod:`schemas.streams`)."""

Count = Callable[[Canary, CanaryStatus, float], None]


def count_nothing(_before: Canary, _after: CanaryStatus, _seconds: float) -> None:
    """For those who do not count."""


class Teller:
    """``count`` hears of each commit: the Canary before it, the status after it, seconds since the wake began."""

    def __init__(self, kube: Kube, bus: Bus, settings: Settings, count: Count) -> None:
        self._kube = kube
        self._bus = bus
        self._count = count
        self._everywhere = Everywhere(settings.event_webhook, bool(settings.slack_url or settings.msteams_url))

    async def tell(self, sight: Sight, seen: Observation, status: CanaryStatus, seconds: float) -> None:
        """With the flight record: ``before`` and ``observation`` replay to ``after``."""
        self._count(sight.canary, status, seconds)
        record = {"before": sight.canary.status, "after": status, "observation": seen.model_dump(mode="json")}
        await self.say(self._result(sight.canary, status).model_copy(update=record))

    async def say(self, result: StepResult) -> None:
        for notice in result.notices:
            level = logging.WARNING if notice.type == "Warning" else logging.INFO
            log.log(level, notice.message, extra=_fields(result, notice.reason.value))
        if not result.notices:
            log.debug(result.message or result.reason, extra=_fields(result, result.reason))
        await self._bus.publish(result, source=SOURCE)

    async def tell_again(self, sight: Sight) -> Sight:
        """The last result's message may have been the one that was lost: consumers key on (uid, step), so say it again.

        Once a rollout is over and settled it is noted as told, so that resyncs are silent; the Canary comes back so.
        """
        status = sight.canary.status
        last = status.last_step
        if last is None or last.told or not last.step:
            return sight
        result = self._result(sight.canary, status)
        # a broker forgets message ids after a while, and receivers would hear everything twice
        if sight.seen.since(last.time) < _REMEMBERED or not await self._bus.holds(result):
            await self._bus.publish(result, source=SOURCE)
        if status.settled and status.phase in IDLE and isinstance(sight.seen.stimulus, Change):
            return await self._note_told(sight)
        return sight

    async def _note_told(self, sight: Sight) -> Sight:
        guard, ref = {"resourceVersion": sight.canary.metadata.resource_version}, sight.canary.ref
        body = {"metadata": guard, "status": {"lastStep": {"told": True}}}
        try:
            item = await self._kube.patch(CANARY, ref.namespace, ref.name, body, subresource="status")
        except (Conflict, PermanentError):
            # there will be another time
            return sight
        return sight._replace(item=item, canary=Canary.from_object(item))

    def _result(self, canary: Canary, status: CanaryStatus) -> StepResult:
        last = status.last_step
        asked = status.last_command
        assert last is not None and last.time is not None  # noqa: S101, PT018 - a commit always writes both
        commanded = last.stimulus.startswith("command")
        return StepResult(
            namespace=canary.ref.namespace,
            name=canary.ref.name,
            uid=canary.metadata.uid,
            step=last.step,
            stimulus=last.stimulus,
            time=last.time,
            phase=last.phase.value,
            weight=status.canary_weight,
            reason=last.reason,
            message=last.message,
            revision=status.canary_revision,
            began=status.revision_since,
            by=asked.by if asked and commanded else "",
            command_reason=asked.reason if asked and commanded else "",
            checks=last.checks,
            notices=last.notices,
            receivers=receivers(canary, last, self._everywhere),
        )


def unreadable(canary: Canary, stimulus: Stimulus, text: str, now: datetime) -> StepResult:
    """``canary`` is without the status that nobody here can read."""
    return StepResult(
        namespace=canary.ref.namespace,
        name=canary.ref.name,
        uid=canary.metadata.uid,
        step=0,
        stimulus=stimulus.label,
        time=now,
        phase="",
        weight=0,
        reason=Reason.UNREADABLE.value,
        message=text,
        notices=(Notice(type="Warning", reason=Reason.UNREADABLE, message=text),),
        receivers=(KUBERNETES,),
    )


def _fields(result: StepResult, reason: str) -> dict[str, object]:
    return {
        "canary": f"{result.name}.{result.namespace}",
        "step": result.step,
        "stimulus": result.stimulus,
        "reason": reason,
        "phase": result.phase,
        "weight": result.weight,
        **({"by": result.by} if result.by else {}),
        **({"commandReason": result.command_reason} if result.command_reason else {}),
    }
