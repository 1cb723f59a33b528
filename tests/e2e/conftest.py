"""One running sandbox for all tests of a worker: each begins with an application that rests."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Generator

import nats
import pytest
import pytest_asyncio

from deploy.sandbox import installation
from deploy.sandbox.application import PODINFO
from deploy.sandbox.follow import following
from deploy.sandbox.load import Load
from deploy.sandbox.sandbox import HOST, Sandbox
from handlers.adapters.kube import Kube
from schemas.status import IDLE, Phase
from tests.e2e.rollouts import Rollouts
from tests.e2e.shop import Shop, opened, told
from tests.summary import USERS

Note = Callable[[str, object], None]
RATE = 250.0
"""Requests per second of the users who are there all the time."""


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def sandbox() -> AsyncIterator[Sandbox]:
    """Everything is started."""
    async with Sandbox() as started:
        yield started


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def kube(sandbox: Sandbox) -> AsyncIterator[Kube]:
    async with installation.connected(sandbox.kubeconfig) as connection:
        yield connection


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def running(sandbox: Sandbox, kube: Kube) -> AsyncIterator[Rollouts]:
    """The tutorial's podinfo is initialised."""
    async with following(kube, PODINFO) as follower:
        bus = await nats.connect(sandbox.nats_url, reconnect_time_wait=0.1, max_reconnect_attempts=-1)
        rollouts = Rollouts(sandbox, kube, follower, bus)
        await rollouts.listen()
        await rollouts.application.install()
        await rollouts.judged_by("canary", interval="1s")
        await rollouts.over(Phase.INITIALIZED)
        yield rollouts
        await bus.close()


@pytest_asyncio.fixture(loop_scope="session")
async def shop(sandbox: Sandbox, kube: Kube, record_property: Note) -> AsyncIterator[Shop]:
    """An application that nobody has heard of."""
    async with opened(kube, sandbox.gateway_url) as shop:
        yield shop
    for text in shop.served:
        record_property(USERS, text)


@pytest_asyncio.fixture(loop_scope="session")
async def rollouts(running: Rollouts) -> AsyncIterator[Rollouts]:
    """With no rollout under way, whatever the test before has left."""
    if running.follower.status.phase not in IDLE:
        await running.bus.publish(f"canary.command.abort.{PODINFO.namespace}.{PODINFO.name}", b"{}")
    await running.follower.until(lambda status: status.phase in IDLE and status.settled, "at rest")
    running.follower.begin()
    yield running


@pytest_asyncio.fixture(loop_scope="session")
async def users(rollouts: Rollouts, record_property: Note) -> AsyncIterator[Load]:
    """None of their requests may fail, whatever the test does."""
    async with Load(rollouts.sandbox.gateway_url, host=HOST, rate=RATE) as load:
        began = time.monotonic()
        yield load
        record_property(USERS, told(load.total.requests, time.monotonic() - began, load.total.failed))
        await load.finish()
    assert load.total.requests > 0
    assert not load.total.failed, dict(load.total.failures)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test shows what the parts said last."""
    report = yield
    sandbox = getattr(item, "funcargs", {}).get("sandbox")
    if report.failed and isinstance(sandbox, Sandbox):
        for part in ("handlers", "watcher", "node"):
            said = sandbox.log(part).read_text(encoding="utf-8")
            report.sections.append((f"log of {part}", said[-3000:]))
    return report
