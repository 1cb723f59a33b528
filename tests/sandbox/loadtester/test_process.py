from __future__ import annotations

import asyncio
import json
import os
import select
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from deploy.sandbox.load.client import Client
from tests.patience import PATIENCE
from tests.sandbox.processes import Program, program


@asynccontextmanager
async def loadtester(*flags: str, **environment: str) -> AsyncIterator[tuple[Program, Client]]:
    async with program("-S", "-m", "deploy.sandbox.loadtester", "-port=0", *flags, environment=environment) as tester:
        line = await tester.says("listens on")
        client = Client(f"http://{line.rpartition(' ')[2]}/")
        yield tester, client
        await client.close()


def task(command: str, kind: str = "cmd") -> bytes:
    metadata = {"type": kind, "cmd": command, "logCmdOutput": "true"}
    return json.dumps({"name": "podinfo", "namespace": "test", "metadata": metadata}).encode()


def content(directory: Path) -> list[str]:
    return [entry.name for entry in directory.iterdir()]


@contextmanager
def held(place: Path) -> Iterator[int]:
    """A pipe that reads as ended when the last process that holds its other end is gone."""
    os.mkfifo(place)
    reader = os.open(place, os.O_RDONLY | os.O_NONBLOCK)
    try:
        yield reader
    finally:
        os.close(reader)


async def begun(reader: int) -> None:
    """Until both commands of the pipeline have written."""
    seen = b""
    async with asyncio.timeout(PATIENCE):
        while seen.count(b"\n") < 2:
            await asyncio.to_thread(select.select, [reader], [], [], 5)
            seen += os.read(reader, 100)


async def all_gone(reader: int) -> bool:
    """Whether the other end has no writer any more."""
    ready, _, _ = await asyncio.to_thread(select.select, [reader], [], [], PATIENCE)
    return bool(ready) and os.read(reader, 100) == b""


@pytest.fixture(params=[signal.SIG_DFL, signal.SIG_IGN], ids=["", "nohup"])
def hangup(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a program that is started now does when its terminal goes."""
    before = signal.signal(signal.SIGHUP, request.param)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hangup")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_no_command_and_none_of_its_children_outlives_the_load_tester(tmp_path: Path, number: int) -> None:
    with held(tmp_path / "pipe") as reader:
        async with loadtester(TMPDIR=str(tmp_path)) as (tester, client):
            command = f"exec 3> {tmp_path / 'pipe'}; (echo a >&3; sleep 1000) | (echo b >&3; cat)"
            assert (await client.request(method="POST", body=task(command))).status == 202
            await begun(reader)
            tester.process.send_signal(number)
            await tester.ends()
            assert await all_gone(reader)


async def test_without_hey_on_the_path_its_stand_in_is_found(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "bash"):
        (tools / name).symlink_to(f"/bin/{name}")
    async with loadtester(PATH=str(tools), TMPDIR=str(tmp_path)) as (tester, client):
        command = f"hey -n 20 -c 2 -host app.example.com http://{client.address[0]}:{client.address[1]}/healthz"
        assert (await client.request(method="POST", body=task(command))).status == 202
        await tester.says("ended with 0")
        assert "20 responses" in await tester.says("[200]")
        tester.process.send_signal(signal.SIGTERM)
        assert await tester.ends() == 0
    assert content(tmp_path) == ["bin"], "nothing is left behind"


async def test_other_namespaces_are_refused_by_flag() -> None:
    async with loadtester("-namespace-regexp=^prod$", "-timeout=1h", "-log-level=info") as (_, client):
        assert (await client.request(method="POST", body=task("true", "bash"))).status == 403
