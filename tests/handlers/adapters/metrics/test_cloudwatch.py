"""CloudWatch: a real client against moto's server, and answers that moto does not give."""

from __future__ import annotations

import builtins
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from schemas.measurement import Measurement
from schemas.metrics import ProviderType
from tests.handlers.adapters.apiserver import serving
from tests.handlers.adapters.metrics.asking import ask, check, providers, question, replying

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


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("ACCESS_KEY_ID", "key"), ("SECRET_ACCESS_KEY", "secret"), ("EC2_METADATA_DISABLED", "true")):
        monkeypatch.setenv(f"AWS_{name}", value)


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


async def ask_amazon(url: str, query: Any, region: str = "eu-west-1") -> Measurement:
    text = query if isinstance(query, str) else json.dumps(query)
    async with providers() as found:
        asked = question(url, text, region=region)
        return await found.ask(ProviderType.CLOUDWATCH, asked)


async def test_the_newest_value_of_the_query_counts(moto: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    client = boto3.client("cloudwatch", endpoint_url=moto, region_name="eu-west-1")
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


def xml(code: str, message: str) -> str:
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    return f"<ErrorResponse>{error}<RequestId>1</RequestId></ErrorResponse>"


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [(403, "InvalidClientTokenId", "error"), (400, "ValidationError", "error")],
)
async def test_what_amazon_says_is_the_detail(status: int, code: str, outcome: str) -> None:
    async with serving(replying(xml(code, "its own words"), status)) as url:
        found = await ask_amazon(url, QUERY)
    assert found.outcome == outcome


async def test_nobody_there_is_unreachable() -> None:
    assert (await ask_amazon("http://127.0.0.1:1", QUERY)).outcome == "unreachable"


async def test_a_service_that_refuses_an_empty_request_is_online(moto: str) -> None:
    assert await check("cloudwatch", moto, region="eu-west-1") == ""
    async with serving(replying(xml("ValidationError", "no queries"), 400)) as url:
        assert await check("cloudwatch", url, region="eu-west-1") == ""
    async with serving(replying(xml("AccessDenied", "not you"), 403)) as url:
        assert await check("cloudwatch", url, region="eu-west-1")


async def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *more: Any, **named: Any) -> Any:
        if name.split(".", maxsplit=1)[0] in ("boto3", "google"):
            raise ImportError(name)
        return real(name, *more, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    found = await ask_amazon("", QUERY)
    assert found.detail.endswith("install canarybus[cloudwatch]")
    found = await ask("stackdriver", "", "up", secret={"project": "p"})
    assert found.detail.endswith("install canarybus[stackdriver]")
