"""What Gloo reports about a RouteTable (spec gloo 4.7): the verdict of the gateway on the routes that were written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

ROUTE_STEP = "canarybus.dev/route-step"
"""The fence: the step at which these routes last changed (design section 5)."""


class Verdict(StrEnum):
    """SILENT: nothing reported at all. PENDING: reported, but not yet by the proxy."""

    SILENT = "silent"
    PENDING = "pending"
    ACCEPTED = "accepted"
    WARNING = "warning"
    REJECTED = "rejected"


class GatewayReport(NamedTuple):
    """``words`` are Gloo's own, empty when there is nothing wrong."""

    verdict: Verdict
    words: str = ""


def read_report(route_table: Mapping[str, Any]) -> GatewayReport:
    """The worst of all states, the subresources' included: the top state stays Accepted while the proxy refuses."""
    status = route_table.get("status") or {}
    # a single-namespace Gloo of old writes the report directly into status
    reports = list((status.get("statuses") or {}).values()) or ([status] if status.get("state") is not None else [])
    if not reports:
        return GatewayReport(Verdict.SILENT)
    states = [state for report in reports for state in _states(report)]
    for verdict, name in ((Verdict.REJECTED, "Rejected"), (Verdict.WARNING, "Warning"), (Verdict.PENDING, "Pending")):
        found = [words for state, words in states if state == name]
        if found:
            return GatewayReport(verdict, "; ".join(filter(None, found)))
    return GatewayReport(Verdict.ACCEPTED)


_NAMES = {0: "Pending", 1: "Accepted", 2: "Rejected", 3: "Warning"}


def _states(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield _state(report)
    proxies = report.get("subresourceStatuses") or {}
    if not proxies:
        yield "Pending", ""
    for proxy in proxies.values():
        yield _state(proxy)


def _state(report: Mapping[str, Any]) -> tuple[str, str]:
    state = report.get("state", "Pending")
    return _NAMES.get(state, str(state)) if isinstance(state, int) else str(state), str(report.get("reason", ""))


def fence_of(item: Mapping[str, Any], key: str) -> int:
    """The step that an object's fence annotation carries; 0 when there is none or it is no number (forged: drift)."""
    text = ((item.get("metadata") or {}).get("annotations") or {}).get(key, "")
    return int(text) if text.isascii() and text.isdigit() else 0
