"""Kubernetes quantities: ``1500m`` is 1.5, ``2Ki`` is 2048."""

from __future__ import annotations

import re
from typing import Any

from handlers.adapters.metrics.http import Refused

_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([KMGTPE]i|[numkMGTPE]))?")
_BINARY = {f"{letter}i": 1024.0**power for power, letter in enumerate("KMGTPE", 1)}
_DECIMAL = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}


def as_quantity(value: Any) -> float:
    found = _QUANTITY.fullmatch(str(value).strip())
    if not found:
        raise Refused(f"the value {str(value)[:100]} is no quantity")
    number, exponent, suffix = found.groups()
    if suffix:
        return float(number) * (_BINARY | _DECIMAL)[suffix]
    return float(number + (exponent or ""))
