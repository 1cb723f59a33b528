from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from deploy.sandbox.messages import Request, Response
from deploy.sandbox.podinfo.app import VERSION_HEADER, Podinfo, from_environment
from deploy.sandbox.podinfo.faults import Faults


def pod(**faults: Any) -> Podinfo:
    environment = {"IMAGE": "stefanprodan/podinfo:6.0.1", "POD_NAME": "podinfo-7d4-x2x", "PODINFO_UI_COLOR": "red"}
    return from_environment(environment, Faults(**faults))


async def ask(replica: Podinfo, path: str, method: str = "GET", body: bytes = b"") -> Response:
    plan = replica.plan(Request(method, path, {}, {"x-canary": "insider"}, body))
    await asyncio.sleep(plan.delay)
    return plan.answer()


def content(response: Response) -> Any:
    return json.loads(response.body)


async def test_the_index_tells_version_and_hostname() -> None:
    answer = content(await ask(pod(), "/"))
    assert answer["version"] == "6.0.1"
    assert answer["hostname"] == "podinfo-7d4-x2x"
    assert answer["color"] == "red"
    assert answer["message"] == "greetings from podinfo v6.0.1"


@pytest.mark.parametrize("path", ["/", "/version", "/status/500", "/nowhere", "/healthz", "/readyz", "/metrics"])
async def test_every_answer_carries_the_version_in_a_header(path: str) -> None:
    assert (await ask(pod(), path)).headers[VERSION_HEADER] == "6.0.1"


@pytest.mark.parametrize("code", [200, 404, 500, 503])
async def test_status_answers_with_the_code_asked_for(code: int) -> None:
    assert (await ask(pod(), f"/status/{code}")).status == code


@pytest.mark.parametrize("path", ["/status/999", "/status/x", "/status", "/delay/x", "/delay"])
async def test_an_argument_that_makes_no_sense_is_a_400(path: str) -> None:
    assert (await ask(pod(), path)).status == 400


async def test_an_unknown_path_is_a_404() -> None:
    assert (await ask(pod(), "/nowhere")).status == 404


async def test_a_posted_token_request_gets_a_token_as_the_acceptance_test_wants_it() -> None:
    assert len(content(await ask(pod(), "/token", "POST", b"test"))["token"]) == 48
    assert (await ask(pod(), "/token")).status == 405


async def test_headers_and_echo_give_back_what_was_sent() -> None:
    assert content(await ask(pod(), "/headers"))["X-Canary"] == ["insider"]
    assert (await ask(pod(), "/echo", "POST", b"hello")).body == b"hello"


async def test_readiness_is_switched_by_hand() -> None:
    replica = pod()
    assert (await ask(replica, "/readyz")).status == 200
    await ask(replica, "/readyz/disable", "POST")
    assert (await ask(replica, "/readyz")).status == 503
    assert (await ask(replica, "/healthz")).status == 200
    await ask(replica, "/readyz/enable", "POST")
    assert (await ask(replica, "/readyz")).status == 200
    assert (await ask(replica, "/readyz/maybe")).status == 404


async def test_a_pod_that_is_never_ready_cannot_be_switched_on() -> None:
    replica = pod(never_ready=True)
    await ask(replica, "/readyz/enable", "POST")
    assert (await ask(replica, "/readyz")).status == 503


async def test_the_error_rate_hits_users_but_neither_probes_nor_metrics() -> None:
    replica = pod(error_rate=1.0)
    assert (await ask(replica, "/")).status == 500
    assert (await ask(replica, "/healthz")).status == 200
    assert (await ask(replica, "/metrics")).status == 200


async def test_latency_is_measured_in_the_histogram() -> None:
    replica = pod(latency=0.03)
    await ask(replica, "/")
    text = (await ask(replica, "/metrics")).body.decode()
    labels = 'method="GET",path="root",status="200"'
    assert f'http_request_duration_seconds_bucket{{{labels},le="0.025"}} 0' in text
    assert f'http_request_duration_seconds_bucket{{{labels},le="+Inf"}} 1' in text
    assert f"http_request_duration_seconds_count{{{labels}}} 1" in text


async def test_requests_are_counted_by_status() -> None:
    replica = pod()
    for path in ("/", "/status/404", "/status/404", "/status/500"):
        await ask(replica, path)
    text = (await ask(replica, "/metrics")).body.decode()
    assert 'http_requests_total{status="200"} 1' in text
    assert 'http_requests_total{status="404"} 2' in text
    assert 'http_request_duration_seconds_count{method="GET",path="status",status="404"} 2' in text


async def test_unknown_paths_share_one_series() -> None:
    replica = pod()
    for number in range(50):
        await ask(replica, f"/scan-{number}")
    text = (await ask(replica, "/metrics")).body.decode()
    assert 'http_request_duration_seconds_count{method="GET",path="other",status="404"} 50' in text
    assert "scan-" not in text


def test_faults_come_from_the_environment() -> None:
    environment = {"FAULT_ERROR_RATE": "0.3", "FAULT_LATENCY": "2", "FAULT_CRASH": "0", "FAULT_NOT_READY": "true"}
    assert Faults.read(environment) == Faults(error_rate=0.3, latency=2.0, crash_after=0.0, never_ready=True)
    assert Faults.read({}) == Faults()


@pytest.mark.parametrize("value", ["often", "-1"])
def test_a_fault_that_makes_no_sense_names_its_variable(value: str) -> None:
    with pytest.raises(ValueError, match="FAULT_ERROR_RATE"):
        Faults.read({"FAULT_ERROR_RATE": value})
