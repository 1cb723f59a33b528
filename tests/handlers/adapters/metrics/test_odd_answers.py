"""Whatever a provider answers and whatever it is asked, the measurement is an outcome: no answer stops a Canary."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers.adapters.kube import Access, Kube
from handlers.adapters.metrics import Providers
from handlers.adapters.metrics.stackdriver import _Login
from schemas.measurement import BOUNDLESS, Measurement
from schemas.metrics import ProviderType
from tests.handlers.adapters.metrics.asking import ask, question
from tests.handlers.adapters.metrics.test_stackdriver import MQL, series
from tests.handlers.adapters.metrics.wires import SECRETS, WIRES

HOST = "http://provider.test"


async def answered(
    kind: str, body: bytes, query: str = "up", secret: dict[str, str] | None = None, status: int = 200
) -> Measurement:
    """Without a socket: thousands of answers are asked for."""
    transport = httpx.MockTransport(lambda _: httpx.Response(status, content=body))
    async with httpx.AsyncClient(transport=transport) as client, Kube(Access(HOST), user_agent="test/1") as kube:
        providers = Providers(client, kube)
        return await providers.ask(ProviderType(kind), question(HOST, query, secret=secret or SECRETS.get(kind)))


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        ("influxdb", "a,_value\n" + "x" * 200_000 + ",1\n", "the answer is not CSV: field larger than field limit"),
        ("influxdb", "a\nb\n\n_value\n1\n", "the answer has no column _value; it has a"),
        ("datadog", {"series": [1, 2]}, "query returned multiple values: 1, 2;"),
        ("datadog", {"series": [{"pointlist": [[{}, 1], [2, 3]]}]}, "the time {} is not a number"),
        ("dynatrace", {"result": [{"data": [1, 2]}]}, "query returned multiple values: 1, 2;"),
        ("dynatrace", {"result": [{"data": [{"dimensions": 5}, {}]}]}, "query returned multiple values: 5, {};"),
        ("externalmetrics", {"items": [1, 2]}, "query returned multiple values: 1, 2;"),
        ("newrelic", {"facets": [1, {"name": 2}]}, "query returned multiple values: 1, 2;"),
        ("splunk", 'event: data\ndata: {"data":[{"value":1}]}\n\n', "the answer has a point without tsId or value"),
        ("splunk", 'event: data\ndata: {"data":[7]}\n\n', "the answer has a point without tsId or value"),
        (
            "prometheus",
            {"status": "success", "data": {"resultType": "vector", "result": [{"metric": 5}, {"metric": {"a": "b"}}]}},
            'query returned multiple values: {"metric":5}, {a="b"};',
        ),
    ],
)
async def test_an_answer_of_an_odd_form_is_an_error_that_says_what_is_odd(kind: str, body: Any, words: str) -> None:
    raw = body.encode() if isinstance(body, str) else orjson.dumps(body)
    found = await answered(kind, raw, "a/b" if kind == "externalmetrics" else "target=x")
    assert (found.outcome, found.detail[: len(words)]) == ("error", words)


@pytest.mark.parametrize(("sample", "value"), [("+Inf", BOUNDLESS), ("-Inf", -BOUNDLESS), ("1e999", BOUNDLESS)])
async def test_infinity_is_a_number_that_json_can_keep(sample: str, value: float) -> None:
    body = {"status": "success", "data": {"resultType": "scalar", "result": [1, sample]}}
    found = await answered("prometheus", orjson.dumps(body), "up", {"token": "t"})
    assert (found.outcome, found.value) == ("value", value)
    assert Measurement.model_validate_json(found.model_dump_json()) == found


@pytest.fixture
def logged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    class Token:
        valid, token = True, "ya29.the-token-of-the-account"

    monkeypatch.setattr("handlers.adapters.metrics.stackdriver._find", lambda secret: _Login(Token, secret["project"]))


GOOGLE = {"project": "p", "serviceAccountKey": "{}"}


@pytest.mark.usefixtures("logged_in")
async def test_a_point_of_google_without_a_typed_value_is_an_error() -> None:
    body = orjson.dumps({"timeSeriesData": [{"pointData": [{"values": [5]}]}]})
    found = await answered("stackdriver", body, MQL, GOOGLE)
    assert (found.outcome, found.detail) == ("error", "the newest point has no value of a known type")


@pytest.mark.usefixtures("logged_in")
async def test_googles_token_is_hidden_where_the_other_side_repeats_it() -> None:
    body = b"denied: Bearer ya29.the-token-of-the-account"
    found = await answered("stackdriver", body, "up", GOOGLE, 403)
    assert found.detail == "error response: Status 403 Forbidden: denied: Bearer ***"


@pytest.mark.parametrize("key", ["[]", '"x"', "5", "{broken"])
async def test_a_key_of_google_that_is_no_object_is_told(key: str) -> None:
    found = await answered("stackdriver", b"", "up", {"project": "p", "serviceAccountKey": key})
    assert found.outcome == "error"
    assert "serviceAccountKey is not the JSON object" in found.detail


@pytest.mark.parametrize(
    ("kind", "query", "secret", "words"),
    [
        ("prometheus", "x{a='" + "é" * 12_000 + "'}", {"token": "t"}, "the query cannot be sent"),
        ("externalmetrics", "test/m?labelSelector=a%3Db,\nc%3Dd", {"token": "t"}, "the label selector cannot be sent"),
        (
            "newrelic",
            "x",
            {"newrelic_account_id": "1234567\n89", "newrelic_query_key": "key"},
            "newrelic address http://provider.test cannot be asked so; does a value of the Secret",
        ),
    ],
)
async def test_a_question_that_cannot_be_sent_is_an_error(
    kind: str, query: str, secret: dict[str, str], words: str
) -> None:
    found = await answered(kind, b"{}", query, secret)
    assert found.outcome == "error"
    assert found.detail.startswith(words)
    assert not any(part in found.detail for value in secret.values() for part in value.split("\n") if len(part) > 4)


@pytest.mark.parametrize(
    ("kind", "secret"),
    [
        ("prometheus", {"token": "SECRETPART1aaaa\nSECRETPART2bbb"}),
        ("prometheus", {"token": "SECRETPART1aaaa\x07SECRETPART2bbb"}),
        ("prometheus", {"token": "SECRETPARTé"}),
        ("datadog", {"datadog_api_key": "SECRETPART1\nEFGHIJ", "datadog_application_key": "k\r\nSECRETX"}),
        ("dynatrace", {"dynatrace_token": "SECRETPARTdt0c01.ABCDEFGH\nIJKLMNOPQRSTUVWXYZ"}),
        ("splunk", {"sf_token_key": "a\nSECRETPART"}),
    ],
)
async def test_a_header_that_cannot_be_sent_is_told_without_its_value(kind: str, secret: dict[str, str]) -> None:
    found = await ask(kind, "http://127.0.0.1:1", "x", secret=secret)
    assert found.outcome == "error"
    assert "cannot be sent: its value has a line break or what is not ASCII" in found.detail
    assert "SECRET" not in found.model_dump_json()


async def test_a_fault_of_ours_is_an_error_and_the_log_has_its_place_without_what_was_sent(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    secret = {"token": "SECRET"}

    def faulty(*_: object) -> None:
        raise KeyError(secret["token"])

    monkeypatch.setattr("handlers.adapters.metrics.prometheus.value_of", faulty)
    with caplog.at_level(logging.ERROR):
        found = await answered("prometheus", b"{}", "up", secret)
    assert (found.outcome, found.detail.partition(";")[0]) == ("error", "the answer has an unexpected form")
    (record,) = caplog.records
    assert "value_of" in record.__dict__["stack"]
    assert "SECRET" not in json.dumps(record.__dict__, default=str)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def _events(body: Any) -> bytes:
    return b"".join(b"event: " + name + b"\ndata: " + orjson.dumps(body) + b"\n\n" for name in (b"metadata", b"data"))


def _rows(body: Any) -> bytes:
    return "\n".join(",".join(map(str, row)) if isinstance(row, list) else str(row) for row in body).encode()


def twisted(body: Any, other: Any, place: int) -> Any:
    """``body`` with ``other`` at its ``place``-th value, counted from the outside: right in form but for that."""
    seen = -1

    def walk(value: Any) -> Any:
        nonlocal seen
        seen += 1
        if seen == place:
            return other
        if isinstance(value, dict):
            return {key: walk(item) for key, item in value.items()}
        return [walk(item) for item in value] if isinstance(value, list) else value

    return walk(body)


PROMETHEUS = {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "2"]}]}}
SPLUNK = {"tsId": "A", "properties": {}, "data": [{"tsId": "A", "value": 1}], "logicalTimestampMs": 1}
NERDGRAPH = {"data": {"actor": {"account": {"nrql": {"results": [{"average": 1}]}}}}}
FORMS: list[tuple[str, str, list[Any], Callable[[Any], bytes]]] = [
    ("prometheus", "up", [PROMETHEUS], orjson.dumps),
    ("stackdriver", "up", [PROMETHEUS], orjson.dumps),
    ("stackdriver", MQL, [series(("t", {"doubleValue": 1}), count=n) for n in (1, 2)], orjson.dumps),
    ("splunk", "x", [SPLUNK], _events),
    ("influxdb", "x", [[["", "_value"], ["", 1]]], _rows),
    *(
        (wire.kind, wire.query, [wire.whole[0], wire.newest[0], wire.several[0]], orjson.dumps)
        for wire in WIRES
        if wire.kind not in ("splunk", "influxdb")
    ),
    ("newrelic", "x", [NERDGRAPH], orjson.dumps),
]


@pytest.mark.usefixtures("logged_in")
@pytest.mark.parametrize(("kind", "query", "rights", "written"), FORMS, ids=lambda part: str(part)[:11])
@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
async def test_any_answer_is_an_outcome(
    kind: str, query: str, rights: list[Any], written: Callable[[Any], bytes], data: st.DataObject
) -> None:
    right = data.draw(st.sampled_from(rights))
    body = twisted(right, data.draw(JSON), data.draw(st.integers(0, 14)))
    try:
        raw = written(body)
    except TypeError:  # a number that JSON cannot have, or no rows
        raw = repr(body).encode()
    found = await answered(kind, raw, query, GOOGLE if kind == "stackdriver" else None)
    assert found.outcome in ("value", "empty", "error")
    assert (found.value is None) == (found.outcome != "value")
    assert "unexpected form" not in found.detail


class Saying:
    """A cluster and a bus that answer ``said`` to everything."""

    def __init__(self, said: Any) -> None:
        self.said = said

    async def get(self, *_: object) -> Any:
        return self.said

    raw = create = delete = get

    async def request(self, *_: object, **__: object) -> Any:
        return SimpleNamespace(data=orjson.dumps(self.said), headers=None)


METRIC_OF_KEPTN = {"metadata": {"name": "errors"}, "status": {"value": "2.5"}}
ANALYSIS = {"status": {"state": "Completed", "pass": True}}
OF_AMAZON = {
    "MetricDataResults": [{"Id": "e1", "Label": "E", "StatusCode": "Complete", "Timestamps": [], "Values": []}]
}
INSIDE = [
    ("keptn", "keptnmetric/test/errors", METRIC_OF_KEPTN, ""),
    ("keptn", "analysis/test/release", ANALYSIS, ""),
    ("externalmetrics", "test/m", {"items": [{"value": "7"}]}, ""),
    ("nats", "up", {"value": 1.2, "samples": 3, "message": "m"}, "nats://canary.hook.judges"),
    ("nats", "up", {"pass": False, "message": "m"}, "nats://canary.hook.judges"),
    ("cloudwatch", "[]", OF_AMAZON, ""),
]


@pytest.mark.parametrize(("kind", "query", "right", "address"), INSIDE, ids=lambda part: str(part)[:11])
@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
async def test_any_answer_from_inside_the_cluster_the_bus_or_amazon_is_an_outcome(
    kind: str, query: str, right: Any, address: str, data: st.DataObject, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = twisted(right, data.draw(JSON), data.draw(st.integers(0, 9)))
    monkeypatch.setattr("handlers.adapters.metrics.keptn._LONGEST", 0.001)
    monkeypatch.setattr("handlers.adapters.metrics.keptn._POLL", 0.001)
    monkeypatch.setattr("handlers.adapters.metrics.cloudwatch.CloudWatch._ask", lambda *_: said)
    inside: Any = Saying(said)
    asked = question(address, query, region="eu-west-1")
    found = await Providers(inside, inside, inside).ask(ProviderType(kind), asked)
    assert found.outcome in ("value", "verdict", "empty", "error", "unreachable")
    assert (found.value is not None) >= (found.outcome == "value")


@settings(max_examples=100, deadline=None)
@given(kind=st.sampled_from([wire.kind for wire in WIRES]), raw=st.binary(max_size=60))
async def test_any_bytes_are_an_outcome(kind: str, raw: bytes) -> None:
    found = await answered(kind, raw, "target=x")
    assert found.outcome in ("value", "empty", "error")
    assert "unexpected form" not in found.detail
