from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.sandbox.kube import EmbeddedKubernetes
from handlers.adapters.bus import Bus, provision
from handlers.adapters.kube import Access, Kube
from handlers.app import App
from schemas.settings import Settings
from tests.handlers.adapters.apiserver import serving
from tests.handlers.adapters.natsserver import NatsServer
from tests.handlers.chat import Chat
from tests.handlers.configured import Configured
from tests.handlers.house import House
from tests.handlers.neighbours import Answering, CountingKube


@pytest.fixture
async def kubernetes() -> AsyncIterator[EmbeddedKubernetes]:
    async with EmbeddedKubernetes(pods="instant") as api:
        yield api


@pytest.fixture
async def house(kubernetes: EmbeddedKubernetes, tmp_path: Path) -> AsyncIterator[House]:
    server = NatsServer(tmp_path)
    server.start()
    client = await server.connect()
    bus, answering = Bus(client), Answering()
    await provision(bus.js)
    await answering.start()
    settings = Settings(metrics_server=answering.url, drain=0, min_interval=1)
    access = Access(kubernetes.url)
    async with Kube(access, user_agent="test") as admin, CountingKube(access, user_agent="canarybus-handlers") as kube:
        house = House(kube, admin, bus, answering, settings)
        yield house
        await house.http.aclose()
    await answering.stop()
    await client.close()
    server.kill()


@pytest.fixture
async def app(
    house: House, kubernetes: EmbeddedKubernetes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[App]:
    await house.definitions()
    monkeypatch.setenv("KUBECONFIG", str(kubernetes.kubeconfig))
    url = house.bus.client.connected_url
    assert url is not None
    settings = house.settings.model_copy(update={"nats_url": (url.geturl(),), "port": 0, "workers": 2})
    async with App(settings) as app:
        yield app


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    found = Chat()
    async with serving(found.answer) as url:
        found.url = url
        yield found


@pytest.fixture
def people(house: House) -> Configured:
    return Configured(house)
