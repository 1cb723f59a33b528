"""The gateway as a process of its own."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from deploy.sandbox.network import free_port
from schemas.resources import ROUTE_TABLE
from tests.patience import PATIENCE
from tests.sandbox.gateway.objects import route_table, weighted
from tests.sandbox.gateway.world import World
from tests.sandbox.processes import program

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_the_program_takes_its_envoy_with_it(world: World, tmp_path: Path, number: signal.Signals) -> None:
    await world.delegate()
    await world.apply(ROUTE_TABLE, route_table(weighted(100, 0)))
    port, admin = free_port(), free_port()
    arguments = ["--port", str(port), "--admin-port", str(admin), "--state", str(tmp_path)]
    async with program(
        "-m", "deploy.sandbox.gateway", *arguments, environment={"KUBECONFIG": str(world.kubeconfig)}
    ) as gateway:
        await gateway.says(f"gateway: serving 127.0.0.1:{port}")
        _, writer = await asyncio.open_connection("127.0.0.1", admin)
        writer.close()
        gateway.process.send_signal(number)
        code = await gateway.ends()
        assert code == (0 if number == signal.SIGTERM else -signal.SIGKILL)
        await _refuses(admin)


async def _refuses(port: int) -> None:
    """Returns when nobody listens there any more: the kernel ends an orphan a moment after its parent."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                return
            writer.close()
            await asyncio.sleep(0.01)
