"""New Relic: NRQL through the Insights query API, or NerdGraph when the address ends in ``/graphql``."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import orjson

from handlers.adapters.metrics.http import Refused, as_json, as_number, name_of, several, url_of
from handlers.adapters.metrics.question import Question, Reading, Tools
from handlers.adapters.metrics.reach import of_nrql

_SINCE = re.compile(r"\bsince\b", re.IGNORECASE)
_NERDGRAPH = "query($id: Int!, $nrql: Nrql!) { actor { account(id: $id) { nrql(query: $nrql) { results } } } }"


class NewRelic:
    """One result with one number in it, whatever its aggregate is called."""

    default_address: ClassVar[str] = "https://insights-api.newrelic.com"
    timeout: ClassVar[float] = 5.0

    def __init__(self, tools: Tools) -> None:
        self._http = tools.http

    async def read(self, question: Question) -> Reading:
        query = " ".join(question.query.split())
        return _reading(await self._results(question, query))._replace(reach=of_nrql(query, question.now))

    async def check(self, question: Question) -> None:
        await self._results(question, "SELECT * FROM Metric LIMIT 1")

    async def _results(self, question: Question, nrql: str) -> list[Any]:
        if not _SINCE.search(nrql):
            nrql = f"{nrql} SINCE {max(1, int(question.window))} seconds ago"
        account = _credential(question, "newrelic_account_id")
        key = _credential(question, "newrelic_query_key")
        if question.address.rstrip("/").endswith("/graphql"):
            return await self._nerdgraph(question, account, key, nrql)
        answer = await self._http.fetch(
            "GET",
            url_of(question.address, f"/v1/accounts/{account}/query", "newrelic"),
            params=[("nrql", nrql)],
            headers=[("X-Query-Key", key)],
        )
        return _insights(as_json(answer))

    async def _nerdgraph(self, question: Question, account: str, key: str, nrql: str) -> list[Any]:
        if not account.isdigit():
            raise ValueError("newrelic credentials: newrelic_account_id is not a number")
        body = {"query": _NERDGRAPH, "variables": {"id": int(account), "nrql": nrql}}
        answer = await self._http.fetch(
            "POST",
            url_of(question.address.rstrip("/"), "", "newrelic"),
            headers=[("API-Key", key), ("Content-Type", "application/json")],
            content=orjson.dumps(body),
        )
        return _graph(as_json(answer))


def _credential(question: Question, key: str) -> str:
    if not (question.secret or {}).get(key, "").strip():
        raise ValueError(f"newrelic credentials does not contain the key '{key}'")
    return question.credential(key, "newrelic")


def _insights(answer: Any) -> list[Any]:
    match answer:
        case {"results": list() as results}:
            return results
        case {"facets": [*facets]}:
            raise several(name_of(item, "name") for item in facets)
        case {"error": words}:
            raise Refused(f"query failed: {words}")
        case _:
            raise Refused("the answer has no results")


def _graph(answer: Any) -> list[Any]:
    match answer:
        case {"errors": [{"message": words}, *_]}:
            raise Refused(f"query failed: {words}")
        case {"data": {"actor": {"account": {"nrql": {"results": list() as results}}}}}:
            return results
        case _:
            raise Refused("the answer has no results")


def _reading(results: list[Any]) -> Reading:
    match results:
        case []:
            return Reading(None)
        case [dict() as only]:
            return _only_number(only)
        case [_, *_]:
            raise several(map(name_of, results))
        case _:
            raise Refused("the answer has no results")


def _only_number(result: dict[str, Any]) -> Reading:
    """Percentiles come as a mapping of their own; times that bound the window are no values."""
    numbers: dict[str, Any] = {}
    for key, value in result.items():
        if key not in ("beginTimeSeconds", "endTimeSeconds", "inspectedCount"):
            numbers |= value if isinstance(value, dict) else {key: value}
    if len(numbers) > 1:
        raise several(numbers)
    value = next(iter(numbers.values()), None)
    return Reading(None if value is None else as_number(value, "the result"))
