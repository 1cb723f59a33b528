"""Google Cloud Monitoring: PromQL and MQL, and the login of a service account."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from handlers.adapters.kube import Access, Kube
from handlers.adapters.metrics import Providers
from handlers.adapters.metrics.stackdriver import is_mql
from schemas.measurement import Measurement
from schemas.metrics import ProviderType
from tests.handlers.adapters.apiserver import serving
from tests.handlers.adapters.metrics.asking import providers, question

KEY = (
    rsa.generate_private_key(65537, 2048)
    .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    .decode()
)
MQL = "fetch gce_instance | metric 'x' | within 1m"


class Google:
    """Token endpoint and Monitoring API in one."""

    def __init__(self, answer: Any, status: int = 200) -> None:
        self.body, self.status = answer, status
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.logins = 0
        self.token_status = 200

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/token":
            self.logins += 1
            body = {"access_token": "the-token", "expires_in": 3600, "token_type": "Bearer"}
            return web.json_response(body if self.token_status == 200 else {}, status=self.token_status)
        self.seen.append((request.path, request.headers["Authorization"], json.loads(await request.read())))
        return web.json_response(self.body, status=self.status)


def secret(url: str, **more: str) -> dict[str, str]:
    key = {
        "type": "service_account",
        "project_id": "from-key",
        "client_email": "a@b",
        "private_key": KEY,
        "token_uri": f"{url}/token",
    }
    return {"project": "the-project", "serviceAccountKey": json.dumps(key), **more}


async def ask_google(google: Google, query: str, times: int = 1) -> Measurement:
    async with serving(google.answer) as url, providers() as found:
        for _ in range(times):
            measured = await found.ask(ProviderType.STACKDRIVER, question(url, query, secret=secret(url)))
    return measured


def series(*points: tuple[str, dict[str, Any]], count: int = 1) -> dict[str, Any]:
    data = [{"values": [value], "timeInterval": {"endTime": time}} for time, value in points]
    one = {"labelValues": [{"stringValue": "a"}], "pointData": data}
    return {"timeSeriesData": [one] * count}


async def test_promql_is_asked_with_the_token_of_the_service_account_which_is_kept() -> None:
    google = Google({"status": "success", "data": {"resultType": "vector", "result": [{"value": [1, "7"]}]}})
    found = await ask_google(google, "sum(\n  rate(x[1m]))", times=2)
    assert (found.outcome, found.value) == ("value", 7)
    path = "/v1/projects/the-project/location/global/prometheus/api/v1/query"
    assert google.seen[0] == (path, "Bearer the-token", {"query": "sum( rate(x[1m]))"})
    assert (len(google.seen), google.logins) == (2, 1)


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        (series(("2026-01-01T00:02:00Z", {"doubleValue": 2.5}), ("2026-01-01T00:01:00Z", {"doubleValue": 1})), 2.5),
        (series(("2026-01-01T00:01:00Z", {"int64Value": "7"})), 7),
        (series(("2026-01-01T00:01:00Z", {"boolValue": True})), 1),
    ],
)
async def test_mql_gives_the_newest_point_whatever_its_type(answer: Any, value: float) -> None:
    google = Google(answer)
    assert (await ask_google(google, MQL)).value == value
    assert google.seen == [("/v3/projects/the-project/timeSeries:query", "Bearer the-token", {"query": MQL})]


@pytest.mark.parametrize("answer", [{}, {"timeSeriesData": []}, series()])
async def test_nothing_is_no_data(answer: Any) -> None:
    assert (await ask_google(Google(answer), MQL)).outcome == "empty"


@pytest.mark.parametrize(
    ("interval", "reach"),
    [
        ({"startTime": "2023-11-14T21:13:20Z", "endTime": "2023-11-14T22:13:20Z"}, 3600),
        ({"startTime": "2023-11-14T22:03:20Z", "endTime": "2023-11-14T22:03:20Z"}, 600 + 60),
        ({"endTime": "2023-11-14T22:03:20Z"}, 600 + 60),
        ({}, 0),
    ],
)
async def test_the_interval_of_a_point_is_how_far_back_it_reaches(interval: dict[str, str], reach: float) -> None:
    points = [{"values": [{"doubleValue": 7}], "timeInterval": interval}]
    found = await ask_google(Google({"timeSeriesData": [{"pointData": points}]}), MQL)
    assert (found.value, found.reach) == (7, reach)


async def test_several_series_are_named() -> None:
    found = await ask_google(Google(series(("t", {"doubleValue": 1}), count=2)), MQL)
    assert 'multiple values: [{"stringValue":"a"}]' in found.detail


@pytest.mark.parametrize(("status", "outcome"), [(400, "error"), (403, "error"), (429, "unreachable")])
async def test_what_google_says_is_the_detail(status: int, outcome: str) -> None:
    found = await ask_google(Google({"error": {"message": "its own words"}}, status), MQL)
    assert found.outcome == outcome
    assert "its own words" in found.detail


async def test_a_login_that_fails_is_told_without_the_key() -> None:
    google = Google({})
    google.token_status = 401
    found = await ask_google(google, MQL)
    assert found.outcome == "error"
    assert found.detail.startswith("no login for Google Cloud")
    assert "PRIVATE KEY" not in found.model_dump_json()


@pytest.mark.parametrize(
    "address", ["{}", "http://monitoring.googleapis.com", "https://monitoring.googleapis.com.evil.test"]
)
@pytest.mark.parametrize("login", [None, {"project": "the-project"}])
async def test_our_own_identity_is_never_shown_to_another_address(
    address: str, login: dict[str, str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("google.auth.default", lambda **_: asked.append("our own identity"))
    google = Google({})
    async with serving(google.answer) as url, providers() as found:
        foreign = question(address.format(url), "up", secret=login)
        measured = await found.ask(ProviderType.STACKDRIVER, foreign)
        assert await found.check(ProviderType.STACKDRIVER, foreign) == measured.detail
    assert measured.outcome == "error"
    assert "is not Google's own, so that our identity is not used there" in measured.detail
    assert (google.seen, asked) == ([], [])


async def test_our_own_identity_is_for_google_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ours:
        valid, token = True, "our-own-token"

    monkeypatch.setattr("google.auth.default", lambda **_: (Ours, "our-project"))
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"status": "success", "data": {"resultType": "scalar", "result": [1, "7"]}})

    async with (
        httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client,
        Kube(Access("http://cluster.test"), user_agent="test/1") as kube,
    ):
        measured = await Providers(client, kube).ask(ProviderType.STACKDRIVER, question("", "up"))
    assert measured.value == 7
    assert (asked[0].url.host, asked[0].headers["Authorization"]) == (
        "monitoring.googleapis.com",
        "Bearer our-own-token",
    )


async def test_a_login_that_hangs_or_never_ends_holds_no_thread_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlers.adapters.metrics.stackdriver._PATIENCE", 0.3)
    over = asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while request.path == "/endless/token" and not over.is_set():
            await response.write(b" ")
            await asyncio.sleep(0.05)
        await over.wait()
        return response

    async with serving(endless) as url, providers() as found:
        asked = [
            asyncio.create_task(
                found.ask(ProviderType.STACKDRIVER, question(url, MQL, secret=secret(url + path, project=str(n))))
            )
            for n in range(4)
            for path in ("", "/endless")
        ]
        async with asyncio.timeout(3):
            await asyncio.gather(*(asyncio.to_thread(str) for _ in range(8)))
        told = [await task for task in asked]
        over.set()
    assert {measured.outcome for measured in told} == {"unreachable"}
    assert all(measured.detail.startswith("no login for Google Cloud") for measured in told)


async def test_a_secret_without_a_project_or_with_a_broken_key_is_told() -> None:
    async with providers() as found:
        asked = question("http://127.0.0.1:1", MQL, secret={"serviceAccountKey": "{}"})
        measured = await found.ask(ProviderType.STACKDRIVER, asked)
        assert measured.detail == "stackdriver credentials does not contain a project id"
        asked = question("http://127.0.0.1:1", MQL, secret={"project": "p", "serviceAccountKey": "{broken"})
        measured = await found.ask(ProviderType.STACKDRIVER, asked)
    assert measured.detail.startswith("no login for Google Cloud")


async def test_online_is_an_api_that_can_count_to_one() -> None:
    google = Google({"status": "success", "data": {"resultType": "vector", "result": [{"value": [1, "1"]}]}})
    async with serving(google.answer) as url, providers() as found:
        assert await found.check(ProviderType.STACKDRIVER, question(url, secret=secret(url))) == ""


@pytest.mark.parametrize(
    ("query", "mql"),
    [
        (MQL, True),
        ("fetch x", True),
        ('sum(rate(x{code=~"4|5"}[1m]))', False),
        ("a or b", False),
        ("{ fetch a | b ; fetch c | d } | join", True),
    ],
)
def test_a_pipe_outside_of_quotes_makes_it_mql(query: str, mql: bool) -> None:
    assert is_mql(query) is mql
