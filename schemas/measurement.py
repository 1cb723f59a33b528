"""What webhooks and metric providers answered, before anybody judges it. A failed measurement is data, no exception."""

from __future__ import annotations

import sys
from typing import Literal

from schemas.base import Wire
from schemas.canary import HookType

BOUNDLESS = sys.float_info.max
"""Stands for +Inf, which JSON does not have: beyond every limit that anybody writes, and the same when read again."""


def bounded(value: float) -> float:
    return max(-BOUNDLESS, min(BOUNDLESS, value))


def number(value: float, form: str) -> str:
    """``value`` as people read it, in Python's ``form``; Prometheus' own words for what has no bounds."""
    return ("+Inf" if value > 0 else "-Inf") if abs(value) >= BOUNDLESS else format(value, form)


class Measurement(Wire):
    """One metric asked once.

    ``outcome``: ``value`` (then ``value`` is set), ``verdict`` (a judge decided: ``passed``), ``empty`` (the provider
    answered that there is nothing), ``unreachable`` (no answer, 429 or 5xx) or ``error`` (it refused the query, or the
    template is missing or wrong). ``detail`` is the provider's own text for the last three, and a judge's message.
    ``reach``: seconds before the question that the value tells about, where that is more than the metric's window.
    """

    name: str
    outcome: Literal["value", "verdict", "empty", "unreachable", "error"]
    value: float | None = None
    passed: bool | None = None
    samples: float | None = None
    detail: str = ""
    query: str = ""
    endpoint: str = ""
    provider: str = "prometheus"
    reach: float = 0.0


class HookAnswer(Wire):
    """One webhook asked once, all attempts included. ``text``: the answer (first 300 characters) or the error.

    ``answered`` is False when nobody did.
    """

    name: str
    type: HookType
    passed: bool
    text: str = ""
    status: int | None = None
    answered: bool = True
