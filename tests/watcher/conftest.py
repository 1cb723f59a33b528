"""A real nats-server, an API server in this process, and whole watchers between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from deploy.sandbox.kube import EmbeddedKubernetes
from handlers.adapters.kube import Access, Kube
from schemas.resources import CUSTOM_RESOURCE_DEFINITION, MANAGER
from schemas.settings import Settings
from tests.handlers.adapters.natsserver import NatsServer
from tests.watcher.cluster import Cluster
from tests.watcher.ear import Ear
from watcher.app import Watcher

ROOT = Path(__file__).parents[2]
DEFINITIONS = ("deploy/crds/canary.yaml", "deploy/sandbox/manifests/gloo-crds.yaml")
Begin = Callable[..., AbstractAsyncContextManager[Watcher]]


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    server = NatsServer(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def api() -> AsyncIterator[EmbeddedKubernetes]:
    async with EmbeddedKubernetes(pods="instant") as api:
        yield api


@pytest.fixture
async def cluster(api: EmbeddedKubernetes) -> AsyncIterator[Cluster]:
    """With our and Gloo's resources defined; what a person and the handlers do to it."""
    async with Kube(Access(api.url), user_agent="test") as kube:
        for path in DEFINITIONS:
            for definition in yaml.safe_load_all((ROOT / path).read_text()):
                await kube.create(CUSTOM_RESOURCE_DEFINITION, definition)
        yield Cluster(kube)


@pytest.fixture
async def handlers(api: EmbeddedKubernetes, cluster: Cluster) -> AsyncIterator[Cluster]:
    """The same cluster, written to as the handlers do."""
    async with Kube(Access(api.url), user_agent=f"{MANAGER}/test") as kube:
        yield Cluster(kube)


@pytest.fixture
async def gloo(api: EmbeddedKubernetes, cluster: Cluster) -> AsyncIterator[Cluster]:
    """The same cluster, written to as the gateway does."""
    async with Kube(Access(api.url), user_agent="gloo/test") as kube:
        yield Cluster(kube)


@pytest.fixture
async def peer(api: EmbeddedKubernetes, cluster: Cluster) -> AsyncIterator[Cluster]:
    """The same cluster, written to as Flagger does."""
    async with Kube(Access(api.url), user_agent="flagger/test") as kube:
        yield Cluster(kube)


@pytest.fixture
def settings(nats_server: NatsServer) -> Settings:
    """Without resyncs unless a test asks for them: with 10m every 600th test of a second would hear one."""
    return Settings(nats_url=(nats_server.url,), min_interval=0.2, resync=86400)


@pytest.fixture
async def ear(nats_server: NatsServer) -> AsyncIterator[Ear]:
    """In the place of the handlers."""
    async with Ear(nats_server) as ear:
        yield ear


@pytest.fixture
def begin(api: EmbeddedKubernetes, cluster: Cluster, settings: Settings) -> Begin:
    @asynccontextmanager
    async def begin(**changed: Any) -> AsyncIterator[Watcher]:
        """A watcher that has listed everything and found its streams."""
        async with Kube(Access(api.url), user_agent="canarybus-watcher/test") as kube:
            watcher = Watcher(settings.model_copy(update=changed), kube, CollectorRegistry(), check_every=0.1)
            running = asyncio.create_task(watcher.run())
            try:
                async with asyncio.timeout(10):
                    await watcher.ready()
                yield watcher
            finally:
                running.cancel()
                with suppress(asyncio.CancelledError):
                    await running

    return begin
