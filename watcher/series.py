"""The peer's gauges, by its names (spec lifecycle 2.12), so that dashboards go on working: read off the fleet at each
scrape, so a series ends with its Canary and an idle one's weight is told, too.

Every watcher tells the same; where two are scraped, take one: ``max by (name, namespace) (flagger_canary_status)``.
"""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from schemas.status import Phase
from watcher.watched import Watched

_RUNNING, _GOOD, _BAD = 0, 1, 2
_RUNS = frozenset({Phase.PROGRESSING, Phase.WAITING_PROMOTION, Phase.PROMOTING, Phase.FINALISING})


class FleetSeries(Collector):
    """``canaries`` gives every one that is known; ``version`` and ``provider`` are labels of ``flagger_info``."""

    def __init__(self, canaries: Callable[[], Iterable[Watched]], version: str, provider: str) -> None:
        self._canaries = canaries
        self._labels = (version, provider)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        canaries = list(self._canaries())
        info = GaugeMetricFamily("flagger_info", "Version and default provider.", labels=["version", "mesh_provider"])
        info.add_metric(self._labels, 1)
        yield info
        yield _total(canaries)
        yield _status(canaries)
        yield _weight(canaries)
        yield _analysis(canaries)


def _total(canaries: Iterable[Watched]) -> GaugeMetricFamily:
    family = GaugeMetricFamily("flagger_canary_total", "Canaries by namespace.", labels=["namespace"])
    for namespace, number in sorted(Counts(canary.ref.namespace for canary in canaries).items()):
        family.add_metric([namespace], number)
    return family


def _status(canaries: Iterable[Watched]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "flagger_canary_status", "Last result: 0 running, 1 successful, 2 failed.", labels=["name", "namespace"]
    )
    for canary in canaries:
        value = _RUNNING if canary.phase in _RUNS else _BAD if canary.phase is Phase.FAILED else _GOOD
        family.add_metric([canary.target.name, canary.ref.namespace], value)
    return family


def _weight(canaries: Iterable[Watched]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "flagger_canary_weight", "Percent of the traffic by workload.", labels=["workload", "namespace"]
    )
    for canary in canaries:
        if canary.phase not in (Phase.NEW, Phase.INITIALIZING):
            family.add_metric([f"{canary.target.name}-primary", canary.ref.namespace], 100 - canary.weight)
            family.add_metric([canary.target.name, canary.ref.namespace], canary.weight)
    return family


def _analysis(canaries: Iterable[Watched]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "flagger_canary_metric_analysis", "Last value of each metric.", labels=["name", "namespace", "metric"]
    )
    for canary in canaries:
        for metric, value in canary.measured.items():
            family.add_metric([canary.target.name, canary.ref.namespace, metric], value)
    return family
