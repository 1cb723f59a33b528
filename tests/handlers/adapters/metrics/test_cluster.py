"""The providers inside the cluster: Keptn and the external metrics API, asked through our own API server."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web

from handlers.adapters.metrics.quantity import as_quantity
from schemas.measurement import Measurement
from schemas.metrics import ProviderType
from tests.handlers.adapters.apiserver import refusing, serving
from tests.handlers.adapters.metrics.asking import providers, question, replying

METRICS = "/apis/metrics.keptn.sh/v1beta1"


async def ask_cluster(kind: str, cluster: str, query: str) -> Measurement:
    async with providers(cluster) as found:
        return await found.ask(ProviderType(kind), question("", query))


class Keptns:
    """Keptn's part of an API server: one metric, and analyses that end at the ``looks``-th look."""

    def __init__(self, *, passes: bool = True, looks: int = 2, keeps: bool = False) -> None:
        self.passes, self.looks, self.keeps = passes, looks, keeps
        self.analyses: dict[str, dict[str, Any]] = {}
        self.made: list[dict[str, Any]] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        name = request.path.rpartition("/")[2]
        if request.path == f"{METRICS}/namespaces/test/keptnmetrics/errors":
            return web.json_response({"metadata": {"name": "errors"}, "status": {"value": "2.5"}})
        if request.method == "POST":
            body = json.loads(await request.read())
            self.made.append(body)
            self.analyses[body["metadata"]["name"]] = body | {"looks": 0}
            return web.json_response(body, status=201)
        if request.method == "DELETE" and self.keeps:
            return await refusing(403, "Forbidden", "no right to delete")(request)
        if name in self.analyses and request.method == "DELETE":
            return web.json_response(self.analyses.pop(name))
        if name in self.analyses:
            found = self.analyses[name]
            found["looks"] += 1
            done = found["looks"] >= self.looks
            return web.json_response({**found, "status": {"state": "Completed", "pass": self.passes} if done else {}})
        return await refusing(404, "NotFound", f"{name} not found")(request)


async def test_a_keptn_metric_is_its_status() -> None:
    keptn = Keptns()
    async with serving(keptn.answer) as url:
        assert (await ask_cluster("keptn", url, "keptnmetric/test/errors")).value == 2.5
        missing = await ask_cluster("keptn", url, "keptnmetric/test/gone")
    assert (missing.outcome, "gone not found" in missing.detail) == ("error", True)


@pytest.mark.parametrize(("passes", "value"), [(True, 1.0), (False, 0.0)])
async def test_an_analysis_is_made_waited_for_and_taken_away(
    passes: bool, value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handlers.adapters.metrics.keptn._POLL", 0.01)
    keptn = Keptns(passes=passes)
    async with serving(keptn.answer) as url:
        found = await ask_cluster("keptn", url, "analysis/test/release/5m/app=podinfo;tier=web")
    assert (found.outcome, found.value) == ("value", value)
    (made,) = keptn.made
    assert made["metadata"]["name"].startswith("release-")
    assert made["spec"] == {
        "analysisDefinition": {"name": "release"},
        "timeframe": {"recent": "5m"},
        "args": {"app": "podinfo", "tier": "web"},
    }
    assert keptn.analyses == {}


async def test_an_analysis_that_cannot_be_taken_away_has_its_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlers.adapters.metrics.keptn._POLL", 0.01)
    keptn = Keptns(keeps=True)
    async with serving(keptn.answer) as url:
        found = await ask_cluster("keptn", url, "analysis/test/release")
    assert (found.outcome, found.value) == ("value", 1.0)


async def test_an_analysis_that_is_slow_to_go_has_its_verdict_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlers.adapters.metrics.keptn._POLL", 0.01)
    monkeypatch.setattr("handlers.adapters.metrics.keptn._COURTESY", 0.01)
    keptn, may_go = Keptns(), asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        if request.method != "DELETE":
            return await keptn.answer(request)
        await may_go.wait()
        return await keptn.answer(request)

    async with serving(slow) as url, providers(url) as found:
        measured = await found.ask(ProviderType.KEPTN, question("", "analysis/test/release"))
        assert (measured.outcome, measured.value) == ("value", 1.0)
        may_go.set()
        await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name().startswith("analysis ")))
    assert keptn.analyses == {}


async def test_an_analysis_that_does_not_end_is_taken_away_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlers.adapters.metrics.keptn._POLL", 0.01)
    monkeypatch.setattr("handlers.adapters.metrics.keptn._LONGEST", 0.1)
    keptn = Keptns(looks=10_000)
    async with serving(keptn.answer) as url:
        found = await ask_cluster("keptn", url, "analysis/test/release")
    assert found.outcome == "unreachable"
    assert "did not complete" in found.detail
    assert keptn.made
    assert keptn.analyses == {}


@pytest.mark.parametrize("query", ["", "keptnmetric/test", "analysis/test", "other/a/b", "analysis/t/d/1m/x"])
async def test_a_query_that_is_neither_is_refused(query: str) -> None:
    assert (await ask_cluster("keptn", "http://127.0.0.1:1", query)).outcome == "error"


async def test_a_cluster_without_the_api_says_so_before_the_first_rollout() -> None:
    async with serving(refusing(404, "NotFound", "the server could not find it")) as url, providers(url) as found:
        assert "install Keptn" in await found.check(ProviderType.KEPTN, question())
        assert "could not find" in await found.check(ProviderType.EXTERNAL_METRICS, question())
    async with serving(replying({"kind": "APIResourceList", "resources": []})) as url, providers(url) as found:
        assert await found.check(ProviderType.KEPTN, question()) == ""
        assert await found.check(ProviderType.EXTERNAL_METRICS, question()) == ""


@pytest.mark.parametrize("kind", ["keptn", "externalmetrics"])
async def test_an_api_server_that_is_busy_is_unreachable(kind: str) -> None:
    query = {"keptn": "keptnmetric/test/errors", "externalmetrics": "test/m"}[kind]
    async with serving(refusing(500, "InternalError", "etcd is away")) as url:
        assert (await ask_cluster(kind, url, query)).outcome == "unreachable"
        async with providers(url) as found:
            assert await found.check(ProviderType(kind), question())


async def test_an_external_metric_without_an_address_is_asked_of_our_api_server() -> None:
    seen: list[tuple[str, str]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append((request.path, request.query.get("labelSelector", "")))
        return web.json_response({"items": [{"value": "1500m"}]})

    async with serving(answer) as url:
        found = await ask_cluster("externalmetrics", url, "test/m?labelSelector=app%3Dpodinfo")
    assert found.value == 1.5
    assert seen == [("/apis/external.metrics.k8s.io/v1beta1/namespaces/test/m", "app=podinfo")]


@pytest.mark.parametrize(
    ("text", "value"),
    [("7", 7), ("1500m", 1.5), ("-2", -2), ("1e3", 1000), ("2Ki", 2048), ("1.5M", 1.5e6), (".5", 0.5), ("3u", 3e-6)],
)
def test_quantities_are_numbers(text: str, value: float) -> None:
    assert as_quantity(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "x", "1 m", "1mm", "--1", None])
def test_what_is_no_quantity_is_refused(text: Any) -> None:
    with pytest.raises(Exception, match="no quantity"):
        as_quantity(text)
