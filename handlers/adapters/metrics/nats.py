"""A judge or a metric as a service on the bus: ``address: nats://subject``. It answers with a verdict or a number."""

from __future__ import annotations

from typing import ClassVar

from pydantic import ValidationError

from handlers.adapters.bus_request import Declined, Unanswered, request
from handlers.adapters.metrics.http import Refused, Unreachable
from handlers.adapters.metrics.question import Question, Reading, Tools
from handlers.adapters.shown import shown
from schemas.bus_address import subject_of
from schemas.judges import JudgeAnswer


class Nats:
    """Asked with a hook's payload and what the metric is about; the Secret stays here."""

    default_address: ClassVar[str] = ""
    timeout: ClassVar[float] = 10.0

    def __init__(self, tools: Tools) -> None:
        self._bus = tools.bus

    async def read(self, question: Question) -> Reading:
        subject = subject_of(question.address)
        if not subject:
            raise Refused(f"nats address {question.address!r} is not a subject; write it as nats://canary.hook.errors")
        if self._bus is None:
            raise Refused(f"{question.address}: there is no bus here")
        try:
            answer = await request(self._bus, subject, question.payload, self.timeout)
        except Unanswered as error:
            raise Unreachable(str(error)) from error
        except Declined as error:
            failure = Unreachable if error.status == 429 or error.status >= 500 else Refused
            raise failure(f"error response: Status {error.status}: {error}") from error
        return _reading(question.address, answer)

    async def check(self, question: Question) -> None:
        """Any answer will do: the analysis has not begun."""
        await self.read(question)


def _reading(place: str, answer: bytes) -> Reading:
    try:
        said = JudgeAnswer.model_validate_json(answer)
    except ValidationError as error:
        wanted = '{"pass": true|false, "message": …} or {"value": 1.2, "samples": 340}'
        raise Refused(f"{place} does not answer {wanted}: {error.errors()[0]['msg']}") from error
    return Reading(said.value, said.samples, passed=said.passed, message=shown(said.message))
