"""Splunk Observability: a SignalFlow program over a window that is past, answered as server-sent events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import httpx
import orjson

from handlers.adapters.metrics.http import Refused, as_json, as_number, several, url_of
from handlers.adapters.metrics.question import Question, Reading, Tools

_WINDOWS = 10
"""Intervals that are asked for, as the peer does."""


class Splunk:
    """The newest value that is not null, of the one time series that the program publishes.

    The address is the API's (``https://api.<realm>.signalfx.com``); programs run at ``stream.`` of the same realm.
    """

    default_address: ClassVar[str] = ""
    timeout: ClassVar[float] = 10.0

    def __init__(self, tools: Tools) -> None:
        self._http = tools.http

    async def read(self, question: Question) -> Reading:
        params = [
            ("start", str(int((question.now - _WINDOWS * question.window) * 1000))),
            ("stop", str(int(question.now * 1000))),
            ("immediate", "true"),
        ]
        url = _stream(url_of(_address(question), "/v2/signalflow/execute", "splunk"))
        headers = [*_token(question), ("Content-Type", "text/plain")]
        answer = await self._http.fetch("POST", url, params=params, headers=headers, content=question.query.encode())
        return _reading(_events(answer.decode(errors="replace")), question)

    async def check(self, question: Question) -> None:
        url = url_of(_address(question), "/v2/metric", "splunk")
        await self._http.fetch("GET", url, params=[("limit", "1")], headers=_token(question))


def _address(question: Question) -> str:
    if not question.address:
        raise Refused("splunk endpoint is not set")
    return question.address


def _token(question: Question) -> list[tuple[str, str]]:
    return [("X-SF-Token", question.credential("sf_token_key", "splunk"))]


def _stream(url: httpx.URL) -> httpx.URL:
    first, dot, rest = url.host.partition(".")
    return url.copy_with(host=f"stream{dot}{rest}") if first == "api" else url


def _events(text: str) -> Iterator[tuple[str, Any]]:
    """Name and JSON of each event; a body that is no event stream has none."""
    for block in text.replace("\r\n", "\n").split("\n\n"):
        fields = [line.partition(":") for line in block.split("\n") if line and not line.startswith(":")]
        data = "\n".join(value.removeprefix(" ") for key, _, value in fields if key == "data")
        name = next((value.strip() for key, _, value in fields if key == "event"), "message")
        if data:
            yield name, as_json(data.encode())


def _value(point: Any) -> tuple[str, Any] | None:
    """Series and value of one point, None for a null."""
    match point:
        case {"value": None}:
            return None
        case {"tsId": str() as series, "value": value}:
            return series, value
        case _:
            raise Refused("the answer has a point without tsId or value")


def _reading(events: Iterator[tuple[str, Any]], question: Question) -> Reading:
    series: dict[str, str] = {}
    newest: dict[str, Any] = {}
    at = question.now
    for name, body in events:
        match name, body:
            case "metadata", {"tsId": str() as key, **more}:
                series[key] = orjson.dumps(more.get("properties") or {}, option=orjson.OPT_SORT_KEYS).decode()
            case "data", {"data": list() as points, **more}:
                if found := dict(filter(None, map(_value, points))):
                    newest |= found
                    at = as_number(more.get("logicalTimestampMs") or 1000 * question.now, "logicalTimestampMs") / 1000
            case "error", {"message": words}:
                raise Refused(f"query failed: {words}")
            case "error", _:
                raise Refused(f"query failed: {orjson.dumps(body)[:300].decode()}")
            case "control-message", {"event": "CHANNEL_ABORT", **more}:
                raise Refused(f"query failed: {more.get('abortInfo') or 'the computation was aborted'}")
    if len(newest) > 1:
        raise several(series.get(key, key) for key in newest)
    value = next(iter(newest.values()), None)
    return Reading(None if value is None else as_number(value, "the newest value"), reach=question.reach_of(at))
