"""A metric or judge on the bus: what a template with the address ``nats://subject`` is asked, and what it answers."""

from __future__ import annotations

from typing import Self

from pydantic import ConfigDict, Field, model_validator

from schemas.base import Wire
from schemas.hooks import HookQuestion


class JudgeQuestion(HookQuestion):
    """A hook's question about a running analysis; ``metadata`` has the metric's ``templateVariables``.

    ``query`` is the template's, rendered; ``interval`` the window in seconds; ``weight`` in percent.
    """

    metric: str
    query: str
    interval: float
    target: str
    service: str
    weight: int = 0


class JudgeAnswer(Wire):
    """A verdict, or a number for the metric's limits, null when there is nothing to measure yet.

    ``pass`` decides when both are there. ``message`` is shown to people, the first 300 characters of it.
    """

    model_config = ConfigDict(**{**Wire.model_config, "strict": True, "populate_by_name": False})

    value: float | None = None
    samples: float | None = None
    passed: bool | None = Field(default=None, alias="pass")
    message: str = ""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set & {"value", "passed"}:
            raise ValueError("neither pass nor value is there")
        return self
