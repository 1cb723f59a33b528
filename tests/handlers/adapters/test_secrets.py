"""No secret and no part of one is in a log record, an error or a measurement, whatever fault the other side makes."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import httpx
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from handlers.adapters import alerts as chats
from handlers.adapters.alerts import Alert, Alerts, Destination
from handlers.adapters.errors import AdapterError
from handlers.adapters.hiding import hidden
from handlers.adapters.metrics import _KINDS, Providers
from handlers.adapters.telemetry import configure_logging
from schemas.alerts import AlertType
from schemas.metrics import ProviderType
from tests.handlers.adapters.apiserver import Answer, serving
from tests.handlers.adapters.metrics.asking import providers, question
from tests.handlers.adapters.metrics.wires import WIRES

MARKER = "mArK3r-7f31c9"
TLS = Path(__file__).parent / "tls"
QUERIES = {wire.kind: wire.query for wire in WIRES} | {"prometheus": "up", "stackdriver": "up"}
SECRETS = {
    "prometheus": {"username": "user", "password": MARKER},
    "datadog": {"datadog_api_key": MARKER, "datadog_application_key": f"{MARKER}-app"},
    "newrelic": {"newrelic_account_id": "12345", "newrelic_query_key": MARKER},
    "graphite": {"username": "user", "password": MARKER},
    "stackdriver": {"project": "shop", "serviceAccountKey": json.dumps({"type": MARKER, "private_key": MARKER})},
    "influxdb": {"token": MARKER, "org": "the-org"},
    "dynatrace": {"dynatrace_token": MARKER},
    "splunk": {"sf_token_key": MARKER},
    "externalmetrics": {"token": MARKER},
}


def echoing(status: int, *, before: int = 0) -> Answer:
    """All of the request in the answer, as some proxies do, after so many other characters."""

    async def answer(request: web.Request) -> web.StreamResponse:
        lines = [request.path_qs, *(f"{key}: {value}" for key, value in request.headers.items())]
        text = " ".join([*lines, (await request.read()).decode(errors="replace"), *lines])
        return web.Response(status=status, text="x" * before + text)

    return answer


async def silent(_request: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def elsewhere(request: web.Request) -> web.StreamResponse:
    return web.Response(status=302, headers={"Location": f"http://127.0.0.1:1{request.path_qs}"})


@asynccontextmanager
async def untrusted() -> AsyncIterator[str]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(TLS / "cert.pem", TLS / "key.pem")
    async with serving(echoing(200), tls) as url:
        yield url


@asynccontextmanager
async def nobody() -> AsyncIterator[str]:
    yield "http://127.0.0.1:1"


FAULTS: dict[str, Callable[[], AbstractAsyncContextManager[str]]] = {
    "401": lambda: serving(echoing(401)),
    "401, cut off in the middle of it": lambda: serving(echoing(401, before=225)),
    "500": lambda: serving(echoing(500)),
    "garbage": lambda: serving(echoing(200)),
    "no answer in time": lambda: serving(silent),
    "a redirect": lambda: serving(elsewhere),
    "a certificate that is not trusted": untrusted,
    "nobody there": nobody,
}


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Everything that the process would log at its most talkative."""
    names = ["", "httpx", "httpcore", "faststream", "nats", "asyncio", "aiohttp", "client", "kubernetes"]
    names += ["urllib3", "botocore", "boto3", "google"]
    levels = {name: logging.getLogger(name).level for name in names}
    root = logging.getLogger()
    handlers = list(root.handlers)
    configure_logging("debug")
    root.addHandler(caplog.handler)
    caplog.handler.setLevel(logging.DEBUG)
    yield caplog
    root.handlers = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    logging.captureWarnings(False)


def assert_hidden(*texts: str) -> None:
    for text in texts:
        for form in (MARKER, MARKER[:8], *(base64.b64encode(f"{who}{MARKER}".encode()).decode()[:12] for who in FORMS)):
            assert form not in text, text


FORMS = ("user:", "")


def with_login(url: str) -> str:
    """A password and a query in the address itself."""
    return url.replace("://", f"://user:{MARKER}@") + f"/base?key={MARKER}"


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", SECRETS)
async def test_a_provider_keeps_its_secrets(
    kind: str, fault: str, monkeypatch: pytest.MonkeyPatch, logged: pytest.LogCaptureFixture
) -> None:
    if fault == "no answer in time":
        monkeypatch.setattr(_KINDS[ProviderType(kind)], "timeout", 0.05)
    headers = {"X-Api-Key": (MARKER,), "Authorization": (f"Bearer {MARKER}",)}
    async with FAULTS[fault]() as url, providers() as found:
        for address, secret in ((url, SECRETS[kind]), (with_login(url), SECRETS[kind])):
            asked = question(address, QUERIES[kind], secret=secret, headers=headers)
            measured = await found.ask(ProviderType(kind), asked)
            problem = await found.check(ProviderType(kind), asked)
            assert measured.outcome in ("error", "unreachable", "empty"), measured
            assert_hidden(measured.model_dump_json(), repr(measured), problem, repr(asked))
    assert_hidden(logged.text, *(str(vars(record)) for record in logged.records))


async def test_amazons_client_keeps_credentials_and_the_login_of_an_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN"):
        monkeypatch.setenv(f"AWS_{name}", MARKER)
    async with providers() as found:
        for fault in ("401", "500"):
            async with FAULTS[fault]() as url:
                assert_hidden(await amazon(found, url))
        assert_hidden(await amazon(found, with_login("http://127.0.0.1:1")))


async def amazon(found: Providers, address: str) -> str:
    measured = await found.ask(ProviderType.CLOUDWATCH, question(address, "[]", region="eu-west-1"))
    assert measured.outcome != "value"
    return measured.model_dump_json()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", list(AlertType))
async def test_a_chat_service_keeps_its_address_and_token(
    kind: AlertType, fault: str, monkeypatch: pytest.MonkeyPatch, logged: pytest.LogCaptureFixture
) -> None:
    if fault == "no answer in time":
        monkeypatch.setattr(chats, "_TIMEOUT", 0.05)
    told = Alert("podinfo.test", "Failed checks", "error")
    async with FAULTS[fault]() as url, httpx.AsyncClient() as http:
        for address in (f"{url}/services/{MARKER}", f"{with_login(url)}&token={MARKER}"):
            to = Destination(kind, address, token=f"xoxb-{MARKER}" if kind is AlertType.SLACK else "")
            try:
                await Alerts(http).send(to, told)
            except AdapterError as error:
                assert_hidden(str(error), repr(error), repr(to))
            else:
                assert fault in ("garbage", "a redirect")
    assert_hidden(logged.text, *(str(vars(record)) for record in logged.records))


WORD = st.text(st.characters(codec="ascii", categories=("L", "N"), include_characters="-_./+"), min_size=8, max_size=40)


@given(before=st.text(max_size=300), secret=WORD, cut=st.integers(8, 400))
def test_a_secret_is_hidden_wherever_a_text_ends(before: str, secret: str, cut: int) -> None:
    text = hidden((before + secret + secret)[:cut], [secret])
    assert secret[:8] not in text.replace("***", "\0")


def test_an_answer_that_is_nothing_but_the_secret_is_hidden_in_one_pass() -> None:
    began = time.process_time()
    assert hidden("the-secret " * 400_000, ["the-secret"]) == "*** " * 400_000
    assert time.process_time() - began < 5, "seconds; each find copied the whole text"
