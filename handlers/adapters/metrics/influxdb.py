"""InfluxDB 2: Flux, answered as annotated CSV. No row is no data; a whole number is a number."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import ClassVar

from handlers.adapters.metrics.http import Refused, as_number, several, url_of
from handlers.adapters.metrics.question import Question, Reading, Tools
from handlers.adapters.metrics.reach import flux_window, moment, of_flux

_PLUMBING = ("", "result", "table", "_start", "_stop", "_time", "_value")


class InfluxDB:
    """``_value`` of the newest row of the one table that the query gives."""

    default_address: ClassVar[str] = ""
    timeout: ClassVar[float] = 15.0

    def __init__(self, tools: Tools) -> None:
        self._http = tools.http

    async def read(self, question: Question) -> Reading:
        return _reading(await self._query(question, question.query), question)

    async def check(self, question: Question) -> None:
        await self._query(question, "buckets() |> limit(n: 1)")

    async def _query(self, question: Question, flux: str) -> str:
        headers = [("Content-Type", "application/vnd.flux"), ("Accept", "application/csv")]
        params = []
        if question.secret is not None:
            for key, what in (("token", "an authentication token"), ("org", "an organisation")):
                if not question.secret.get(key, "").strip():
                    raise ValueError(f"influxdb credentials does not contain {what}")
            headers.append(("Authorization", f"Token {question.credential('token', 'influxdb')}"))
            params.append(("org", question.credential("org", "influxdb")))
        answer = await self._http.fetch(
            "POST",
            url_of(question.address, "/api/v2/query", "influxdb"),
            params=params,
            headers=headers,
            content=flux.encode(),
            secret=question.secret,
            insecure_skip_verify=question.insecure_skip_verify,
        )
        return answer.decode(errors="replace")


def _reading(text: str, question: Question) -> Reading:
    try:
        rows = list(_rows(text))
    except csv.Error as error:
        raise Refused(f"the answer is not CSV: {error}") from error
    for row in rows:
        if row.get("error"):
            raise Refused(f"query failed: {row['error']}")
    tables = {(row.get("result", ""), row.get("table", "")): row for row in rows}
    if len(tables) > 1:
        raise several(_labels(row) for row in tables.values())
    if not rows:
        return Reading(None)
    if other := next((row for row in rows if "_value" not in row), None):
        raise Refused(f"the answer has no column _value; it has {', '.join(filter(None, other))}")
    # Flux has no order of its own unless the query sorts; times are RFC 3339 in UTC and compare as text
    newest = max(rows, key=lambda row: row.get("_time", ""))
    if not newest["_value"]:
        return Reading(None)
    return Reading(as_number(newest["_value"], "_value"), reach=_reach(newest, question))


def _reach(row: dict[str, str], question: Question) -> float:
    """An aggregate over the whole range has no time of its own, a point of a window has that of the window's end."""
    at, start = (moment(row.get(column, "")) for column in ("_time", "_start"))
    if at is not None:
        return max(question.reach_of(at), question.now - at + flux_window(question.query))
    return of_flux(question.query, question.now) if start is None else question.now - start


def _rows(text: str) -> Iterator[dict[str, str]]:
    """Tables follow each other, each with a header of its own; annotations start with ``#``."""
    header: list[str] | None = None
    for line in csv.reader(io.StringIO(text)):
        if not any(line) or line[0].startswith("#"):
            header = None
        elif header is None:
            header = line
        else:
            yield dict(zip(header, line, strict=False))


def _labels(row: dict[str, str]) -> str:
    labels = ", ".join(f'{key}="{value}"' for key, value in sorted(row.items()) if key not in _PLUMBING)
    return "{" + labels + "}"
