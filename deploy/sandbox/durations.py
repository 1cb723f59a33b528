"""Durations as Go programs and Kubernetes write them: ``1h``, ``1m30s``, ``250ms``."""

from __future__ import annotations

import re

_UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|ms|s|m|h)")


def seconds(text: str) -> float:
    """``text`` in seconds. Raises ValueError for anything else than a sum of numbers with units."""
    if not re.fullmatch(f"(?:{_PART.pattern})+", text):
        raise ValueError(f"not a duration: {text!r} (such as 90s or 1m30s)")
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
