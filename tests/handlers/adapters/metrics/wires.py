"""What each provider over HTTP answers, as its documentation shows it, and what its secret holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

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
