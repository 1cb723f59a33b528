"""The Canary of a scenario: what its start leaves out is filled in here, the same in both worlds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.handlers.core import shapes
from tests.handlers.core.manifests import DURATION, SUCCESS_RATE, on_podinfo
from tests.handlers.core.shapes import of_kind
from tests.scenarios.format import Answer, Start

_WELL_KNOWN = {"request-success-rate": SUCCESS_RATE, "request-duration": DURATION}
_STEPS = ("iterations", "stepWeight", "stepWeights")
NEVER = "does-not-exist"
"""An image with this in its name never becomes ready: the stand-in kubelet cannot pull it."""
DRAIN = 5
"""Seconds of ``CANARYBUS_DRAIN``, as it is unless somebody sets it."""
DEADLINE = 60
"""Seconds of ``progressDeadlineSeconds``, unless a scenario says otherwise."""


def spec_of(start: Start, url: Callable[[str], str]) -> dict[str, Any]:
    """``url`` gives the address of a hook."""
    analysis = dict(start.analysis)
    if not any(name in analysis for name in _STEPS) and not analysis.get("mirror"):
        analysis = {"stepWeight": 25, "maxWeight": 50, **analysis}
    analysis["metrics"] = [_metric(item) for item in start.metrics]
    analysis["webhooks"] = [_hook(item, url) for item in start.hooks]
    made = of_kind(start.target, on_podinfo(analysis, progressDeadlineSeconds=DEADLINE))
    return deep(made, start.spec)


def target_of(start: Start) -> dict[str, Any]:
    """What is there before the Canary."""
    target = shapes.make(start.target)
    if start.target == "Service":
        return target
    reads = {"envFrom": [{"configMapRef": {"name": "podinfo"}}]} if start.content else {}
    target["spec"]["template"]["spec"]["containers"][0] |= reads | start.container
    return target


def deep(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """As ``kubectl patch`` does it: objects are merged, null removes."""
    merged = dict(base)
    for key, value in changes.items():
        before = merged.get(key)
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = deep(before, value) if isinstance(value, dict) and isinstance(before, dict) else value
    return merged


def status_of(answer: Answer) -> int:
    """The HTTP status of a hook's answer."""
    if isinstance(answer, int):
        return answer
    if answer == "fails once":
        return 503
    return 200 if answer in ("open", "passes", "passes once") else 403


def passes(answer: Answer) -> bool:
    return 200 <= status_of(answer) < 300


def _metric(item: str | dict[str, Any]) -> dict[str, Any]:
    if isinstance(item, dict):
        return deep(_WELL_KNOWN.get(item["name"], {"interval": "10s"}), item)
    return _WELL_KNOWN.get(item) or {"name": item, "interval": "10s", "query": item, "thresholdRange": {"max": 100}}


def _hook(item: str | dict[str, Any], url: Callable[[str], str]) -> dict[str, Any]:
    hook = {"name": item, "type": item} if isinstance(item, str) else {"name": item["type"], **item}
    return {"url": url(hook["name"]), **hook}


def left_over(start: Start) -> dict[str, Any]:
    """How far another controller got, for :class:`tests.peer.Left`."""
    given = {"weight": start.weight, "iterations": start.iterations, "failed_checks": start.failed_checks}
    return {name: number for name, number in given.items() if number is not None}
