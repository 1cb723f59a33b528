"""What every HTTP provider does alike: each behaviour is told once and played against each of them."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from aiohttp import web

from handlers.adapters.kube import Access, Kube
from handlers.adapters.metrics import _KINDS, Providers
from schemas.metrics import ProviderType
from tests.handlers.adapters.apiserver import Answer, serving
from tests.handlers.adapters.metrics.asking import TRUST, ask, check, question, replying
from tests.handlers.adapters.metrics.wires import SECRETS, WIRES, Wire


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
