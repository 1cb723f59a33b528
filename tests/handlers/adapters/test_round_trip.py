"""What a server has when a round trip is over, told by one that only listens and answers pings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import nats
import pytest

from handlers.adapters.round_trip import round_trip

INFO = b'INFO {"server_id":"S","version":"2.12.0","proto":1,"headers":true,"max_payload":1048576}\r\n'


class Listener:
    def __init__(self) -> None:
        self.heard: list[str] = []
        self.url = ""

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(INFO)
        async for line in reader:
            self.heard.append(line.decode().split()[0])
            if line == b"PING\r\n":
                writer.write(b"PONG\r\n")
        writer.close()


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    made = Listener()
    server = await asyncio.start_server(made.talk, "127.0.0.1", 0)
    made.url = f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield made


async def test_whatever_was_asked_for_is_with_the_server_before_its_last_answer(listener: Listener) -> None:
    client = await nats.connect(listener.url)
    await client.subscribe("canary.result.>")
    await round_trip(client)
    heard = list(listener.heard)
    await client.close()
    assert "PING" in heard[heard.index("SUB") :]
