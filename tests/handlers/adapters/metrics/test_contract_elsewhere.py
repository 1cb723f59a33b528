"""What providers do alike that are asked by way of a login, a signature or our own API server.

The same behaviours as those of plain HTTP, played against each of them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import web

from handlers.adapters.metrics import _KINDS, Providers, Question
from schemas.measurement import Measurement
from schemas.metrics import ProviderType
from tests.handlers.adapters.apiserver import Answer, serving
from tests.handlers.adapters.metrics.asking import providers, question, replying
from tests.handlers.adapters.metrics.test_cloudwatch import QUERY, SECRET, refusal, result, results
from tests.handlers.adapters.metrics.test_prometheus import success, vector
from tests.handlers.adapters.metrics.test_stackdriver import MQL, secret, series
from tests.handlers.adapters.metrics.wires import external


@dataclass
class Place:
    """A provider, and what its answers look like."""

    name: str
    kind: str
    query: str
    value: tuple[Any, float]
    empty: tuple[Any, ...]
    several: tuple[Any, tuple[str, ...]] | None
    refused: Any
    """A body in the provider's own form for a status that is an error."""


def status(message: str) -> dict[str, Any]:
    return {"kind": "Status", "status": "Failure", "message": message}


def google(message: str) -> dict[str, Any]:
    return {"error": {"message": message}}


def keptn(value: Any) -> dict[str, Any]:
    return {"metadata": {"name": "errors"}, "status": {"value": value}}


PROMQL = "sum(rate(x[1m]))"
NULL = ("2026-01-01T00:01:00Z", {"doubleValue": None})
TWO = [{"metric": {"pod": name}, "value": [1, "1"]} for name in "ab"]
PLACES = [
    Place(
        "google promql",
        "stackdriver",
        PROMQL,
        value=(vector("2.5"), 2.5),
        empty=(success("vector", []), vector("NaN")),
        several=(success("vector", TWO), ('pod="a"', 'pod="b"')),
        refused=google("its own words"),
    ),
    Place(
        "google mql",
        "stackdriver",
        MQL,
        value=(series(("2026-01-01T00:01:00Z", {"doubleValue": 2.5}), NULL), 2.5),
        empty=({}, {"timeSeriesData": []}, series(), series(NULL)),
        several=(series(count=2), ('"stringValue":"a"',)),
        refused=google("its own words"),
    ),
    Place(
        "cloudwatch",
        "cloudwatch",
        json.dumps(QUERY),
        value=(results(result("Complete", "", 2.5, 9)), 2.5),
        empty=(results(), results(result()), results(result("Complete", "", None))),
        several=(results(result(), result() | {"Id": "e2"}), ("e1 (E)", "e2 (E)")),
        refused=refusal("AccessDenied", "its own words"),
    ),
    Place(
        "keptn",
        "keptn",
        "keptnmetric/test/errors",
        value=(keptn("2.5"), 2.5),
        empty=(keptn(""), keptn(None), {"metadata": {}}, {"status": None}),
        several=None,
        refused=status("its own words"),
    ),
    Place(
        "externalmetrics in the cluster",
        "externalmetrics",
        "test/m",
        value=(external("2500m"), 2.5),
        empty=({"items": []}, {"items": None}),
        several=(external("1", "2"), ('m{pod="0"}', 'm{pod="1"}')),
        refused=status("its own words"),
    ),
]


@pytest.fixture(params=PLACES, ids=lambda place: place.name)
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.param
    return found


@asynccontextmanager
async def reached(place: Place, answer: Answer) -> AsyncIterator[tuple[Providers, Question]]:
    """``answer`` gets what is asked; the login before it, where there is one, succeeds."""

    async def everything(request: web.Request) -> web.StreamResponse:
        if request.path == "/token":
            return web.json_response({"access_token": "the-token-of-google", "expires_in": 3600})
        return await answer(request)

    async with serving(everything) as url, providers(url) as found:
        inside = place.kind in ("keptn", "externalmetrics")
        login = {"stackdriver": secret(url), "cloudwatch": SECRET}.get(place.kind)
        yield found, question("" if inside else url, place.query, region="eu-west-1", secret=login)


async def measured(place: Place, answer: Answer) -> Measurement:
    async with reached(place, answer) as (found, asked):
        return await found.ask(ProviderType(place.kind), asked)


async def test_the_newest_value_is_the_value(place: Place) -> None:
    body, value = place.value
    found = await measured(place, replying(body))
    assert (found.outcome, found.value) == ("value", value), found.detail


async def test_null_and_nothing_are_no_data_and_never_zero(place: Place) -> None:
    for body in place.empty:
        found = await measured(place, replying(body))
        assert (found.outcome, found.value, found.detail) == ("empty", None, "no values found"), body


@pytest.mark.parametrize(
    "place", [place for place in PLACES if place.several], ids=lambda place: place.name, indirect=True
)
async def test_several_series_are_an_error_that_names_them(place: Place) -> None:
    assert place.several is not None
    body, names = place.several
    found = await measured(place, replying(body))
    assert found.detail.startswith("query returned multiple values: ")
    assert all(name in found.detail for name in names), found.detail


@pytest.mark.parametrize("code", [400, 401, 403])
async def test_a_refusal_is_an_error_in_the_providers_words(place: Place, code: int) -> None:
    found = await measured(place, replying(place.refused, code))
    assert (found.outcome, found.value) == ("error", None)
    assert "its own words" in found.detail


async def test_no_login_is_in_a_refusal_that_repeats_it(place: Place) -> None:
    async def repeating(request: web.Request) -> web.StreamResponse:
        return web.Response(status=403, text=f"denied: {request.headers.get('Authorization')}")

    found = await measured(place, repeating)
    assert found.outcome == "error"
    for word in ("the-token-of-google", "the-key-id", "the-secret-key"):
        assert word not in found.model_dump_json()


@pytest.mark.parametrize("code", [429, 500, 503])
async def test_a_busy_or_sick_provider_is_unreachable(place: Place, code: int) -> None:
    found = await measured(place, replying(place.refused, code))
    assert (found.outcome, found.value) == ("unreachable", None)
    assert found.detail


@pytest.mark.parametrize(
    "place", [place for place in PLACES if place.kind != "cloudwatch"], ids=lambda place: place.name, indirect=True
)
async def test_one_that_asks_for_time_gets_it(place: Place) -> None:
    """Amazon says no time; its client waits by itself."""
    asked = 0

    async def busy(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        return await replying(place.refused, 429, Retry_After="30")(request)

    async with reached(place, busy) as (found, wanted):
        await found.ask(ProviderType(place.kind), wanted)
        told = await found.ask(ProviderType(place.kind), wanted)
    assert (told.outcome, asked) == ("unreachable", 1)
    assert told.detail == "the provider asked for time; it is asked again in 30 s"


async def test_no_answer_in_time_is_unreachable(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    over, asked = asyncio.Event(), 0

    async def once(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        if asked > 1:
            await over.wait()
        return await replying(place.value[0])(request)

    async with reached(place, once) as (found, wanted):
        assert (await found.ask(ProviderType(place.kind), wanted)).outcome == "value", "logged in by now"
        monkeypatch.setattr(_KINDS[ProviderType(place.kind)], "timeout", 0.5)
        told = await found.ask(ProviderType(place.kind), wanted)
        over.set()
    assert asked == 2
    assert (told.outcome, told.detail) == ("unreachable", "no answer within 0.5s")


@pytest.mark.parametrize(
    "body",
    [
        "<html>maintenance</html>",
        "[1, 2",
        '"text"',
        "12",
        "[1]",
        '{"unexpected": true}',
        "x" * 5 * 2**20,
        " " * 5 * 2**20,
    ],
)
async def test_garbage_of_any_length_is_never_a_value_and_its_text_is_short(place: Place, body: str) -> None:
    found = await measured(place, replying(body))
    assert found.outcome in ("error", "empty", "unreachable")
    assert found.value is None
    assert 0 < len(found.detail) <= 1000


async def test_no_login_follows_a_redirect_to_another_address(place: Place) -> None:
    stolen: list[str] = []

    async def steal(request: web.Request) -> web.StreamResponse:
        stolen.extend(value for value in map(request.headers.get, ("Authorization", "X-Amz-Security-Token")) if value)
        return web.Response(status=404)

    async with serving(steal) as foreign:
        found = await measured(place, replying("", 302, Location=f"{foreign}/x"))
    assert found.value is None
    assert found.outcome in ("error", "unreachable")
    assert stolen == []
