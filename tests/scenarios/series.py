"""What a scrape shows: what the handlers counted of a Canary, and what the watcher reads off it."""

from __future__ import annotations

from itertools import chain

from prometheus_client import CollectorRegistry
from prometheus_client.samples import Sample

from schemas.canary import Canary
from watcher.series import FleetSeries
from watcher.watched import Watched

VERSION = "1.2.3"


def scraped(counted: CollectorRegistry, canary: Canary | None) -> dict[str, float]:
    """By name and labels in words, without the namespace: ``flagger_canary_weight podinfo-primary``."""
    known = [Watched.of(canary, min_interval=10)] if canary else []
    families = chain(counted.collect(), FleetSeries(lambda: known, VERSION, "gloo").collect())
    return {_in_words(sample): sample.value for family in families for sample in family.samples}


def _in_words(sample: Sample) -> str:
    return " ".join([sample.name, *(text for label, text in sample.labels.items() if label != "namespace")])
