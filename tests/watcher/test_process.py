"""``python -m watcher`` as a process: what it says, answers and leaves behind."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import orjson
import pytest

from deploy.sandbox.kube import EmbeddedKubernetes
from tests.handlers.adapters.natsserver import SYSTEM_ACCOUNT, NatsServer
from tests.watcher.cluster import Cluster
from tests.watcher.conftest import ROOT
from tests.watcher.ear import Ear


@asynccontextmanager
async def process(*arguments: str, **environment: str) -> AsyncIterator[Process]:
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "watcher", *arguments, cwd=ROOT, env=os.environ | environment, stdout=PIPE, stderr=PIPE
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()


async def line(of: Process, msg: str) -> dict[str, object]:
    assert of.stderr is not None
    async with asyncio.timeout(20):
        async for text in of.stderr:
            found: dict[str, object] = orjson.loads(text)
            if found["msg"] == msg:
                return found
    raise AssertionError(f"it ended without saying {msg!r}")


@pytest.fixture
def environment(api: EmbeddedKubernetes, nats_server: NatsServer) -> dict[str, str]:
    return {"KUBECONFIG": str(api.kubeconfig), "CANARYBUS_NATS_URL": nats_server.url, "CANARYBUS_PORT": "0"}


async def test_it_publishes_answers_its_probes_and_ends_with_0_on_sigterm(
    environment: dict[str, str], cluster: Cluster, ear: Ear
) -> None:
    await cluster.canary()
    async with process(**environment) as watcher, httpx.AsyncClient() as http:
        port = (await line(watcher, "started"))["port"]
        await ear.hears("spec")
        ready = await http.get(f"http://127.0.0.1:{port}/readyz")
        metrics = await http.get(f"http://127.0.0.1:{port}/metrics")
        watcher.terminate()
        async with asyncio.timeout(5):
            code = await watcher.wait()
    assert (ready.status_code, code) == (200, 0)
    assert 'canarybus_watcher_canaries{phase="New"} 1.0' in metrics.text
    assert 'canarybus_watcher_changes_total{reason="spec"} 1.0' in metrics.text


async def test_without_a_bus_it_waits_says_so_and_still_ends_at_once(
    environment: dict[str, str], cluster: Cluster, nats_server: NatsServer
) -> None:
    nats_server.kill()
    async with process(**environment) as watcher, httpx.AsyncClient() as http:
        port = (await line(watcher, "started"))["port"]
        ready = await http.get(f"http://127.0.0.1:{port}/readyz")
        watcher.terminate()
        async with asyncio.timeout(5):
            code = await watcher.wait()
    assert (ready.status_code, code) == (503, 0)
    assert "not connected to NATS" in ready.text


async def test_provisioning_alone_makes_the_streams_and_ends(
    environment: dict[str, str], nats_server: NatsServer
) -> None:
    async with process("--provision-only", **environment) as provisioner:
        _, said = await provisioner.communicate()
    client = await nats_server.connect()
    streams = await client.jetstream().streams_info()
    await client.close()
    assert provisioner.returncode == 0
    assert len(streams) == 6
    assert b"created stream CANARY_TICKS" in said


async def test_provisioning_warns_of_a_server_that_confirms_before_it_writes(
    environment: dict[str, str], tmp_path: Path
) -> None:
    server = NatsServer(tmp_path / "late", SYSTEM_ACCOUNT % "")
    server.start()
    try:
        url = server.url.replace("nats://", "nats://app:app@")
        async with process("--provision-only", **environment | {"CANARYBUS_NATS_URL": url}) as provisioner:
            _, said = await provisioner.communicate()
    finally:
        server.kill()
    assert provisioner.returncode == 0
    assert b"set `jetstream { sync_interval: always }`" in said


async def test_a_setting_that_cannot_be_read_is_named_with_exit_code_2(environment: dict[str, str]) -> None:
    async with process(**environment, CANARYBUS_RESYNC="often") as watcher:
        _, said = await watcher.communicate()
    assert watcher.returncode == 2
    assert said.decode().startswith("CANARYBUS_RESYNC: ")


async def test_without_access_to_kubernetes_it_says_so_in_one_line_with_exit_code_3(
    environment: dict[str, str],
) -> None:
    async with process(**environment | {"KUBECONFIG": "/nonexistent/kubeconfig"}) as watcher:
        _, said = await watcher.communicate()
    assert watcher.returncode == 3
    assert len(said.decode().splitlines()) == 1
    assert "/nonexistent/kubeconfig" in said.decode()
