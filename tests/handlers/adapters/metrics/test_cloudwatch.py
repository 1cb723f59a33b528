"""CloudWatch: a real client against moto's server, and answers that moto does not give."""

from __future__ import annotations

import asyncio
import builtins
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from aiohttp import web
from moto.server import ThreadedMotoServer

from handlers.adapters.metrics import Question
from handlers.adapters.metrics.cloudwatch import _ATTEMPTS, _CONNECT, _READ, CloudWatch, _need_trusted
from handlers.adapters.metrics.http import Refused
from schemas.measurement import Measurement
from schemas.metrics import ProviderType
from tests.handlers.adapters.apiserver import serving
from tests.handlers.adapters.metrics.asking import NOW, ask, check, providers, question, replying

QUERY = [
    {
        "Id": "e1",
        "MetricStat": {
            "Metric": {"Namespace": "Shop", "MetricName": "Errors"},
            "Period": 60,
            "Stat": "Sum",
        },
        "ReturnData": True,
    }
]


SECRET = {"aws_access_key_id": "the-key-id", "aws_secret_access_key": "the-secret-key"}
"""Of the template: a test's server is none of Amazon's."""


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Our own identity: that of the workload, which no other address may see."""
    for name, value in (("ACCESS_KEY_ID", "OURS"), ("SECRET_ACCESS_KEY", "our-secret"), ("SESSION_TOKEN", "OURS-TOO")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def asking(url: str, query: Any = QUERY, region: str = "eu-west-1", secret: dict[str, str] | None = SECRET) -> Question:
    return question(url, query if isinstance(query, str) else json.dumps(query), region=region, secret=secret)


async def ask_amazon(
    url: str, query: Any = QUERY, region: str = "eu-west-1", secret: dict[str, str] | None = SECRET
) -> Measurement:
    async with providers() as found:
        return await found.ask(ProviderType.CLOUDWATCH, asking(url, query, region, secret))


async def test_the_newest_value_of_the_query_counts(moto: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    client = boto3.client("cloudwatch", endpoint_url=moto, region_name="eu-west-1", **SECRET)
    points = [
        {"MetricName": "Errors", "Timestamp": now - timedelta(minutes=age), "Value": value}
        for age, value in ((5, 1.0), (2, 7.0), (3, 9.0))
    ]
    client.put_metric_data(Namespace="Shop", MetricData=points)
    monkeypatch.setattr("tests.handlers.adapters.metrics.asking.NOW", now.timestamp())
    found = await ask_amazon(moto, QUERY)
    assert (found.outcome, found.value) == ("value", 7)


async def test_a_metric_without_values_is_no_data(moto: str) -> None:
    assert (await ask_amazon(moto, QUERY, region="eu-west-3")).outcome == "empty"


@pytest.mark.parametrize(
    ("query", "words"),
    [("no json", "not a JSON array"), ({"Id": "x"}, "not a JSON array"), ([{"Identity": "x"}], "Unknown parameter")],
)
async def test_a_query_that_is_none_is_refused(moto: str, query: Any, words: str) -> None:
    found = await ask_amazon(moto, query)
    assert found.outcome == "error"
    assert words in found.detail


async def test_a_template_without_a_region_is_refused() -> None:
    assert (await ask("cloudwatch", "", json.dumps(QUERY))).detail == "region not specified"


def refusal(code: str, message: str) -> dict[str, str]:
    return {"__type": f"com.amazonaws.cloudwatch#{code}", "message": message}


def result(status: str = "Complete", message: str = "", *values: float | None) -> dict[str, Any]:
    times = [NOW - 60 * age for age in range(len(values))]
    one = {"Id": "e1", "Label": "E", "StatusCode": status, "Timestamps": times, "Values": list(values)}
    return one | {"Messages": [{"Code": "c", "Value": message}] if message else []}


def results(*found: dict[str, Any]) -> dict[str, Any]:
    return {"MetricDataResults": list(found)}


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [(403, "InvalidClientTokenId", "error"), (400, "ValidationError", "error")],
)
async def test_what_amazon_says_is_the_detail(status: int, code: str, outcome: str) -> None:
    async with serving(replying(refusal(code, "its own words"), status)) as url:
        found = await ask_amazon(url, QUERY)
    assert found.outcome == outcome
    assert code in found.detail
    assert found.detail.endswith("its own words")


async def test_nobody_there_is_unreachable() -> None:
    assert (await ask_amazon("http://127.0.0.1:1", QUERY)).outcome == "unreachable"


async def test_a_service_that_refuses_an_empty_request_is_online(moto: str) -> None:
    assert await check("cloudwatch", moto, region="eu-west-1", secret=SECRET) == ""
    async with serving(replying(refusal("ValidationError", "no queries"), 400)) as url:
        assert await check("cloudwatch", url, region="eu-west-1", secret=SECRET) == ""
    async with serving(replying(refusal("AccessDenied", "not you"), 403)) as url:
        assert await check("cloudwatch", url, region="eu-west-1", secret=SECRET)


async def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *more: Any, **named: Any) -> Any:
        if name.split(".", maxsplit=1)[0] in ("boto3", "google"):
            raise ImportError(name)
        return real(name, *more, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    found = await ask_amazon("", QUERY, secret=None)
    assert found.detail.endswith("install canarybus[cloudwatch]")
    found = await ask("stackdriver", "", "up", secret={"project": "p"})
    assert found.detail.endswith("install canarybus[stackdriver]")


@pytest.mark.parametrize(
    "address",
    [
        "http://{}",
        "https://monitoring.eu-west-1.amazonaws.com.evil.test",
        "http://monitoring.eu-west-1.amazonaws.com",
        "https://evil.execute-api.eu-west-1.amazonaws.com",
        "https://user@evil.test/monitoring.eu-west-1.amazonaws.com",
    ],
)
async def test_our_own_identity_is_never_shown_to_another_address(address: str) -> None:
    seen: list[web.Request] = []

    async def steal(request: web.Request) -> web.StreamResponse:
        seen.append(request)
        return web.Response()

    async with serving(steal) as url:
        place = address.format(url.removeprefix("http://"))
        found = await ask_amazon(place, secret=None)
        online = await check("cloudwatch", place, region="eu-west-1")
    assert found.outcome == "error"
    assert "is not CloudWatch's own, so that our identity is not used there" in found.detail
    assert online == found.detail
    assert seen == []


def _trusted(address: str) -> bool:
    try:
        _need_trusted(httpx.URL(address), ())
    except Refused:
        return False
    return True


@pytest.mark.parametrize(
    "address",
    [
        "https://monitoring.eu-west-1.amazonaws.com",
        "https://monitoring-fips.us-east-1.amazonaws.com",
        "https://monitoring.cn-north-1.amazonaws.com.cn/",
        "https://vpce-0a-1b.monitoring.eu-west-1.vpce.amazonaws.com",
        "https://monitoring.us-east-1.api.aws",
    ],
)
def test_amazons_own_addresses_may_be_signed_for_with_our_identity(address: str) -> None:
    assert _trusted(address)
    assert not _trusted(address.replace(".amazonaws", ".amazon").replace("api.aws", "api.was"))


async def test_the_keys_of_the_template_sign_for_its_address() -> None:
    seen: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append(request.headers["Authorization"])
        return web.json_response(results(result()))

    async with serving(answer) as url:
        assert (await ask_amazon(url)).outcome == "empty"
        broken = await ask_amazon(url, secret={"aws_access_key_id": "the-key-id"})
    assert ["Credential=the-key-id/" in header for header in seen] == [True]
    assert broken.detail == "cloudwatch credentials does not contain aws_secret_access_key"


async def test_credentials_that_come_later_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN"):
        monkeypatch.delenv(f"AWS_{name}")
    async with serving(replying(results(result()))) as url, providers() as found:
        monkeypatch.setattr("handlers.adapters.metrics.cloudwatch._need_trusted", lambda *_: None)
        without = await found.ask(ProviderType.CLOUDWATCH, asking(url, secret=None))
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "late")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "later")
        later = await found.ask(ProviderType.CLOUDWATCH, asking(url, secret=None))
    assert (without.outcome, without.detail) == ("error", "Unable to locate credentials")
    assert later.outcome == "empty"


@pytest.mark.parametrize(("status", "outcome"), [("Forbidden", "error"), ("InternalError", "unreachable")])
async def test_a_result_that_says_it_failed_is_not_no_data(status: str, outcome: str) -> None:
    async with serving(replying(results(result(status, "its own words")))) as url:
        found = await ask_amazon(url)
    assert (found.outcome, found.detail) == (outcome, f"error response: {status}: its own words")


async def test_a_service_that_hangs_holds_no_thread_of_others_and_not_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CloudWatch, "timeout", 1.5)
    over, makers = asyncio.Event(), set[str]()
    made = CloudWatch._client

    async def never(request: web.Request) -> web.StreamResponse:
        await over.wait()
        return web.Response()

    def making(self: CloudWatch, *place: Any) -> Any:
        makers.add(threading.current_thread().name.partition("_")[0])
        return made(self, *place)

    monkeypatch.setattr(CloudWatch, "_client", making)
    async with serving(never) as url, providers() as found:
        asked = [asyncio.create_task(found.ask(ProviderType.CLOUDWATCH, asking(url))) for _ in range(12)]
        done = {measured.detail for measured in await asyncio.gather(*asked)}
        async with asyncio.timeout(3):
            await asyncio.gather(*(asyncio.to_thread(str) for _ in range(12)))
        over.set()
    assert done == {"no answer within 1.5s"}
    assert makers == {"cloudwatch"}, "looking for credentials may wait for a network"


def test_all_attempts_fit_into_the_time_limit() -> None:
    assert CloudWatch.timeout > _ATTEMPTS * (_CONNECT + _READ) + 1
