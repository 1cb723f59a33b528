"""The two metrics of podinfo in Prometheus' text format, under podinfo's own names and labels."""

from __future__ import annotations

from bisect import bisect_left

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_LIMITS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds; the Prometheus client libraries' usual buckets, which podinfo uses too."""

_Labels = tuple[str, str, str]


class RequestMetrics:
    """Durations by (method, path, status) and a count by status."""

    def __init__(self) -> None:
        self._buckets: dict[_Labels, list[int]] = {}
        self._sums: dict[_Labels, float] = {}
        self._totals: dict[str, int] = {}

    def observe(self, method: str, path: str, status: int, seconds: float) -> None:
        labels = (method, path, str(status))
        buckets = self._buckets.setdefault(labels, [0] * (len(_LIMITS) + 1))
        buckets[bisect_left(_LIMITS, seconds)] += 1
        self._sums[labels] = self._sums.get(labels, 0.0) + seconds
        self._totals[labels[2]] = self._totals.get(labels[2], 0) + 1

    def text(self) -> str:
        name = "http_request_duration_seconds"
        lines = [f"# HELP {name} Seconds spent serving HTTP requests.", f"# TYPE {name} histogram"]
        for labels, buckets in self._buckets.items():
            chosen = ",".join(
                f'{key}="{_escaped(value)}"' for key, value in zip(("method", "path", "status"), labels, strict=True)
            )
            below = 0
            for limit, count in zip((*_LIMITS, "+Inf"), buckets, strict=True):
                below += count
                lines.append(f'{name}_bucket{{{chosen},le="{limit}"}} {below}')
            lines += [f"{name}_sum{{{chosen}}} {self._sums[labels]:.9g}", f"{name}_count{{{chosen}}} {below}"]
        lines += ["# HELP http_requests_total The total number of HTTP requests.", "# TYPE http_requests_total counter"]
        lines += [f'http_requests_total{{status="{status}"}} {count}' for status, count in self._totals.items()]
        return "\n".join(lines) + "\n"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
