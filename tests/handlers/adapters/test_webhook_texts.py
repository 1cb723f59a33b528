"""What is read of a hook's answer, and what of it and of its address is shown."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from aiohttp import web

from handlers.adapters.webhooks import Webhooks, payload_of
from schemas.canary import Webhook
from tests.handlers.adapters.apiserver import serving

PAYLOAD = payload_of("podinfo", "test", "Progressing", "abc")


@pytest.fixture
async def webhooks() -> AsyncIterator[Webhooks]:
    async with httpx.AsyncClient() as client:
        yield Webhooks(client)


def hook(url: str, **fields: object) -> Webhook:
    return Webhook.model_validate({"name": "gate", "url": url, **fields})


async def test_what_of_a_url_is_secret_is_in_no_text(webhooks: Webhooks) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=500, text=f"no to {request.path_qs} {request.headers['Authorization']}")

    async with serving(answer) as address:
        login = address.replace("http://", "http://ann:p4ss%2Fw0rd@")
        found = await webhooks.ask(hook(f"{login}/x?key=t0k3nvalue&name=podinfo"), PAYLOAD)
        shown = f"{address.replace('http://', 'http://ann:***@')}/x?key=***&name=podinfo"
        assert found.text.startswith(f"POST {shown} giving up after 1 attempt(s): no to /x?key=***&name=podinfo")
        for secret in ("p4ss", "w0rd", "t0k3nvalue"):
            assert secret not in found.text
    for url in (
        f"{login}/x?token=t0k3nvalue",
        "http://ann:t0k3nvalue@[::1",
        "http://ann:t0k3?nvalue@h/x",
        "http://ann:t0k3#nvalue@h/x",
        "nats://ann:t0k3nvalue@gate",
    ):
        assert "t0k3" not in (await webhooks.ask(hook(url), PAYLOAD)).text


async def test_a_port_that_cannot_be_is_an_answer_in_words(webhooks: Webhooks) -> None:
    found = await webhooks.ask(hook("http://127.0.0.1:99999/"), PAYLOAD)
    assert (found.passed, found.answered) == (False, False)
    assert found.text


@pytest.mark.parametrize(("charset", "text"), [("iso-8859-1", "für"), ("utf-16", "halt"), ("no-such-charset", "halt")])
async def test_an_answer_is_read_in_its_own_charset(webhooks: Webhooks, charset: str, text: str) -> None:
    async def answer(_request: web.Request) -> web.StreamResponse:
        known = "utf-8" if charset.startswith("no") else charset
        headers = {"Content-Type": f"text/plain; charset={charset}"}
        return web.Response(status=403, body=text.encode(known), headers=headers)

    async with serving(answer) as address:
        assert (await webhooks.ask(hook(address), PAYLOAD)).text == text


async def test_a_2xx_whose_body_cannot_be_read_passes_and_is_asked_once(webhooks: Webhooks) -> None:
    asked = []

    async def broken(_request: web.Request) -> web.StreamResponse:
        asked.append("broken")
        return web.Response(body=b"plain", headers={"Content-Encoding": "gzip"})

    async with serving(broken) as address:
        assert (await webhooks.ask(hook(address, retries=2), PAYLOAD)).passed
    assert asked == ["broken"]
