"""Webhooks against real HTTP servers."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx
import pytest
from aiohttp import web

from handlers.adapters.webhooks import PATIENCE, Webhooks, payload_of
from schemas.canary import HookType, Webhook
from tests.handlers.adapters.apiserver import Answer, serving

TLS = Path(__file__).parent / "tls"
PAYLOAD = payload_of("podinfo", "test", "Progressing", "abc")


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
async def webhooks(waits: list[float]) -> AsyncIterator[Webhooks]:
    async def wait(seconds: float) -> None:
        waits.append(seconds)

    async with httpx.AsyncClient() as client:
        webhooks = Webhooks(client, sleep=wait)
        yield webhooks
        await webhooks.close()


def hook(url: str, **fields: object) -> Webhook:
    return Webhook.model_validate({"name": "gate", "url": url, **fields})


def replying(*replies: tuple[int, str], **headers: str) -> Answer:
    """One after the other, the last one for ever."""
    left = list(replies)

    async def answer(request: web.Request) -> web.StreamResponse:
        status, text = left.pop(0) if len(left) > 1 else left[0]
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, text=text if status != 204 else None, headers=named)

    return answer


async def test_the_payload_arrives_byte_for_byte_as_the_peer_sends_it(webhooks: Webhooks) -> None:
    seen = []

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append((request.method, request.content_type, await request.read()))
        return web.Response()

    metadata = {"type": "bash", "cmd": "hey -z 1m <http://a?b&c> ü"}
    async with serving(answer) as url:
        await webhooks.ask(hook(url), payload_of("podinfo", "test", "Progressing", "abc", metadata))
        await webhooks.ask(hook(url), payload_of("podinfo", "test", "", "", {}))
    text = (
        '{"name":"podinfo","namespace":"test","phase":"Progressing","checksum":"abc",'
        '"metadata":{"cmd":"hey -z 1m \\u003chttp://a?b\\u0026c\\u003e ü","type":"bash"}}'
    )
    assert seen == [
        ("POST", "application/json", text.encode()),
        ("POST", "application/json", b'{"name":"podinfo","namespace":"test","phase":"","checksum":""}'),
    ]


@pytest.mark.parametrize("status", [200, 201, 202, 204, 206, 299])
async def test_any_2xx_passes(webhooks: Webhooks, status: int) -> None:
    async with serving(replying((status, "fine"))) as url:
        answer = await webhooks.ask(hook(url, type="confirm-rollout"), PAYLOAD)
    assert answer.passed
    assert (answer.name, answer.type, answer.status) == ("gate", HookType.CONFIRM_ROLLOUT, status)


async def test_a_refusal_is_not_repeated_and_keeps_its_text(webhooks: Webhooks, waits: list[float]) -> None:
    async with serving(replying((403, "Forbidden by \n" + "x" * 1000))) as url:
        answer = await webhooks.ask(hook(url, retries=5), PAYLOAD)
    assert (answer.passed, answer.status, waits) == (False, 403, [])
    assert answer.text.startswith("Forbidden by")
    assert len(answer.text) == 300


async def test_a_refusal_without_words_gets_those_of_its_status(webhooks: Webhooks) -> None:
    async with serving(replying((404, ""))) as url:
        assert (await webhooks.ask(hook(url), PAYLOAD)).text == "404 Not Found"


async def test_server_errors_are_tried_again_with_growing_waits_and_their_text_is_kept(
    webhooks: Webhooks, waits: list[float]
) -> None:
    async with serving(replying((500, "out of disk"))) as url:
        answer = await webhooks.ask(hook(url, retries=7), PAYLOAD)
    assert answer.text == f"POST {url} giving up after 8 attempt(s): out of disk"
    assert (answer.passed, answer.status) == (False, 500)
    assert waits == [1, 2, 4, 8, 16, 30, 30]


async def test_nobody_is_asked_again_for_longer_than_a_step_may_wait(webhooks: Webhooks, waits: list[float]) -> None:
    async with serving(replying((503, "busy"))) as url:
        answer = await webhooks.ask(hook(url, retries=1000), PAYLOAD)
    assert answer.text == f"POST {url} giving up after 8 attempt(s): busy"
    assert sum(waits) <= PATIENCE


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("not yet\n\tsay \x1b[31;1mthe\x1b[0m tests\r\n", "not yet say the tests"),
        ("\x00\u202eevil\u2028 \x7f", "evil"),
        ("\x07 \n", "403 Forbidden"),
        ("  " + "é" * 400, "é" * 300),
    ],
)
async def test_an_answer_is_shown_on_one_line_without_control_characters(
    webhooks: Webhooks, said: str, text: str
) -> None:
    async with serving(replying((403, said))) as url:
        assert (await webhooks.ask(hook(url), PAYLOAD)).text == text


async def test_without_retries_there_is_one_attempt(webhooks: Webhooks, waits: list[float]) -> None:
    async with serving(replying((503, "busy"), (200, "OK"))) as url:
        answer = await webhooks.ask(hook(url), PAYLOAD)
    assert answer.text == f"POST {url} giving up after 1 attempt(s): busy"
    assert waits == []


async def test_what_works_at_the_second_attempt_passes(webhooks: Webhooks, waits: list[float]) -> None:
    for status in (429, 500, 502, 503):
        async with serving(replying((status, "later"), (200, "OK"))) as url:
            answer = await webhooks.ask(hook(url, retries=1), PAYLOAD)
        assert (answer.passed, answer.text) == (True, "OK")
    assert waits == [1, 1, 1, 1]


async def test_not_implemented_is_not_tried_again(webhooks: Webhooks, waits: list[float]) -> None:
    async with serving(replying((501, "no such task"))) as url:
        answer = await webhooks.ask(hook(url, retries=3), PAYLOAD)
    assert (answer.text, waits) == ("no such task", [])


@pytest.mark.parametrize(
    ("status", "header", "wait"),
    [(429, "7", 7), (503, "0", 0), (503, "60", 60), (500, "7", 1), (429, "soon", 1), (503, "date", 20)],
)
async def test_retry_after_is_honoured(
    webhooks: Webhooks, waits: list[float], status: int, header: str, wait: float
) -> None:
    if header == "date":
        header = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    async with serving(replying((status, "later"), (200, "OK"), Retry_After=header)) as url:
        assert (await webhooks.ask(hook(url, retries=1), PAYLOAD)).passed
    assert waits == [pytest.approx(wait, abs=2)]


async def test_who_asks_for_more_time_than_a_step_may_wait_is_not_disturbed_before(
    webhooks: Webhooks, waits: list[float]
) -> None:
    async with serving(replying((503, "down for an hour"), (200, "OK"), Retry_After="3600")) as url:
        answer = await webhooks.ask(hook(url, retries=5), PAYLOAD)
    assert (answer.passed, answer.text) == (False, f"POST {url} giving up after 1 attempt(s): down for an hour")
    assert waits == []


async def test_nobody_there_is_told_after_all_attempts(webhooks: Webhooks, waits: list[float]) -> None:
    async with serving(replying((200, ""))) as url:
        pass
    answer = await webhooks.ask(hook(url, retries=2), PAYLOAD)
    assert answer.text.startswith(f"POST {url} giving up after 3 attempt(s): ")
    assert (answer.passed, answer.status, waits) == (False, None, [1, 2])


async def test_the_timeout_is_of_one_attempt_even_when_the_answer_drips(webhooks: Webhooks) -> None:
    attempts = 0

    async def drip(request: web.Request) -> web.StreamResponse:
        nonlocal attempts
        attempts += 1
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(100):
            await response.write(b".")
            await asyncio.sleep(0.05)
        return response

    async with serving(drip) as url:
        answer = await webhooks.ask(hook(url, retries=1, timeout="200ms"), PAYLOAD)
    assert answer.text == f"POST {url} giving up after 2 attempt(s): no answer within 0.2s"
    assert attempts == 2


async def test_redirects_are_followed_and_a_circle_is_an_answer(webhooks: Webhooks) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/circle":
            raise web.HTTPTemporaryRedirect("/circle")
        if request.path == "/old":
            raise web.HTTPTemporaryRedirect("/new")
        return web.Response(text=f"{request.method} {len(await request.read())}")

    async with serving(answer) as url:
        assert (await webhooks.ask(hook(f"{url}/old"), PAYLOAD)).text == f"POST {len(PAYLOAD)}"
        circle = await webhooks.ask(hook(f"{url}/circle", retries=2), PAYLOAD)
    assert (circle.passed, circle.text) == (False, f"POST {url}/circle: Exceeded maximum allowed redirects.")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nats://judge", "there is no bus here"),
        ("nats://canary.command.promote.prod.shop", "is a subject of our own"),
        ("nats://$SYS.REQ.SERVER.PING", "names no subject of a gate"),
        ("nats://gates.*", "names no subject of a gate"),
        ("ftp://host/x", "unsupported protocol"),
        ("http://host:port/", "no valid address"),
        ("", "missing"),
    ],
)
async def test_a_url_that_cannot_be_asked_is_an_answer_at_once(
    webhooks: Webhooks, waits: list[float], url: str, words: str
) -> None:
    answer = await webhooks.ask(hook(url, retries=3), PAYLOAD)
    assert not answer.passed
    assert words in answer.text
    assert waits == []


async def test_a_timeout_that_is_none_keeps_nobody_from_being_asked(webhooks: Webhooks) -> None:
    async with serving(replying((200, "OK"))) as url:
        assert (await webhooks.ask(hook(url, timeout="1min"), PAYLOAD)).passed


async def test_a_certificate_is_verified_unless_the_hook_says_otherwise(webhooks: Webhooks, waits: list[float]) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(TLS / "cert.pem", TLS / "key.pem")
    async with serving(replying((200, "OK")), context) as url:
        untrusted = await webhooks.ask(hook(url, retries=2), PAYLOAD)
        trusted = await webhooks.ask(hook(url, disableTLS=True), PAYLOAD)
    assert not untrusted.passed
    assert "certificate verify failed" in untrusted.text
    assert waits == [], "a certificate that is not trusted will not be a second later, either"
    assert trusted.passed


async def test_environment_proxies_are_used_with_and_without_tls_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    async def proxy(request: web.Request) -> web.StreamResponse:
        return web.Response(text=f"proxied {request.raw_path}")

    async with serving(proxy) as url:
        for name in ("NO_PROXY", "no_proxy", "http_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HTTP_PROXY", url)
        async with httpx.AsyncClient() as client:
            webhooks = Webhooks(client)
            for unchecked in (False, True):
                answer = await webhooks.ask(hook("http://loadtester.test/", disableTLS=unchecked), PAYLOAD)
                assert answer.text == "proxied http://loadtester.test/"
            await webhooks.close()
