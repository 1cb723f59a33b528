"""Dynatrace's metrics API v2: one metric selector, resolved to one number over the window."""

from __future__ import annotations

from typing import Any, ClassVar

from handlers.adapters.metrics.http import Refused, as_json, as_number, name_of, several, url_of
from handlers.adapters.metrics.question import Question, Reading, Tools

_WINDOWS = 10
"""Intervals that are asked for, as the peer does."""


class Dynatrace:
    """``resolution=Inf`` folds the window into one point for each series."""

    default_address: ClassVar[str] = ""
    timeout: ClassVar[float] = 5.0

    def __init__(self, tools: Tools) -> None:
        self._http = tools.http

    async def read(self, question: Question) -> Reading:
        params = [
            ("metricSelector", " ".join(question.query.split())),
            ("resolution", "Inf"),
            ("from", str(int((question.now - _WINDOWS * question.window) * 1000))),
            ("to", str(int(question.now * 1000))),
        ]
        found = _reading(await self._get(question, "/api/v2/metrics/query", params))
        return found._replace(reach=_WINDOWS * question.window)

    async def check(self, question: Question) -> None:
        await self._get(question, "/api/v2/metrics", [("pageSize", "1")])

    async def _get(self, question: Question, path: str, params: list[tuple[str, str]]) -> Any:
        if not question.address:
            raise Refused("dynatrace endpoint is not set")
        token = question.credential("dynatrace_token", "dynatrace")
        answer = await self._http.fetch(
            "GET",
            url_of(question.address, path, "dynatrace"),
            params=params,
            headers=[("Authorization", f"Api-Token {token}")],
            secret=question.secret,
            insecure_skip_verify=question.insecure_skip_verify,
        )
        return as_json(answer)


def _reading(answer: Any) -> Reading:
    match answer:
        case {"error": {"message": words}}:
            raise Refused(f"query failed: {words}")
        case {"result": []} | {"result": [{"data": []}]}:
            return Reading(None)
        case {"result": [{"data": [{"values": list() as values}]}]}:
            known = [value for value in values if value is not None]
            return Reading(as_number(known[-1], "the newest value") if known else None)
        case {"result": [{"data": [_, _, *_] as series}]}:
            raise several(name_of(item, "dimensions") for item in series)
        case {"result": [_, _, *_] as results}:
            raise several(name_of(item, "metricId") for item in results)
        case _:
            raise Refused("the answer has no result")
