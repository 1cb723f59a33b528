"""Gates and judges as services on the bus: ``nats://subject`` as a hook's url."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.micro import add_service
from nats.micro.request import Request
from nats.micro.service import EndpointConfig, ServiceConfig

from handlers.adapters.webhooks import Webhooks, payload_of
from schemas.canary import Webhook

PAYLOAD = payload_of("podinfo", "test", "Waiting", "abc", {"team": "shop"})


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
async def webhooks(client: Client, waits: list[float]) -> AsyncIterator[Webhooks]:
    async def wait(seconds: float) -> None:
        waits.append(seconds)

    async with httpx.AsyncClient() as http:
        yield Webhooks(http, client, sleep=wait)


def gate(**fields: Any) -> Webhook:
    return Webhook.model_validate({"name": "gate", "url": "nats://canary.hook.approval", **fields})


def saying(answer: bytes) -> Callable[[Msg], Awaitable[None]]:
    async def say(message: Msg) -> None:
        await message.respond(answer)

    return say


async def test_a_gate_gets_the_payload_of_the_http_contract_and_its_verdict_counts(
    client: Client, webhooks: Webhooks
) -> None:
    asked: list[bytes] = []

    async def judge(message: Msg) -> None:
        asked.append(message.data)
        passes = json.loads(message.data)["phase"] == "Progressing"
        await message.respond(json.dumps({"pass": passes, "message": "office hours\nonly"}).encode())

    await client.subscribe("canary.hook.approval", cb=judge)
    closed = await webhooks.ask(gate(), PAYLOAD)
    opened = await webhooks.ask(gate(), payload_of("podinfo", "test", "Progressing", "abc"))
    assert asked[0] == PAYLOAD
    assert (closed.passed, closed.answered, closed.text) == (False, True, "office hours only")
    assert opened.passed


@pytest.mark.parametrize(("verdict", "text"), [(b'{"pass": true}', "passed"), (b'{"pass": false}', "refused")])
async def test_a_verdict_needs_no_words(client: Client, webhooks: Webhooks, verdict: bytes, text: str) -> None:
    await client.subscribe("canary.hook.approval", cb=saying(verdict))
    assert (await webhooks.ask(gate(), PAYLOAD)).text == text


@pytest.mark.parametrize("answer", [b"", b"yes", b"[true]", b'{"pass": "yes"}', b'{"passed": true}'])
async def test_an_answer_that_is_no_verdict_does_not_pass_and_says_what_one_is(
    client: Client, webhooks: Webhooks, waits: list[float], answer: bytes
) -> None:
    await client.subscribe("canary.hook.approval", cb=saying(answer))
    found = await webhooks.ask(gate(retries=3), PAYLOAD)
    assert (found.passed, waits) == (False, [])
    assert found.text.startswith('nats://canary.hook.approval does not answer {"pass": true|false, "message": …}: ')


async def test_a_gate_where_nobody_listens_is_tried_again_with_growing_waits(
    webhooks: Webhooks, waits: list[float]
) -> None:
    found = await webhooks.ask(gate(retries=2), PAYLOAD)
    assert (found.passed, found.answered, waits) == (False, False, [1, 2])
    assert found.text == (
        "request nats://canary.hook.approval giving up after 3 attempt(s): "
        "nobody listens on nats://canary.hook.approval"
    )


async def test_a_gate_that_is_silent_has_its_timeout(client: Client, webhooks: Webhooks) -> None:
    async def think(_: Msg) -> None:
        return

    await client.subscribe("canary.hook.approval", cb=think)
    found = await webhooks.ask(gate(timeout="100ms"), PAYLOAD)
    assert (found.answered, "no answer within 0.1s" in found.text) == (False, True)


@pytest.mark.parametrize(("code", "attempts"), [("403", 1), ("503", 2), ("oops", 2)])
async def test_an_error_of_a_micro_service_counts_like_the_http_answer_of_that_code(
    client: Client, webhooks: Webhooks, code: str, attempts: int
) -> None:
    asked = 0

    async def refuse(request: Request) -> None:
        nonlocal asked
        asked += 1
        await request.respond_error(code, "not on Fridays")

    service = await add_service(client, ServiceConfig(name="gates", version="1.0.0"))
    await service.add_endpoint(EndpointConfig(name="gate", subject="canary.hook.approval", handler=refuse))
    found = await webhooks.ask(gate(retries=1), PAYLOAD)
    await service.stop()
    assert (found.passed, asked) == (False, attempts)
    assert "not on Fridays" in found.text


async def test_a_bus_that_is_gone_is_an_answer(client: Client, webhooks: Webhooks) -> None:
    await client.close()
    found = await webhooks.ask(gate(), PAYLOAD)
    assert (found.passed, found.answered) == (False, False)
    assert "connection closed" in found.text
