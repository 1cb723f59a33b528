"""Judges and metrics as services on a real bus: ``address: nats://subject``."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.micro import add_service
from nats.micro.request import Request
from nats.micro.service import EndpointConfig, ServiceConfig

from handlers.adapters.metrics.nats import Nats
from handlers.core.queries import judge_question
from schemas.canary import Canary
from schemas.measurement import Measurement
from schemas.metrics import MetricProvider, ProviderType
from tests.handlers.adapters.metrics.asking import providers, question
from tests.handlers.core.manifests import weighted

JUDGE = "nats://judges.errors"


async def ask(bus: Client | None, address: str = JUDGE, **more: Any) -> Measurement:
    async with providers(bus=bus) as found:
        return await found.ask(ProviderType.NATS, question(address, "errors of podinfo", **more))


def saying(answer: bytes) -> Callable[[Msg], Awaitable[None]]:
    async def say(message: Msg) -> None:
        await message.respond(answer)

    return say


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (b'{"pass": true}', {"outcome": "verdict", "passed": True, "value": None}),
        (b'{"pass": false, "message": "too\\nslow"}', {"outcome": "verdict", "passed": False, "detail": "too slow"}),
        (b'{"pass": true, "value": 3, "samples": 9}', {"outcome": "verdict", "value": 3.0, "samples": 9.0}),
        (b'{"value": 1.2, "samples": 340}', {"outcome": "value", "value": 1.2, "samples": 340.0, "passed": None}),
        (b'{"value": 7}', {"outcome": "value", "value": 7.0}),
        (b'{"value": null, "message": "no user yet"}', {"outcome": "empty", "detail": "no user yet"}),
        (b'{"pass": null}', {"outcome": "empty", "detail": "no values found"}),
        (b'{"value": NaN}', {"outcome": "empty", "value": None}),
    ],
)
async def test_it_answers_with_a_verdict_a_number_or_nothing_yet(
    client: Client, answer: bytes, found: dict[str, Any]
) -> None:
    await client.subscribe("judges.errors", cb=saying(answer))
    measured = (await ask(client)).model_dump()
    assert {key: measured[key] for key in found} == found
    assert (measured["provider"], measured["endpoint"], measured["query"]) == ("nats", JUDGE, "errors of podinfo")


@pytest.mark.parametrize(
    "answer", [b"", b"yes", b"{}", b"[1]", b'{"pass": "no"}', b'{"value": "1"}', b'{"message": "hm"}', b"\xff\xfe"]
)
async def test_any_other_answer_is_an_error_that_says_what_one_is(client: Client, answer: bytes) -> None:
    await client.subscribe("judges.errors", cb=saying(answer))
    measured = await ask(client)
    wanted = '{"pass": true|false, "message": …} or {"value": 1.2, "samples": 340}'
    assert measured.outcome == "error"
    assert measured.detail.startswith(f"{JUDGE} does not answer {wanted}: ")


async def test_nobody_there_no_answer_in_time_and_no_bus_are_told_apart(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = await ask(client)
    assert (nobody.outcome, nobody.detail) == ("unreachable", f"nobody listens on {JUDGE}")

    async def silent(message: Msg) -> None:
        assert message.reply

    await client.subscribe("judges.errors", cb=silent)
    monkeypatch.setattr(Nats, "timeout", 0.1)
    late = await ask(client)
    assert (late.outcome, late.detail) == ("unreachable", "no answer within 0.1s")
    nowhere = await ask(None)
    assert (nowhere.outcome, nowhere.detail) == ("error", f"{JUDGE}: there is no bus here")


@pytest.mark.parametrize(("code", "outcome"), [(503, "unreachable"), (429, "unreachable"), (400, "error")])
async def test_the_error_of_a_micro_service_counts_like_that_of_http(client: Client, code: int, outcome: str) -> None:
    async def refuse(request: Request) -> None:
        await request.respond_error(str(code), "database\tis away")

    service = await add_service(client, ServiceConfig(name="judge", version="1.0.0"))
    await service.add_endpoint(EndpointConfig(name="errors", subject="judges.errors", handler=refuse))
    measured = await ask(client)
    assert (measured.outcome, measured.detail) == (outcome, f"error response: Status {code}: database is away")
    await service.stop()


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("nats://$SYS.REQ.SERVER.PING", "names no subject of a gate or judge"),
        ("nats://judges.*", "names no subject of a gate or judge"),
        ("nats://canary.api.promote.test.podinfo", "is a subject of our own"),
        ("http://judge", "is not a subject; write it as nats://canary.hook.errors"),
    ],
)
async def test_nobody_speaks_with_our_rights_through_a_template(client: Client, address: str, words: str) -> None:
    measured = await ask(client, address)
    assert measured.outcome == "error"
    assert words in measured.detail


def test_a_judge_is_asked_like_a_hook_and_told_what_the_metric_is_about() -> None:
    metric = {
        "name": "errors",
        "templateRef": {"name": "t"},
        "interval": "2m",
        "templateVariables": {"b": "2", "a": "1"},
    }
    metadata = {"name": "podinfo", "namespace": "test"}
    status = {"phase": "WaitingPromotion", "canaryRevision": "abc", "canaryWeight": 30}
    canary = Canary.from_object({"metadata": metadata, "spec": weighted(metrics=[metric]), "status": status})
    asked = json.loads(judge_question(canary, canary.spec.analysis.metrics[0], "errors of podinfo"))
    assert asked == {
        "name": "podinfo",
        "namespace": "test",
        "phase": "Progressing",
        "checksum": "abc",
        "metadata": {"a": "1", "b": "2"},
        "metric": "errors",
        "query": "errors of podinfo",
        "interval": 120.0,
        "target": "podinfo",
        "service": "podinfo",
        "weight": 30,
    }


@pytest.mark.parametrize("kind", ["nats", "prometheus"])
def test_the_address_says_that_it_is_a_judge_whatever_the_type(kind: str) -> None:
    assert MetricProvider.model_validate({"type": kind, "address": JUDGE}).kind is ProviderType.NATS
