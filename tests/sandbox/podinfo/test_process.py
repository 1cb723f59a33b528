from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from deploy.sandbox.load.client import Client
from tests.sandbox.processes import Program, program


def address() -> str:
    """A loopback address that no other test uses at the same time."""
    return f"127.{random.randrange(100, 250)}.{random.randrange(1, 250)}.{random.randrange(1, 250)}"


@asynccontextmanager
async def podinfo(*flags: str, **environment: str) -> AsyncIterator[tuple[Program, str]]:
    """A replica and its URL."""
    host = address()
    given: Mapping[str, str] = {"POD_IP": host, "IMAGE": "stefanprodan/podinfo:6.0.1", **environment}
    async with program("-S", "-m", "deploy.sandbox.podinfo", "--port=0", *flags, environment=given) as replica:
        line = await replica.says("")
        port = line.rpartition(":")[2]
        yield replica, f"http://{host}:{port}"


async def test_it_listens_on_its_own_address_only_and_takes_little_memory() -> None:
    async with podinfo() as (replica, url):
        client = Client(url)
        for _ in range(200):
            assert (await client.request("/")).version == "6.0.1"
        assert replica.memory() <= 24 * 1024
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        await client.close()


async def test_asked_to_leave_it_serves_on_unready_and_ends_with_0() -> None:
    async with podinfo(DRAIN_SECONDS="0.5") as (replica, url):
        client = Client(url)
        assert (await client.request("/readyz")).status == 200
        replica.process.send_signal(signal.SIGTERM)
        while (await client.request("/readyz")).status == 200:  # until the signal has arrived
            pass
        assert (await client.request("/")).status == 200, "still serving those who do not know yet"
        assert await replica.ends() == 0
        assert (await client.request("/")).cause == "refused"
        await client.close()


async def test_a_request_under_way_is_finished_before_it_ends() -> None:
    async with podinfo(DRAIN_SECONDS="0.2") as (replica, url):
        client = Client(url)
        slow = asyncio.create_task(client.request("/delay/0.5"))
        metrics = Client(url)
        await metrics.request("/")  # the server is at work
        replica.process.send_signal(signal.SIGTERM)
        assert (await slow).status == 200
        assert await replica.ends() == 0
        await client.close()
        await metrics.close()


async def test_a_crash_on_demand_ends_it_with_1() -> None:
    async with podinfo(FAULT_CRASH="0.05") as (replica, _):
        assert await replica.ends() == 1


async def test_a_start_delay_postpones_listening() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with podinfo(FAULT_START_DELAY="0.3") as (_, url):
        assert loop.time() - began >= 0.3
        client = Client(url)
        assert (await client.request("/")).status == 200
        await client.close()


async def test_a_metrics_port_of_its_own_serves_the_metrics_too() -> None:
    host = address()
    flags = ("--port=0", "--port-metrics=9797", "--grpc-port=9999", "--level=info")
    async with program("-S", "-m", "deploy.sandbox.podinfo", *flags, environment={"POD_IP": host}) as replica:
        await replica.says(f"{host}:9797")
        client = Client(f"http://{host}:9797")
        assert (await client.request("/metrics")).status == 200
        await client.close()
