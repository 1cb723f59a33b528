"""Graphite's render API. The query is the rest of its URL: ``target=…&from=…`` (spec metrics-providers)."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import parse_qsl

from handlers.adapters.metrics.http import Refused, as_json, as_number, name_of, several, url_of
from handlers.adapters.metrics.prometheus import authorization
from handlers.adapters.metrics.question import Question, Reading, Tools


class Graphite:
    """The newest point that is not null, of one target."""

    default_address: ClassVar[str] = ""
    timeout: ClassVar[float] = 5.0

    def __init__(self, tools: Tools) -> None:
        self._http = tools.http

    async def read(self, question: Question) -> Reading:
        params = parse_qsl("".join(question.query.splitlines()).strip())
        if not any(key == "target" and value for key, value in params):
            raise Refused("the query names no target; write it as target=<expression>&from=-1min")
        if not any(key == "from" for key, _ in params):
            params.append(("from", f"-{max(1, int(question.window))}s"))
        return _reading(await self._render(question, params), question)

    async def check(self, question: Question) -> None:
        await self._render(question, [("target", "test")])

    async def _render(self, question: Question, params: list[tuple[str, str]]) -> Any:
        login = authorization(question.secret, "graphite")
        answer = await self._http.fetch(
            "GET",
            url_of(question.address, "/render", "graphite"),
            params=[*(pair for pair in params if pair[0] != "format"), ("format", "json")],
            headers=[("Authorization", login)] if login else [],
            secret=question.secret,
            insecure_skip_verify=question.insecure_skip_verify,
        )
        return as_json(answer)


def _reading(answer: Any, question: Question) -> Reading:
    match answer:
        case []:
            return Reading(None)
        case [{"datapoints": list() as points}]:
            known = [point for point in points if isinstance(point, list) and len(point) == 2 and point[0] is not None]
            if not known:
                return Reading(None)
            value, at = known[-1]
            return Reading(as_number(value, "the newest point"), reach=question.reach_of(as_number(at, "its time")))
        case [_, _, *_]:
            raise several(name_of(item, "target") for item in answer)
        case _:
            raise Refused("the answer has no datapoints")
