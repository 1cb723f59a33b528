from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from deploy.sandbox.load.client import Client
from tests.patience import PATIENCE
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
    async with podinfo(DRAIN_SECONDS="1.5") as (replica, url):
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


async def said(url: str, text: str) -> bytes:
    """Everything that it answers before it closes the connection."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(text.replace("\n", "\r\n").encode())
    answer = await asyncio.wait_for(reader.read(), PATIENCE)
    writer.close()
    return answer


async def test_requests_on_one_connection_are_answered_one_after_the_other() -> None:
    async with podinfo() as (_, url):
        answer = await said(url, "GET /delay/0.1 HTTP/1.1\n\nGET /version HTTP/1.1\nConnection: close\n\n")
        assert answer.count(b"HTTP/1.1 200 OK") == 2
        assert answer.index(b'"delay"') < answer.index(b'"version"')
        chunks = "Transfer-Encoding: chunked\nExpect: 100-continue\nConnection: close\n\n2\nte\n2\nst\n0\n\n"
        answer = await said(url, f"POST /echo HTTP/1.1\n{chunks}")
        assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted")
        assert answer.endswith(b"test")
        assert (await said(url, "nonsense\n\n")).startswith(b"HTTP/1.1 400 Bad Request")


async def test_an_answer_longer_than_the_line_takes_arrives_whole() -> None:
    async with podinfo() as (_, url):
        body = "x" * 5_000_000
        answer = await said(url, f"POST /echo HTTP/1.0\nContent-Length: {len(body)}\n\n{body}")
        assert answer.endswith(body.encode())


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
