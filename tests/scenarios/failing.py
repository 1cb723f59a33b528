"""What Prometheus answers about a canary whose every request ends with a 5xx."""

from __future__ import annotations

import re


def success_of(query: str, upstream: str) -> float | None:
    """None is an empty answer. Prometheus has series of ``upstream`` (as Envoy names it), all with the code 503.

    Of such series nothing is left in a sum of those without 5xx; only ``or vector(0)`` makes a number of that.
    """
    asked = re.search(r'envoy_cluster_name=~"([^"]+)"', query)
    if asked is None or re.fullmatch(asked[1], upstream) is None:
        return None
    return 0.0 if "or vector(0)" in query else None


def upstream_of(namespace: str, service: str) -> str:
    return f"{namespace}-{service}-canaryupstream-9898_{namespace}"
