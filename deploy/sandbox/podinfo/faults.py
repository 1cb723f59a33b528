"""What a pod is asked to do wrong, so that a rollout has something to find. From the container's environment:

===================  ==================================================================================
FAULT_ERROR_RATE     share (0..1) of application requests answered with 500
FAULT_LATENCY        seconds by which every application request is late
FAULT_START_DELAY    seconds until the process listens
FAULT_CRASH          seconds after the start at which the process exits with code 1 (0: at once)
FAULT_NOT_READY      ``true``: /readyz never succeeds
===================  ==================================================================================

Probes and /metrics are never late and never fail by these: they report faults, they do not have them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Self


class Faults(NamedTuple):
    error_rate: float = 0.0
    latency: float = 0.0
    start_delay: float = 0.0
    crash_after: float | None = None
    never_ready: bool = False

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """Raises ValueError that names the variable whose value makes no sense."""
        crash = _number(environment, "FAULT_CRASH", None)
        return cls(
            error_rate=_number(environment, "FAULT_ERROR_RATE", 0.0) or 0.0,
            latency=_number(environment, "FAULT_LATENCY", 0.0) or 0.0,
            start_delay=_number(environment, "FAULT_START_DELAY", 0.0) or 0.0,
            crash_after=crash,
            never_ready=environment.get("FAULT_NOT_READY", "").lower() in ("1", "true", "yes"),
        )


def _number(environment: Mapping[str, str], name: str, default: float | None) -> float | None:
    text = environment.get(name, "")
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{name}={text!r}: a number is needed") from None
    if value < 0:
        raise ValueError(f"{name}={text!r}: must not be negative")
    return value
