"""Prometheus answers, good and bad, from a real HTTP server."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from handlers.adapters.metrics.prometheus import Prometheus, authorization
from schemas.measurement import BOUNDLESS
from tests.handlers.adapters.apiserver import serving
from tests.handlers.adapters.metrics.asking import ask, check, replying

TLS = Path(__file__).parents[1] / "tls"


@pytest.fixture
def tls_pair() -> tuple[str, str]:
    return (TLS / "cert.pem").read_text(), (TLS / "key.pem").read_text()


def success(kind: str, result: Any) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": kind, "result": result}}


def vector(*values: str) -> dict[str, Any]:
    samples = [{"metric": {"__name__": "up", "pod": str(i)}, "value": [1, value]} for i, value in enumerate(values)]
    return success("vector", samples)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (vector("99.5"), 99.5),
        (vector("0"), 0),
        (vector("+Inf"), BOUNDLESS),
        (vector("-Inf"), -BOUNDLESS),
        (success("scalar", [1435781451.781, "1"]), 1),
    ],
)
async def test_one_number_is_the_value(body: Any, value: float) -> None:
    async with serving(replying(body)) as url:
        found = await ask("prometheus", url)
    assert (found.outcome, found.value, found.name) == ("value", value, "m")


@pytest.mark.parametrize("body", [vector(), vector("NaN"), success("matrix", []), success("scalar", [1, "NaN"])])
async def test_nothing_and_nan_are_empty(body: Any) -> None:
    async with serving(replying(body)) as url:
        found = await ask("prometheus", url)
    assert (found.outcome, found.value, found.detail) == ("empty", None, "no values found")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (vector("1", "2"), 'multiple values: up{pod="0"}, up{pod="1"}; aggregate them'),
        (vector(*"123456789"), "and 4 more"),
        (success("matrix", [{"metric": {}, "values": [[1, "2"]]}]), "range of samples"),
        (success("vector", [{"metric": {}}]), "no value"),
        (success("vector", [{"metric": {}, "histogram": [1, {}]}]), "no value"),
        (success("vector", [{"metric": {}, "value": [1]}]), "has no value"),
        (success("vector", [{"metric": {}, "value": [1, "x"]}]), "is not a number"),
        (success("vector", [None]), "no value"),
        (success("vector", [None, 3]), "multiple values"),
        (success("string", [1, "hello"]), "returned a string"),
        ({"status": "error", "error": "bad query"}, "query failed: bad query"),
        ({"status": "success"}, "no result"),
        ({"status": "success", "data": {"resultType": "vector", "result": None}}, "returned a vector"),
        ([], "no status success"),
        ("<html>", "not JSON: <html>"),
        ("", "not JSON"),
    ],
)
async def test_what_is_no_single_number_is_an_error_in_words(body: Any, words: str) -> None:
    async with serving(replying(body)) as url:
        found = await ask("prometheus", url)
    assert (found.outcome, found.value) == ("error", None)
    assert words in found.detail


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(400, "error"), (401, "error"), (404, "error"), (422, "error"), (429, "unreachable"), (503, "unreachable")],
)
async def test_a_refused_query_is_an_error_and_a_sick_server_unreachable(status: int, outcome: str) -> None:
    async with serving(replying("because", status)) as url:
        found = await ask("prometheus", url)
    assert found.outcome == outcome
    assert found.detail.startswith(f"error response: Status {status} ")
    assert found.detail.endswith(": because")


async def test_nobody_there_and_no_answer_in_time_are_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Prometheus, "timeout", 0.1)
    hanging = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        await hanging.wait()
        return web.Response()

    async with serving(answer) as url:
        found = await ask("prometheus", url)
        hanging.set()
    assert (found.outcome, found.detail) == ("unreachable", "no answer within 0.1s")
    assert (await ask("prometheus", url)).outcome == "unreachable"


async def test_an_endless_answer_is_cut_off() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(body=b" " * (5 * 1024 * 1024))

    async with serving(answer) as url:
        found = await ask("prometheus", url)
    assert (found.outcome, found.detail) == ("error", "the answer is longer than 4 MiB; aggregate the series")


async def test_the_question_is_put_as_the_server_expects_it() -> None:
    seen: list[tuple[str, str, list[str], list[str]]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        headers = request.headers
        tenants, logins = headers.getall("X-Scope-OrgID", []), headers.getall("Authorization", [])
        seen.append((request.path, request.query["query"], tenants, logins))
        return web.json_response(vector("1"))

    template_headers = {"X-Scope-OrgID": ("a", "b"), "authorization": ("Basic old",)}
    async with serving(answer) as url:
        for _ in range(2):
            found = await ask(
                "prometheus",
                f"{url}/prom/",
                ' sum(\n   up{a="b c"}\n) ',
                headers=template_headers,
                secret={"token": "t"},
            )
    assert seen == [("/prom/api/v1/query", 'sum( up{a="b c"} )', ["a", "b"], ["Bearer t"])] * 2
    assert found.query == 'sum( up{a="b c"} )'
    assert found.endpoint == f"{url}/prom/"


@pytest.mark.parametrize("address", ["", "prometheus:9090", "ftp://x", "http://", "http://host:port"])
async def test_an_address_that_is_none_is_an_error(address: str) -> None:
    found = await ask("prometheus", address)
    assert (found.outcome, found.detail) == ("error", f"prometheus address {address} is not a valid URL")


async def test_a_password_in_the_address_is_used_and_never_shown() -> None:
    seen = []

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append(request.headers["Authorization"])
        return web.json_response(vector("1"))

    async with serving(answer) as url:
        found = await ask("prometheus", url.replace("://", "://me:secret@"))
    assert seen == ["Basic bWU6c2VjcmV0"]
    assert found.endpoint == url


def test_secrets_become_an_authorization_header() -> None:
    assert authorization({"token": "t\n", "username": "u"}, "prometheus") == "Bearer t"
    assert authorization({"username": "me", "password": "secret"}, "prometheus") == "Basic bWU6c2VjcmV0"
    assert authorization(None, "prometheus") == authorization({"tls.crt": "c", "tls.key": "k"}, "prometheus") == ""
    with pytest.raises(ValueError, match="prometheus credentials does not contain a password"):
        authorization({"username": "me"}, "prometheus")
    with pytest.raises(ValueError, match="graphite credentials does not contain a username"):
        authorization({}, "graphite")


async def test_online_is_a_server_that_answers_one_with_one() -> None:
    seen = []

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append(request.query["query"])
        return web.json_response(vector("1"))

    async with serving(answer) as url:
        assert await check("prometheus", url) == ""
    assert seen == ["vector(1)"]
    assert await check("prometheus", url)
    async with serving(replying(vector("2"))) as url:
        assert await check("prometheus", url) == "vector(1) gave 2.0"
    async with serving(replying("login first", 401)) as url:
        assert await check("prometheus", url) == "error response: Status 401 Unauthorized: login first"


async def test_a_secret_never_follows_a_redirect_to_another_address() -> None:
    stolen = []

    async def steal(request: web.Request) -> web.StreamResponse:
        stolen.append(dict(request.headers))
        return web.json_response(vector("1"))

    async with serving(steal) as foreign, serving(replying("", 302, Location=f"{foreign}/x")) as url:
        found = await ask("prometheus", url, secret={"token": "secret-token"})
        assert stolen == []
        assert (await ask("prometheus", url)).value == 1
    assert (found.outcome, found.detail) == ("error", f"redirected to {foreign}; credentials are not sent there")


async def test_a_secret_is_blotted_out_of_what_the_server_says() -> None:
    async with serving(replying("no user has the token secret-token", 403)) as url:
        found = await ask("prometheus", url, secret={"token": "secret-token"})
    assert found.detail == "error response: Status 403 Forbidden: no user has the token ***"


async def test_a_client_certificate_and_a_ca_of_ones_own_are_used(tls_pair: tuple[str, str]) -> None:
    certificate, key = tls_pair
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=certificate)
    context.load_cert_chain(TLS / "cert.pem", TLS / "key.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    secret = {"ca.crt": certificate, "tls.crt": certificate, "tls.key": key}
    async with serving(replying(vector("1")), context) as url:
        assert (await ask("prometheus", url, secret=secret)).value == 1
        assert (await ask("prometheus", url, secret={"ca.crt": certificate})).outcome == "unreachable"
        assert (await ask("prometheus", url)).outcome == "unreachable"
        broken = await ask("prometheus", url, secret=secret | {"tls.crt": "none"})
    assert broken.outcome == "error"
    assert "tls.crt" in broken.detail


async def test_a_busy_server_says_when_to_come_back() -> None:
    async with serving(replying("slow down", 429, Retry_After="7")) as url:
        found = await ask("prometheus", url)
    assert (found.outcome, found.detail) == (
        "unreachable",
        "error response: Status 429 Too Many Requests: slow down (asked again after 7 s at the earliest)",
    )
