"""What every HTTP provider does alike: each behaviour is told once and played against each of them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from aiohttp import web

from handlers.adapters.kube import Access, Kube
from handlers.adapters.metrics import _KINDS, Providers
from schemas.metrics import ProviderType
from tests.handlers.adapters.apiserver import Answer, serving
from tests.handlers.adapters.metrics.asking import TRUST, ask, check, question, replying

SECRETS = {
    "datadog": {"datadog_api_key": "api-key", "datadog_application_key": "app-key"},
    "newrelic": {"newrelic_account_id": "12345", "newrelic_query_key": "query-key"},
    "graphite": {"username": "user", "password": "password"},
    "influxdb": {"token": "a-token", "org": "the-org"},
    "dynatrace": {"dynatrace_token": "dt-token"},
    "splunk": {"sf_token_key": "sf-token"},
    "externalmetrics": {"token": "em-token"},
}


def influx(*rows: str, columns: str = ",result,table,_start,_stop,_time,_value,host") -> str:
    return "#datatype,string,long\r\n#group,false,false\r\n" + "\r\n".join([columns, *rows]) + "\r\n\r\n"


def splunk(*values: object, series: tuple[str, ...] = ("A",)) -> str:
    events = [("control-message", '{"event": "STREAM_START"}')]
    events += [("metadata", f'{{"tsId": "{key}", "properties": {{"host": "{key}"}}}}') for key in series]
    for value in values:
        points = ", ".join(f'{{"tsId": "{key}", "value": {value}}}' for key in series)
        events.append(("data", f'{{"data": [{points}],\ndata: "logicalTimestampMs": 1}}'))
    events.append(("control-message", '{"event": "END_OF_CHANNEL"}'))
    return "".join(f"event: {name}\ndata: {body}\n\n" for name, body in events)


def dynatrace(*values: object, dimensions: tuple[str, ...] = ("a",)) -> dict[str, Any]:
    data = [{"dimensions": [name], "timestamps": [1], "values": list(values)} for name in dimensions]
    return {"totalCount": 1, "result": [{"metricId": "builtin:x", "data": data}]}


def external(*values: str) -> dict[str, Any]:
    items = [{"metricName": "m", "metricLabels": {"pod": str(i)}, "value": value} for i, value in enumerate(values)]
    return {"kind": "ExternalMetricValueList", "items": items}


@dataclass
class Wire:
    """One provider: bodies as its documentation shows them, and what each means."""

    kind: str
    query: str
    whole: tuple[Any, float]
    """A whole number, which is a number."""
    newest: tuple[Any, float]
    """Several points: the newest one counts, nulls do not."""
    empty: tuple[Any, ...]
    several: tuple[Any, tuple[str, ...]]
    """Two series, and the words that tell them apart."""
    refused: tuple[Any, str] | None = None
    """A 200 that is an error."""
    check: Any = field(default_factory=dict)


WIRES = [
    Wire(
        "datadog",
        "avg:x{*}",
        whole=({"status": "ok", "series": [{"pointlist": [[1000, 7]]}]}, 7),
        newest=({"status": "ok", "series": [{"pointlist": [[1000, 1], [3000, 2.5], [2000, 9], [4000, None]]}]}, 2.5),
        empty=(
            {"status": "ok", "series": []},
            {"status": "ok", "series": [{"pointlist": []}]},
            {"status": "ok", "series": [{"pointlist": [[1000, None]]}]},
        ),
        several=(
            {"series": [{"scope": "host:a", "pointlist": [[1, 1]]}, {"scope": "host:b", "pointlist": [[1, 1]]}]},
            ("host:a", "host:b"),
        ),
        refused=({"status": "error", "error": "no such metric"}, "no such metric"),
    ),
    Wire(
        "newrelic",
        "SELECT average(x) FROM Metric",
        whole=({"results": [{"average": 7}]}, 7),
        newest=({"results": [{"result": 2.5, "beginTimeSeconds": 1, "endTimeSeconds": 2}]}, 2.5),
        empty=({"results": []}, {"results": [{"average": None}]}, {"results": [{}]}),
        several=({"facets": [{"name": "a"}, {"name": "b"}]}, ("a", "b")),
        refused=({"error": "NRQL Syntax Error"}, "NRQL Syntax Error"),
        check={"results": [{"events": []}]},
    ),
    Wire(
        "graphite",
        "target=sumSeries(x)&from=-1min",
        whole=([{"target": "x", "datapoints": [[7, 1]]}], 7),
        newest=([{"target": "x", "datapoints": [[1, 1], ["2.5", 2], [None, 3]]}], 2.5),
        empty=([], [{"target": "x", "datapoints": []}], [{"target": "x", "datapoints": [[None, 1]]}]),
        several=(
            [{"target": "web.a", "datapoints": [[1, 1]]}, {"target": "web.b", "datapoints": [[1, 1]]}],
            ("web.a", "web.b"),
        ),
        check=[],
    ),
    Wire(
        "influxdb",
        'from(bucket: "b") |> range(start: -1m) |> count()',
        whole=(influx(",_result,0,a,b,,7,h"), 7),
        newest=(
            influx(
                ",_result,0,a,b,2026-01-01T00:00:00Z,1,h",
                ",_result,0,a,b,2026-01-01T00:02:00Z,2.5,h",
                ",_result,0,a,b,2026-01-01T00:01:00Z,9,h",
            ),
            2.5,
        ),
        empty=("", "\r\n", influx(",_result,0,a,b,2026-01-01T00:00:00Z,,h"), influx()),
        several=(influx(",_result,0,a,b,t,1,web-a", ",_result,1,a,b,t,1,web-b"), ('host="web-a"', 'host="web-b"')),
        refused=("error,reference\r\nfailed to plan query,897\r\n", "failed to plan query"),
        check="",
    ),
    Wire(
        "dynatrace",
        "builtin:x:avg",
        whole=(dynatrace(7), 7),
        newest=(dynatrace(1, 2.5, None), 2.5),
        empty=({"result": []}, {"result": [{"data": []}]}, dynatrace(None)),
        several=(dynatrace(1, dimensions=("HOST-1", "HOST-2")), ("HOST-1", "HOST-2")),
        refused=({"error": {"code": 400, "message": "unknown selector"}}, "unknown selector"),
    ),
    Wire(
        "splunk",
        "data('x').mean().publish()",
        whole=(splunk(7), 7),
        newest=(splunk(1, 2.5, "null"), 2.5),
        empty=(splunk(), splunk("null"), ""),
        several=(splunk(1, series=("web-a", "web-b")), ('{"host":"web-a"}', '{"host":"web-b"}')),
        refused=('event: error\ndata: {"error": 400, "message": "bad program"}\n\n', "bad program"),
    ),
    Wire(
        "externalmetrics",
        "test/m?labelSelector=app%3Dpodinfo",
        whole=(external("7"), 7),
        newest=(external("2500m"), 2.5),
        empty=({"items": []}, {"items": None}),
        several=(external("1", "2"), ('m{pod="0"}', 'm{pod="1"}')),
    ),
]


@pytest.fixture(params=WIRES, ids=lambda wire: wire.kind)
def wire(request: pytest.FixtureRequest) -> Wire:
    found: Wire = request.param
    return found


async def measured(wire: Wire, answer: Answer) -> Any:
    async with serving(answer) as url:
        return await ask(wire.kind, url, wire.query, secret=SECRETS[wire.kind])


async def test_a_whole_number_is_a_number(wire: Wire) -> None:
    body, value = wire.whole
    found = await measured(wire, replying(body))
    assert (found.outcome, found.value, found.provider) == ("value", value, wire.kind)


async def test_the_newest_point_counts_and_a_null_is_no_point(wire: Wire) -> None:
    body, value = wire.newest
    assert (await measured(wire, replying(body))).value == value


async def test_nothing_is_no_data_and_never_zero(wire: Wire) -> None:
    for body in wire.empty:
        found = await measured(wire, replying(body))
        assert (found.outcome, found.value, found.detail) == ("empty", None, "no values found"), body


async def test_several_series_are_an_error_that_names_them(wire: Wire) -> None:
    body, names = wire.several
    found = await measured(wire, replying(body))
    assert (found.outcome, found.value) == ("error", None)
    assert found.detail.startswith("query returned multiple values: ")
    assert all(name in found.detail for name in names), found.detail


async def test_what_the_provider_says_of_a_bad_query_is_the_detail(wire: Wire) -> None:
    bodies = [(wire.refused[0], 200, wire.refused[1])] if wire.refused else []
    bodies += [("because it is bad", 400, "error response: Status 400 Bad Request: because it is bad")]
    for body, status, words in bodies:
        found = await measured(wire, replying(body, status))
        assert found.outcome == "error"
        assert words in found.detail


@pytest.mark.parametrize("body", ["<html>maintenance</html>", "[1, 2", '"text"', "12", '{"unexpected": true}'])
async def test_garbage_is_an_error_or_no_data_and_never_a_value(wire: Wire, body: str) -> None:
    found = await measured(wire, replying(body))
    assert found.outcome in ("error", "empty")
    assert found.detail


async def test_an_answer_without_end_is_cut_off(wire: Wire) -> None:
    found = await measured(wire, replying(b" " * (5 * 1024 * 1024)))
    assert (found.outcome, found.detail) == ("error", "the answer is longer than 4 MiB; aggregate the series")


async def test_401_is_an_error_without_the_secret_in_it(wire: Wire) -> None:
    secrets = list(SECRETS[wire.kind].values())
    found = await measured(wire, replying(f"nobody knows {' and '.join(secrets)}", 401))
    assert found.outcome == "error"
    assert found.detail.startswith("error response: Status 401 Unauthorized: nobody knows ***")
    assert not any(value in found.model_dump_json() for value in secrets)


@pytest.mark.parametrize(("status", "headers", "words"), [(429, {"Retry_After": "9"}, "after 9 s"), (500, {}, "500")])
async def test_a_busy_or_sick_provider_is_unreachable(
    wire: Wire, status: int, headers: dict[str, str], words: str
) -> None:
    found = await measured(wire, replying("later", status, **headers))
    assert found.outcome == "unreachable"
    assert words in found.detail


async def test_no_answer_in_time_is_unreachable(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_KINDS[ProviderType(wire.kind)], "timeout", 0.1)
    asked, over = asyncio.Event(), asyncio.Event()

    async def never(request: web.Request) -> web.StreamResponse:
        asked.set()
        await over.wait()
        return web.Response()

    async with serving(never) as url:
        found = await ask(wire.kind, url, wire.query, secret=SECRETS[wire.kind])
        assert asked.is_set()
        over.set()
    assert (found.outcome, found.detail) == ("unreachable", "no answer within 0.1s")


async def test_an_answer_may_take_as_long_as_the_provider_is_given(wire: Wire) -> None:
    """The client's own limit, 5 seconds unless told otherwise, is shorter than some providers need."""

    async def slow(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.2)
        return await replying(wire.whole[0])(request)

    async with (
        serving(slow) as url,
        httpx.AsyncClient(timeout=0.05, verify=TRUST) as impatient,
        Kube(Access(url), user_agent="test/1") as kube,
    ):
        asked = question(url, wire.query, secret=SECRETS[wire.kind])
        found = await Providers(impatient, kube).ask(ProviderType(wire.kind), asked)
    assert (found.outcome, found.value) == ("value", wire.whole[1])


async def test_nobody_there_is_unreachable(wire: Wire) -> None:
    found = await ask(wire.kind, "http://127.0.0.1:1", wire.query, secret=SECRETS[wire.kind])
    assert found.outcome == "unreachable"


async def test_a_secret_never_follows_a_redirect_to_another_address(wire: Wire) -> None:
    stolen: list[web.Request] = []

    async def steal(request: web.Request) -> web.StreamResponse:
        stolen.append(request)
        return web.Response()

    async with serving(steal) as foreign:
        found = await measured(wire, replying("", 302, Location=f"{foreign}/x"))
    assert (found.outcome, stolen) == ("error", [])
    assert found.detail == f"redirected to {foreign}; credentials are not sent there"


async def test_what_a_secret_lacks_is_named(wire: Wire) -> None:
    secret = {"username": "user"} if wire.kind == "graphite" else {"unrelated": "x"}
    async with serving(replying(wire.whole[0])) as url:
        found = await ask(wire.kind, url, wire.query, secret=secret)
    if wire.kind == "externalmetrics":
        assert found.outcome == "value", "it needs none"
    else:
        assert found.outcome == "error"
        assert "credentials does not contain" in found.detail


async def test_a_provider_that_answers_is_online_and_others_say_why_not(wire: Wire) -> None:
    async with serving(replying(wire.check)) as url:
        assert await check(wire.kind, url, secret=SECRETS[wire.kind]) == ""
    async with serving(replying("who are you", 403)) as url:
        assert "403 Forbidden: who are you" in await check(wire.kind, url, secret=SECRETS[wire.kind])
    assert await check(wire.kind, "http://127.0.0.1:1", secret=SECRETS[wire.kind])


def test_every_type_of_the_resource_has_a_provider() -> None:
    assert set(_KINDS) == set(ProviderType)
    assert Providers.__doc__
    assert question().namespace == ""
