"""Durations as people write them in manifests: ``30s``, ``1m``, ``1m30s``, ``500ms``, ``2h``; as Go reads them."""

from __future__ import annotations

import re

_SECONDS = {"ns": 1e-9, "us": 1e-6, "\u00b5s": 1e-6, "\u03bcs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)")
LONGEST = 2**63 // 10**9
"""Seconds, 292 years: what 64 bits of nanoseconds hold."""


def parse_duration(text: str) -> float:
    """Seconds. Raises ValueError that quotes the text and shows what a duration looks like."""
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is not a duration; write it as 30s, 1m or 1m30s")
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if seconds > LONGEST:
        raise ValueError(f"{text!r} is longer than any duration; write it as 30s, 1m or 1m30s")
    return seconds


def is_duration(text: str) -> bool:
    try:
        return parse_duration(text) >= 0
    except ValueError:
        return False


def lasting(text: str, otherwise: float) -> float:
    """Seconds; ``otherwise`` where there is no duration, or one that lasts no time at all."""
    return (parse_duration(text) if is_duration(text) else 0.0) or otherwise


def format_duration(seconds: float) -> str:
    """As Go prints durations, which people's filters expect in messages: ``1.2s``, ``500ms``, ``1m30s``."""
    if seconds == 0:
        return "0s"
    if seconds < 1:
        return f"{_short(seconds * 1000)}ms"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{hours}h" if hours else ""
    if hours or minutes:
        text += f"{minutes}m"
    return text + f"{_short(rest)}s"


def _short(number: float) -> str:
    return f"{number:.3f}".rstrip("0").rstrip(".")
