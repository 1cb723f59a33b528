"""Alerts as receivers get them: payloads byte for byte, and what becomes of a refusal."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from aiohttp import web

from handlers.adapters.alerts import Alert, Alerts, Destination, Posted
from handlers.adapters.errors import PermanentError, Throttled, TransientError, Unavailable
from handlers.app import http_clients
from schemas.alerts import AlertType
from tests.handlers.adapters.apiserver import Answer, serving
from tests.handlers.adapters.metrics.asking import replying

GOLDEN = Path(__file__).parent / "golden"
INFO = Alert(
    "podinfo.test",
    "New revision detected, progressing canary analysis.",
    "info",
    (
        ("Cluster", "prod"),
        ("Target", "Deployment/podinfo.test"),
        ("Failed checks threshold", "5"),
        ("Progress deadline", "600s"),
        ("Traffic routing", "Weight step: 10 max: 50"),
    ),
)
ERROR = Alert("podinfo.test", "Failed checks threshold reached 5: success rate 42.00% < 99%", "error")
WARN = Alert("podinfo.test", "Canary is waiting for approval.", "warn", (("Gate", "load test: 403 not yet"),))
BOT_TOKEN = "xoxb-secret"


class Capturing:
    """A receiver that keeps what it gets, and answers as a test says."""

    def __init__(self, answer: Answer) -> None:
        self.requests: list[tuple[str, bytes, dict[str, str]]] = []
        self._answer = answer

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(
            (request.path, await request.read(), {key.lower(): value for key, value in request.headers.items()})
        )
        return await self._answer(request)


async def send(destination: Destination, alert: Alert = ERROR, edited: Posted | None = None) -> Posted | None:
    async with httpx.AsyncClient() as client:
        alerts = Alerts(client)
        try:
            return await alerts.send(destination, alert, edited)
        finally:
            await alerts.close()


@pytest.mark.parametrize("kind", list(AlertType))
@pytest.mark.parametrize(("name", "alert"), [("info", INFO), ("warn", WARN), ("error", ERROR)])
async def test_the_payload_is_the_peers_byte_for_byte(kind: AlertType, name: str, alert: Alert) -> None:
    receiver = Capturing(replying("ok"))
    async with serving(receiver.answer) as url:
        assert await send(Destination(kind, f"{url}/hook", channel="on-call", username="canary"), alert) is None
    ((path, body, headers),) = receiver.requests
    assert path == ("/hook/slack" if kind is AlertType.DISCORD else "/hook")
    assert headers["content-type"] == "application/json"
    assert "authorization" not in headers
    assert body.decode() == (GOLDEN / f"{kind.value}-{name}.json").read_text().strip()


async def test_a_workflow_of_power_automate_gets_an_adaptive_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlers.adapters.alerts.msteams._WORKFLOWS", ("127.0.0.1",))
    receiver = Capturing(replying("", 202))
    async with serving(receiver.answer) as url:
        await send(Destination(AlertType.MSTEAMS, f"{url}/workflows/1"), INFO)
    assert receiver.requests[0][1].decode() == (GOLDEN / "msteams-workflow.json").read_text().strip()


async def test_a_discord_address_that_ends_in_slack_stays_as_it_is() -> None:
    receiver = Capturing(replying("ok"))
    async with serving(receiver.answer) as url:
        await send(Destination(AlertType.DISCORD, f"{url}/hook/slack"))
    assert receiver.requests[0][0] == "/hook/slack"


def bot(url: str) -> Destination:
    return Destination(AlertType.SLACK, f"{url}/api/chat.postMessage", token=BOT_TOKEN)


async def test_a_slack_bot_posts_once_and_edits_that_message_afterwards() -> None:
    receiver = Capturing(replying({"ok": True, "channel": "C1", "ts": "17.5"}))
    async with serving(receiver.answer) as url:
        posted = await send(bot(url), INFO)
        assert posted == Posted("C1", "17.5")
        assert await send(bot(url), ERROR, posted) == posted
    assert [path for path, _, _ in receiver.requests] == ["/api/chat.postMessage", "/api/chat.update"]
    assert all(headers["authorization"] == f"Bearer {BOT_TOKEN}" for _, _, headers in receiver.requests)
    assert b'"channel":"C1"' in receiver.requests[1][1]
    assert b'"ts":"17.5"' in receiver.requests[1][1]


async def test_a_message_that_is_gone_is_posted_again() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        gone = request.path.endswith("update")
        body = {"ok": False, "error": "message_not_found"} if gone else {"ok": True, "channel": "C1", "ts": "18.0"}
        return web.json_response(body)

    async with serving(answer) as url:
        assert await send(bot(url), ERROR, Posted("C1", "17.5")) == Posted("C1", "18.0")


@pytest.mark.parametrize(
    ("words", "kind"),
    [("invalid_auth", PermanentError), ("channel_not_found", PermanentError), ("ratelimited", Unavailable)],
)
async def test_a_slack_bot_that_is_refused_with_200_is_an_error(words: str, kind: type[Exception]) -> None:
    async with serving(replying({"ok": False, "error": words})) as url:
        with pytest.raises(kind, match=f"^Slack answered: {words}$"):
            await send(bot(url))


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, PermanentError), (404, PermanentError), (410, PermanentError), (429, Throttled), (500, Unavailable)],
)
@pytest.mark.parametrize("type_", list(AlertType))
async def test_a_refusal_says_who_and_what_but_no_secret(status: int, kind: type[Exception], type_: AlertType) -> None:
    async with serving(replying("no_service at /hook/T0KEN-OF-THE-HOOK", status, Retry_After="3")) as url:
        with pytest.raises(kind) as raised:
            await send(Destination(type_, f"{url}/hook/T0KEN-OF-THE-HOOK", token=BOT_TOKEN))
    assert f"answered {status}" in str(raised.value)
    assert "no_service" in str(raised.value)
    assert "T0KEN" not in str(raised.value)
    if isinstance(raised.value, TransientError) and status == 429:
        assert raised.value.delay == 3


async def test_nobody_there_and_no_answer_may_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlers.adapters.alerts._TIMEOUT", 0.1)
    over = asyncio.Event()

    async def never(request: web.Request) -> web.StreamResponse:
        await over.wait()
        return web.Response()

    async with serving(never) as url:
        with pytest.raises(Unavailable, match=r"MS Teams gave no answer within 0\.1s"):
            await send(Destination(AlertType.MSTEAMS, f"{url}/secret"))
        over.set()
    with pytest.raises(Unavailable) as raised:
        await send(Destination(AlertType.MSTEAMS, "http://127.0.0.1:1/secret"))
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("destination", "words"),
    [
        (Destination(AlertType.SLACK), "Slack has no address"),
        (Destination(AlertType.SLACK, "hooks.slack.com/x"), "invalid Slack hook URL"),
        (Destination(AlertType.MSTEAMS, "x"), "invalid MS Teams webhook URL"),
        (Destination(AlertType.DISCORD, "ftp://x"), "invalid Discord hook URL"),
        (Destination(AlertType.ROCKET, "http://"), "invalid Rocket hook URL"),
        (Destination(AlertType.GCHAT, "http://a:b:c"), "invalid Google Chat webhook URL"),
        (Destination(AlertType.SLACK, "http://127.0.0.1:1", channel=""), "empty Slack channel"),
        (Destination(AlertType.ROCKET, "http://127.0.0.1:1", username=""), "empty Rocket username"),
        (
            Destination(AlertType.SLACK, "https://slack.com/api/chat.postMessage"),
            "Slack's chat.postMessage needs a token: key token of the provider's Secret, or CANARYBUS_SLACK_TOKEN",
        ),
        (
            Destination(AlertType.SLACK, "http://127.0.0.1:1/api/chat.postMessage", token="xoxb-a\nb"),
            "the token of Slack has a line break or what is not ASCII; mend it",
        ),
        (
            Destination(AlertType.SLACK, "http://127.0.0.1:1", proxy="no proxy"),
            "invalid Slack hook URL, proxy or token",
        ),
    ],
)
async def test_a_destination_that_lacks_something_is_told_in_the_peers_words(
    destination: Destination, words: str
) -> None:
    with pytest.raises(PermanentError) as raised:
        await send(destination)
    assert str(raised.value) == words


async def test_a_proxy_carries_the_alert() -> None:
    receiver = Capturing(replying("ok"))
    async with serving(receiver.answer) as proxy:
        await send(Destination(AlertType.ROCKET, "http://chat.example.com/hook", proxy=proxy))
    assert receiver.requests[0][2]["host"] == "chat.example.com"


def test_a_destination_shows_no_secret() -> None:
    shown = repr(Destination(AlertType.SLACK, "https://hooks/secret", token="secret", proxy="http://u:secret@p"))
    assert "secret" not in shown


async def test_nothing_of_an_alert_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "canarybus")
    async with serving(replying("", 404)) as url:
        with pytest.raises(PermanentError):
            await send(Destination(AlertType.SLACK, f"{url}/T0KEN"))
    assert not [record for record in caplog.records if record.name.startswith("canarybus")]


@pytest.mark.parametrize("status", [302, 307])
async def test_no_alert_follows_a_redirect_with_the_client_of_the_handlers(status: int) -> None:
    elsewhere = Capturing(replying("<form>log in</form>"))
    (client,) = http_clients(1)
    async with (
        client,
        serving(elsewhere.answer) as foreign,
        serving(replying("", status, Location=f"{foreign}/login?next=T0KEN")) as url,
    ):
        with pytest.raises(PermanentError) as raised:
            await Alerts(client).send(bot(url), ERROR)
    assert str(raised.value) == f"Slack redirects to {foreign}, where alerts are not sent; mend the address"
    assert elsewhere.requests == []


async def test_slack_saying_no_with_200_is_an_error_at_any_address() -> None:
    async with serving(replying({"ok": False, "error": "not_authed"})) as url:
        with pytest.raises(PermanentError, match=r"^Slack answered: not_authed$"):
            await send(Destination(AlertType.SLACK, f"{url}/api/chat.post"))


async def test_a_connector_of_teams_that_was_throttled_behind_a_200_is_tried_again() -> None:
    said = "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId"
    async with serving(replying(said)) as url:
        with pytest.raises(Throttled, match=r"^MS Teams answered 429 Too Many Requests: Webhook message"):
            await send(Destination(AlertType.MSTEAMS, f"{url}/x"))


@pytest.mark.parametrize(
    ("header", "delay"),
    [("99999999", 300), ("Wed, 21 Oct 2099 07:28:00 GMT", 300), ("7", 7), ("soon", None), ("²", None)],
)
async def test_nobody_makes_an_alert_wait_longer_than_five_minutes(header: str, delay: float | None) -> None:
    async with serving(replying("x", 429, Retry_After=header)) as url:
        with pytest.raises(Throttled) as raised:
            await send(Destination(AlertType.ROCKET, f"{url}/x"))
    assert raised.value.delay == delay


async def test_an_answer_without_end_is_read_at_its_beginning_only() -> None:
    written = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal written
        response = web.StreamResponse()
        await response.prepare(request)
        with suppress(ConnectionError):
            while written < 500 << 20:
                await response.write(b"x" * 65536)
                written += 65536
        return response

    async with serving(endless) as url:
        assert await send(Destination(AlertType.ROCKET, f"{url}/x")) is None
    assert written < 64 << 20
