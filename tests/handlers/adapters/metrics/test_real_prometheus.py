"""The provider against Prometheus itself: what it answers to good, empty, ambiguous and broken queries."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from deploy.sandbox.binaries import find
from deploy.sandbox.metrics import arguments, write_config, write_targets
from deploy.sandbox.network import free_port
from handlers.core.queries import built_in, samples_of
from schemas.canary import Canary
from schemas.measurement import BOUNDLESS
from tests.handlers.adapters.metrics.asking import ask, check
from tests.handlers.core.manifests import DURATION, SUCCESS_RATE, weighted
from tests.patience import PATIENCE
from tests.sandbox.test_metrics import ready

TWO = 'label_replace(vector(1), "pod", "a", "", "") or label_replace(vector(2), "pod", "b", "", "")'
CANARY = Canary.from_object(
    {"metadata": {"name": "podinfo", "namespace": "test"}, "spec": weighted(metrics=[SUCCESS_RATE, DURATION])}
)
BUILT_IN = [query(CANARY, metric) for metric in CANARY.spec.analysis.metrics for query in (built_in, samples_of)]
ANSWERS = [
    ("vector(7)", "value", 7.0, ""),
    ("7", "value", 7.0, ""),
    ("vector(1) / vector(0)", "value", BOUNDLESS, ""),
    ("vector(1) > 2", "empty", None, "no values found"),
    ("vector(0) / vector(0)", "empty", None, "no values found"),
    (TWO, "error", None, 'query returned multiple values: {pod="a"}, {pod="b"}'),
    ("vector(1)[5m:1m]", "error", None, "remove the range selector"),
    ("sum(", "error", None, "parse error"),
    ('"text"', "error", None, "query returned a string, not a number"),
    *((query, "empty", None, "no values found") for query in BUILT_IN),
]


@pytest.mark.e2e
async def test_prometheus_itself_is_understood(tmp_path: Path) -> None:
    config, port = tmp_path / "prometheus.yml", free_port()
    write_targets(tmp_path / "targets.json", [])
    write_config(config, envoy_admin="127.0.0.1:1", targets=tmp_path / "targets.json")
    process = await asyncio.create_subprocess_exec(
        str(find("prometheus")), *arguments(config, tmp_path / "data", port), stderr=asyncio.subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(PATIENCE), httpx.AsyncClient(base_url=url) as client:
            await ready(client)
        assert await check("prometheus", url) == ""
        for query, outcome, value, words in ANSWERS:
            found = await ask("prometheus", url, query)
            assert (query, found.outcome, found.value) == (query, outcome, value), found.detail
            assert words in found.detail
    finally:
        process.terminate()
        await process.wait()
