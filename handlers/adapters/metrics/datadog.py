"""Datadog's timeseries query API (spec metrics-providers). Its points carry milliseconds; a null is no data."""

from __future__ import annotations

from typing import Any, ClassVar

from handlers.adapters.metrics.http import Refused, as_json, as_number, name_of, several, url_of
from handlers.adapters.metrics.question import Question, Reading, Tools

_APPLICATION_KEY = "datadog_application_key"
_WINDOWS = 10
"""Intervals that are asked for: agents report late, so the newest point may be some of them old."""


class Datadog:
    """The newest point of the one series that the query gives."""

    default_address: ClassVar[str] = "https://api.datadoghq.com"
    timeout: ClassVar[float] = 5.0

    def __init__(self, tools: Tools) -> None:
        self._http = tools.http

    async def read(self, question: Question) -> Reading:
        params = [
            ("query", " ".join(question.query.split())),
            ("from", str(int(question.now - _WINDOWS * question.window))),
            ("to", str(int(question.now))),
        ]
        headers = [
            *_api_key(question),
            ("DD-APPLICATION-KEY", question.credential("datadog_application_key", "datadog")),
        ]
        answer = await self._http.fetch(
            "GET", url_of(question.address, "/api/v1/query", "datadog"), params=params, headers=headers
        )
        return _reading(as_json(answer), question)

    async def check(self, question: Question) -> None:
        await self._http.fetch(
            "GET", url_of(question.address, "/api/v1/validate", "datadog"), headers=_api_key(question)
        )


def _api_key(question: Question) -> list[tuple[str, str]]:
    return [("DD-API-KEY", question.credential("datadog_api_key", "datadog"))]


def _reading(answer: Any, question: Question) -> Reading:
    match answer:
        case {"status": "error", "error": words}:
            raise Refused(f"query failed: {words}")
        case {"series": []}:
            return Reading(None)
        case {"series": [{"pointlist": list() as points}]}:
            return _newest(points, question)
        case {"series": [_, _, *_] as series}:
            raise several(name_of(item, "scope", "expression") for item in series)
        case _:
            raise Refused("the answer has no series")


def _newest(points: list[Any], question: Question) -> Reading:
    known = [point for point in points if isinstance(point, list) and len(point) == 2 and point[1] is not None]
    if not known:
        return Reading(None)
    at, value = max(((as_number(at, "the time"), value) for at, value in known), key=lambda point: point[0])
    return Reading(as_number(value, "the newest point"), reach=question.reach_of(at / 1000))
