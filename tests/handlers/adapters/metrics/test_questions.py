"""How each provider is asked: path, parameters, headers, body."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from handlers.adapters.metrics.reach import of_nrql, of_promql
from tests.handlers.adapters.apiserver import serving
from tests.handlers.adapters.metrics.asking import NOW, ask, check, replying
from tests.handlers.adapters.metrics.wires import SECRETS, WIRES

WINDOW = 30
MS = 1000


class Seen:
    """The last request, and an answer for it."""

    def __init__(self, body: Any) -> None:
        self.body, self.path, self.query = body, "", {}  # type: tuple[Any, str, dict[str, str]]
        self.headers: dict[str, str] = {}
        self.content = b""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.path, self.query, self.headers = request.path, dict(request.query), dict(request.headers)
        self.content = await request.read()
        return web.Response(text=self.body) if isinstance(self.body, str) else web.json_response(self.body)


async def asked(kind: str, query: str, path: str = "", **more: Any) -> Seen:
    seen = Seen(next(wire.whole[0] for wire in WIRES if wire.kind == kind))
    async with serving(seen.answer) as url:
        found = await ask(kind, url + path, query, window=WINDOW, secret=SECRETS[kind], **more)
    assert found.outcome == "value", found.detail
    return seen


async def test_datadog_gets_ten_windows_and_both_keys() -> None:
    seen = await asked("datadog", "avg:x{\n  *\n}")
    assert seen.path == "/api/v1/query"
    assert seen.query == {"query": "avg:x{ * }", "from": str(int(NOW) - 300), "to": str(int(NOW))}
    assert (seen.headers["DD-API-KEY"], seen.headers["DD-APPLICATION-KEY"]) == ("api-key", "app-key")


async def test_newrelic_gets_the_window_as_since_unless_the_query_says_it() -> None:
    seen = await asked("newrelic", "SELECT average(x)\nFROM Metric")
    assert seen.path == "/v1/accounts/12345/query"
    assert seen.query == {"nrql": "SELECT average(x) FROM Metric SINCE 30 seconds ago"}
    assert seen.headers["X-Query-Key"] == "query-key"
    seen = await asked("newrelic", "SELECT average(x) FROM Metric since 1 day ago")
    assert seen.query == {"nrql": "SELECT average(x) FROM Metric since 1 day ago"}


async def test_newrelic_speaks_nerdgraph_to_a_graphql_address() -> None:
    seen = Seen({"data": {"actor": {"account": {"nrql": {"results": [{"average.x": 1.5}]}}}}})
    async with serving(seen.answer) as url:
        found = await ask("newrelic", f"{url}/graphql", "SELECT average(x) FROM Metric", secret=SECRETS["newrelic"])
    assert found.value == 1.5
    assert (seen.path, seen.headers["API-Key"]) == ("/graphql", "query-key")
    assert b"SINCE 60 seconds ago" in seen.content
    refusing = Seen({"errors": [{"message": "Invalid account"}]})
    async with serving(refusing.answer) as url:
        found = await ask("newrelic", f"{url}/graphql", "SELECT 1", secret=SECRETS["newrelic"])
    assert found.detail == "query failed: Invalid account"


async def test_graphite_gets_the_query_as_parameters_and_the_window_unless_it_names_one() -> None:
    seen = await asked("graphite", "target=sumSeries(\n  a.*)&from=-2min&format=csv", "/graphite")
    assert seen.path == "/graphite/render"
    assert seen.query == {"target": "sumSeries(  a.*)", "from": "-2min", "format": "json"}
    assert seen.headers["Authorization"] == "Basic dXNlcjpwYXNzd29yZA=="
    assert (await asked("graphite", "target=a")).query["from"] == "-30s"
    found = await ask("graphite", "http://127.0.0.1:1", "sumSeries(a)")
    assert found.detail.startswith("the query names no target")


async def test_influxdb_gets_flux_as_it_is_written() -> None:
    flux = 'from(bucket: "b")\n  |> range(start: -1m)'
    seen = await asked("influxdb", flux)
    assert (seen.path, seen.query, seen.content.decode()) == ("/api/v2/query", {"org": "the-org"}, flux)
    assert seen.headers["Authorization"] == "Token a-token"
    assert seen.headers["Content-Type"] == "application/vnd.flux"


async def test_influxdb_without_the_column_says_which_there_are() -> None:
    async with serving(Seen(",result,table,mean\r\n,_result,0,1\r\n").answer) as url:
        found = await ask("influxdb", url, "x", secret=SECRETS["influxdb"])
    assert found.detail == "the answer has no column _value; it has result, table, mean"


async def test_dynatrace_gets_milliseconds_and_one_resolution() -> None:
    seen = await asked("dynatrace", "builtin:x:avg")
    wanted = {"metricSelector": "builtin:x:avg", "resolution": "Inf"}
    assert seen.query == wanted | {"from": str(int(NOW - 300) * MS), "to": str(int(NOW) * MS)}
    assert seen.headers["Authorization"] == "Api-Token dt-token"
    assert (await ask("dynatrace", "", "x", secret=SECRETS["dynatrace"])).detail == "dynatrace endpoint is not set"


async def test_splunk_runs_the_program_over_a_window_that_is_past() -> None:
    seen = await asked("splunk", "data('x').publish()")
    assert (seen.path, seen.content) == ("/v2/signalflow/execute", b"data('x').publish()")
    assert seen.query == {"start": str(int(NOW - 300) * MS), "stop": str(int(NOW) * MS), "immediate": "true"}
    assert seen.headers["X-SF-Token"] == "sf-token"
    assert (await ask("splunk", "", "x", secret=SECRETS["splunk"])).detail == "splunk endpoint is not set"


@pytest.mark.parametrize(
    ("query", "path", "selector"),
    [
        ("test/m?labelSelector=a%3Db%2Cc%3Dd", "/apis/external.metrics.k8s.io/v1beta1/namespaces/test/m", "a=b,c=d"),
        ("m", "/apis/external.metrics.k8s.io/v1beta1/namespaces/default/m", ""),
    ],
)
async def test_external_metrics_are_found_by_namespace_and_selector(query: str, path: str, selector: str) -> None:
    seen = await asked("externalmetrics", query)
    assert (seen.path, seen.query.get("labelSelector", "")) == (path, selector)
    assert seen.headers["Authorization"] == "Bearer em-token"


@pytest.mark.parametrize(
    ("query", "words"), [("a/b/c", "too many slashes"), ("", "cannot be empty"), ("a/", "cannot be empty")]
)
async def test_an_external_metric_that_is_none_is_refused(query: str, words: str) -> None:
    assert words in (await ask("externalmetrics", "http://127.0.0.1:1", query)).detail


async def test_our_own_token_never_goes_to_an_external_address() -> None:
    seen = Seen({"items": [{"value": "1"}]})
    async with serving(seen.answer) as url:
        assert (await ask("externalmetrics", url, "m")).value == 1
        assert await check("externalmetrics", url) == ""
    assert "Authorization" not in seen.headers


@pytest.mark.parametrize(
    ("query", "reach"),
    [
        ("up", 0),
        ("sum(rate(x[1m]))", 60),
        ("rate(x[1m]) / rate(y[1h30m] offset 1m)", 5460),
        ("rate(x[1m] offset 30m)", 1860),
        ("x OFFSET 30m", 1800),
        ("rate(x[ 30m ])", 1800),
        ("rate(x[300])", 300),
        ("x offset -5m", 0),
        ("x{path='[5m]', to=\"offset 5m\"}", 0),
        ("max_over_time(rate(x[30s])[5m:10s])", 300),
        ('x{path="[not a range]"}', 0),
    ],
)
def test_a_range_that_is_written_out_is_how_far_a_query_reaches_back(query: str, reach: float) -> None:
    assert of_promql(query) == reach


@pytest.mark.parametrize(
    ("query", "reach"),
    [
        ("SELECT average(x) FROM M SINCE 1 day ago", 86_400),
        ("SELECT average(x) FROM M since 1 hour 30 minutes ago UNTIL 10 minutes ago", 5400),
        ("FROM M SELECT count(*) SINCE today FACET host", 86_400),
        ("FROM M SELECT count(*) SINCE yesterday", 172_800),
        ("FROM M SELECT count(*) SINCE last week", 1_209_600),
        ("FROM M SELECT count(*) SINCE '2023-11-14 22:00:00' WHERE a = 'b'", 800),
        (f"FROM M SELECT count(*) SINCE {(int(NOW) - 90) * MS}", 90),
        (f"FROM M SELECT count(*) SINCE {int(NOW) - 90}", 90),
        ("FROM M SELECT count(*) WHERE message = 'SINCE 2 days ago' SINCE 5 minutes ago", 300),
        ("FROM M SELECT count(*)", 0),
    ],
)
def test_since_is_how_far_nrql_reaches_back(query: str, reach: float) -> None:
    assert of_nrql(query, NOW) == reach


FLUX = 'from(bucket: "b") |> range(start: -2h)'
WITHOUT_TIME = ",result,table,_value\n,_result,0,7\n"


def iso(age: float) -> str:
    return datetime.fromtimestamp(NOW - age, UTC).isoformat().replace("+00:00", "Z")


def row(**columns: str) -> str:
    return f",result,table,{','.join(columns)},_value\n,_result,0,{','.join(columns.values())},7\n"


@pytest.mark.parametrize(
    ("kind", "query", "body", "reach"),
    [
        ("graphite", "target=x&from=-30min", [{"datapoints": [[7, NOW - 1500], [None, NOW - 60]]}], 1500 + WINDOW),
        ("influxdb", FLUX, row(_time=iso(3600)), 3600 + WINDOW),
        ("influxdb", FLUX + " |> aggregateWindow(every: 1h, fn: mean)", row(_time=iso(600)), 600 + 3600),
        ("influxdb", FLUX + " |> mean()", row(_start=iso(5000), _stop=iso(0)), 5000),
        ("influxdb", FLUX + " |> mean()", WITHOUT_TIME, 7200),
        ("influxdb", 'from(bucket: "b") |> range( start : 2023-11-14T22:00:00Z)', WITHOUT_TIME, 800),
        ("influxdb", f'from(bucket: "b") |> range(start: {int(NOW) - 70})', WITHOUT_TIME, 70),
        ("newrelic", "SELECT average(x) FROM M SINCE 1 day ago", {"results": [{"average": 7}]}, 86_400),
    ],
)
async def test_what_an_answer_or_its_query_says_is_how_far_back_it_reaches(
    kind: str, query: str, body: Any, reach: float
) -> None:
    async with serving(replying(body)) as url:
        found = await ask(kind, url, query, window=WINDOW, secret=SECRETS[kind])
    assert (found.outcome, found.value, found.reach) == ("value", 7, reach)


LATE = f'event: data\ndata: {{"data": [{{"tsId": "A", "value": 7}}], "logicalTimestampMs": {(NOW - 60) * MS}}}\n\n'


@pytest.mark.parametrize(
    ("kind", "body", "reach"),
    [
        ("datadog", {"series": [{"pointlist": [[(NOW - 120) * MS, 1], [(NOW - 90) * MS, 2]]}]}, 90 + WINDOW),
        ("graphite", [{"datapoints": [[1, NOW - 120], [2, NOW - 90], [None, NOW]]}], 90 + WINDOW),
        ("dynatrace", {"result": [{"data": [{"timestamps": [1], "values": [7]}]}]}, 10 * WINDOW),
        (
            "splunk",
            LATE,
            60 + WINDOW,
        ),
    ],
)
async def test_a_late_point_and_a_folded_window_say_how_far_they_reach_back(kind: str, body: Any, reach: float) -> None:
    async with serving(replying(body)) as url:
        found = await ask(kind, url, "target=x", window=WINDOW, secret=SECRETS[kind])
    assert (found.outcome, found.reach) == ("value", reach)
