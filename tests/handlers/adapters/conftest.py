from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from nats.aio.client import Client

from handlers.adapters.bus import Bus, provision
from tests.handlers.adapters.natsserver import NatsServer


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    server = NatsServer(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def client(nats_server: NatsServer) -> AsyncIterator[Client]:
    client = await nats_server.connect()
    yield client
    await client.close()


@pytest.fixture
async def bus(client: Client) -> Bus:
    """With every stream and consumer there."""
    bus = Bus(client)
    await provision(bus.js)
    return bus
