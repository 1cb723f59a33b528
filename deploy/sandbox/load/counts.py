"""What a load client has seen: requests, failures by cause, versions, latencies."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

from deploy.sandbox.load.client import Answer, Cause

_SAMPLES = 5_000
"""Latencies kept for the quantiles: the newest ones, some seconds at usual rates."""


@dataclass
class Counts:
    """``provoked`` are the failures on the path that was asked to fail; ``failures`` are all others."""

    requests: int = 0
    failures: Counter[Cause] = field(default_factory=Counter)
    provoked: Counter[Cause] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=_SAMPLES))

    def add(self, answer: Answer, *, provoked: bool = False) -> None:
        self.requests += 1
        self.latencies.append(answer.seconds)
        if answer.status:
            self.statuses[answer.status] += 1
        if answer.cause:
            (self.provoked if provoked else self.failures)[answer.cause] += 1
        if answer.version:
            self.versions[answer.version] += 1

    @property
    def failed(self) -> int:
        """Failures that nobody asked for."""
        return self.failures.total()

    def share(self, version: str) -> float:
        """Percent of the answers with a version that ``version`` gave; 0 if there was none yet."""
        return 100.0 * self.versions[version] / (self.versions.total() or 1)

    def quantile(self, fraction: float) -> float:
        """Seconds below which that fraction of the newest requests took; 0 if there was none yet."""
        ordered = sorted(self.latencies)
        return ordered[min(int(fraction * len(ordered)), len(ordered) - 1)] if ordered else 0.0

    def as_dict(self) -> dict[str, object]:
        return {
            "requests": self.requests,
            "failures": dict(self.failures),
            "provoked": dict(self.provoked),
            "versions": dict(self.versions),
            "p50_ms": round(self.quantile(0.5) * 1000, 1),
            "p99_ms": round(self.quantile(0.99) * 1000, 1),
        }
