"""Parts of the sandbox as processes: they become ready, say why they do not, and end."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.sandbox.network import free_port
from deploy.sandbox.parts import Part, PartError, Ready, answers, prints, surroundings
from tests.patience import PATIENCE

Make = Callable[..., Part]
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True); time.sleep(60)"
)


@pytest_asyncio.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    parts: list[Part] = []

    def made(code: str, ready: Ready, **environment: str) -> Part:
        parts.append(Part("part", "for a test", (sys.executable, "-c", code), ready, tmp_path / "log", environment))
        return parts[-1]

    yield made
    await asyncio.gather(*(part.kill() for part in parts))


async def test_a_part_is_started_when_it_says_so(make: Make) -> None:
    part = make("import time; print('here we are', flush=True); time.sleep(60)", prints("here"))

    seconds = await part.start()

    assert seconds > 0
    assert part.said == "here we are\n"


async def test_a_part_is_started_when_its_port_answers(make: Make) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    code = f"import http.server as s; s.test(s.SimpleHTTPRequestHandler, port={port}, bind='127.0.0.1')"
    part = make(code, answers(url))

    assert not await answers(url)(part)
    await part.start()

    assert await answers(url)(part)


async def test_a_part_that_dies_is_told_with_the_end_of_its_log_and_a_remedy(make: Make) -> None:
    part = make("raise SystemExit('no licence for this')", prints("never"))

    with pytest.raises(PartError, match=r"part ended with 1; try `make setup`[\s\S]*\| no licence for this"):
        await part.start()


async def test_what_it_said_before_a_restart_does_not_make_it_ready(make: Make) -> None:
    """The second time it says nothing, so it must not be taken for ready."""
    code = (
        "import os, sys, time; os.path.exists('twice') and sys.exit(3); open('twice', 'w'); print('ready', flush=True)"
    )
    part = make(f"{code}; time.sleep(60)", prints("ready"))
    await part.start()
    await part.stop()

    with pytest.raises(PartError, match="ended with 3"):
        await part.start()


async def test_a_part_that_ignores_sigterm_is_killed(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.sandbox.parts._GRACE", 0.2)
    part = make(STUBBORN, prints("here"))
    await part.start()

    await part.stop()

    await asyncio.wait_for(part.ended(), PATIENCE)
    assert "SIGKILL" in part.obituary()


async def test_a_part_sees_neither_our_proxies_nor_our_settings(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://elsewhere")
    monkeypatch.setenv("CANARYBUS_NATS_URL", "nats://elsewhere")

    part = make(
        "import os; import time; print(dict(os.environ), flush=True); time.sleep(60)", prints("}"), COLOUR="blue"
    )
    await part.start()

    assert "elsewhere" not in part.said
    assert "'COLOUR': 'blue'" in part.said
    assert surroundings()["PATH"] in part.said
