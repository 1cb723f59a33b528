from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator

import pytest

from deploy.sandbox.load import Counts, Load
from deploy.sandbox.load.client import Answer
from deploy.sandbox.messages import Request, Response
from deploy.sandbox.network import free_port
from deploy.sandbox.webserver import WebServer
from tests.patience import PATIENCE
from tests.sandbox.processes import program


class Split:
    """A server that gives ``percent`` of its answers as 6.0.1 and the rest as 6.0.0."""

    def __init__(self, percent: int) -> None:
        self.percent = percent
        self.url = ""
        self.asked = 0
        self.open = asyncio.Event()
        self.open.set()
        self._chance = random.Random(7)

    async def answer(self, request: Request) -> Response:
        self.asked += 1
        await self.open.wait()
        version = "6.0.1" if self._chance.random() * 100 < self.percent else "6.0.0"
        status = int(request.path.removeprefix("/status/")) if request.path.startswith("/status/") else 200
        return Response(status, b"", {"X-Podinfo-Version": version})


@pytest.fixture
async def split() -> AsyncIterator[Split]:
    server, made = WebServer(), Split(20)
    made.url = f"http://127.0.0.1:{await server.listen(made.answer, '127.0.0.1', 0)}/"
    yield made
    await server.close()


async def answers(load: Load, number: int) -> Counts:
    async with asyncio.timeout(PATIENCE):
        return await load.wait_for(number)


async def test_the_share_of_each_version_is_counted_since_the_mark(split: Split) -> None:
    async with Load(split.url, rate=2000, seed=1) as load:
        await answers(load, 1000)
        assert load.share("6.0.1") == pytest.approx(20, abs=6)  # five standard deviations of 1000 answers
        split.percent = 100
        load.mark()
        assert load.share("6.0.1") == 0.0
        await answers(load, 200)
        assert load.share("6.0.1") == pytest.approx(100)
        assert load.total.requests >= 1200
        assert load.total.failed == 0


async def test_the_rate_is_kept(split: Split) -> None:
    loop = asyncio.get_running_loop()
    async with Load(split.url, rate=200) as load:
        began = loop.time()
        await answers(load, 200)
        assert loop.time() - began >= 0.95, "never faster than asked"


async def test_a_server_that_is_too_slow_gets_no_more_than_so_many_requests_at_once(split: Split) -> None:
    split.open.clear()
    async with Load(split.url, rate=5000, at_once=20) as load:
        async with asyncio.timeout(PATIENCE):
            while split.asked < 20:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)  # 250 slots
        assert split.asked == 20
        split.open.set()
        assert (await answers(load, 100)).failed == 0


async def test_failures_that_were_provoked_are_counted_apart(split: Split) -> None:
    async with Load(split.url, rate=1000, seed=2) as load:
        load.provoke("/status/500", 0.3)
        counts = await answers(load, 400)
        assert set(counts.provoked) == {"5xx"}
        assert counts.provoked["5xx"] == pytest.approx(0.3 * counts.requests, abs=5 * 10)
        assert counts.failed == 0
        load.provoke("", 0)
        load.mark()
        assert (await answers(load, 100)).provoked.total() == 0


async def test_the_counts_of_the_last_second_are_kept(split: Split) -> None:
    async with Load(split.url, rate=100) as load:
        await answers(load, 150)
        assert 0 < load.last_second.requests < 130, "a second's, not all"


async def test_requests_that_are_under_way_when_it_finishes_are_counted(split: Split) -> None:
    async with Load(split.url, rate=200, timeout=0.2) as load:
        await answers(load, 20)
        before, asked = load.total.failed, split.asked
        split.open.clear()
        async with asyncio.timeout(PATIENCE):
            while split.asked == asked:
                await asyncio.sleep(0)
        await load.finish()
        assert before == 0
        assert load.total.failed > 0, "nobody answered them"
        split.open.set()


async def test_a_dead_server_is_counted_and_ends_nothing() -> None:
    async with Load(f"http://127.0.0.1:{free_port()}/", rate=500) as load:
        counts = await answers(load, 20)
        assert counts.failures["refused"] == counts.requests
        assert counts.share("6.0.1") == 0.0


def test_a_rate_or_share_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="rate"):
        Load("http://127.0.0.1/", rate=0)
    with pytest.raises(ValueError, match="share"):
        Load("http://127.0.0.1/").provoke("/", 30)


def test_quantiles_are_those_of_the_latencies() -> None:
    counts = Counts()
    assert counts.quantile(0.99) == 0.0
    for milliseconds in range(1, 101):
        counts.add(Answer(200, "6.0.1", milliseconds / 1000, None))
    assert counts.quantile(0.5) == pytest.approx(0.051)
    assert counts.quantile(0.99) == pytest.approx(0.1)
    assert counts.as_dict()["p50_ms"] == 51.0


async def test_the_command_prints_what_it_saw_and_fails_if_a_request_did(split: Split) -> None:
    split.percent = 100
    arguments = ("-m", "deploy.sandbox.load", "--rate", "100", "--seconds", "0.5", "--header", "X-Canary: insider")
    async with program(*arguments, "--url", split.url, "--path", "/status/500", "--share", "0.5") as load:
        total = json.loads(await load.says("total"))["total"]
        assert await load.ends() == 0, "the failures were provoked"
    assert total["versions"] == {"6.0.1": total["requests"]}
    assert total["provoked"]["5xx"] > 0
    async with program(*arguments, "--url", split.url + "status/404") as load:
        total = json.loads(await load.says("total"))["total"]
        assert await load.ends() == 1
    assert total["failures"] == {"404": total["requests"]}


async def test_the_stand_in_for_hey_keeps_workers_rate_and_duration(split: Split) -> None:
    hey = ("-m", "deploy.sandbox.load.hey")
    flags = ("-z", "1s", "-q", "10", "-c", "2", "-H", "X-Canary: insider", "-host", "app.example.com", split.url)
    async with program(*hey, *flags) as load:
        line = await load.says("[200]")
        assert 1 < int(line.split()[1]) <= 22, "two workers, ten a second each, for one second; fewer on a busy machine"
        assert await load.ends() == 0
    async with program(*hey, "-n", "30", "-c", "3", split.url) as load:
        assert (await load.says("[200]")).split()[1] == "30"
