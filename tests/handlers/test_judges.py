"""A judge on the bus decides about a rollout; the examples of the page about metrics work as they are written."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from typing import Any

import nats.errors
import pytest
import yaml
from aiohttp import web
from nats.aio.msg import Msg

from handlers import measure
from schemas.resources import ALERT_PROVIDER, METRIC_TEMPLATE
from schemas.status import Phase
from tests.handlers.adapters.apiserver import serving
from tests.handlers.house import NAMESPACE, ROOT, House
from tests.handlers.test_hooks_told import People

PAGE = (ROOT / "handlers/adapters/metrics/README.md").read_text()


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def orders() -> dict[str, Any]:
    """The page's template for its judge."""
    found = next(item for item in map(yaml.safe_load, blocks("yaml")) if item["metadata"]["name"] == "orders")
    return {**found, "metadata": {"name": "orders", "namespace": NAMESPACE}}


async def analysing(house: House, **analysis: Any) -> None:
    """One step into an analysis that only the judge decides."""
    metric = {"name": "orders", "templateRef": {"name": "orders"}, "interval": "10s"}
    await house.prepare(analysis={"metrics": [metric], "threshold": 1, **analysis})
    await house.admin.create(METRIC_TEMPLATE, orders())
    await house.initialized()
    await house.push("podinfo:2")
    await house.tick()
    await house.gloo()


async def listening(house: House, subject: str) -> None:
    """Until somebody does; a program needs a moment to start."""
    async with asyncio.timeout(20):
        while True:
            try:
                await house.bus.client.request(subject, b'{"target": "nothing", "interval": 1}', timeout=20)
            except nats.errors.NoRespondersError:
                await asyncio.sleep(0.02)
            else:
                return


async def test_a_judge_that_says_no_rolls_back_and_people_read_its_words(house: House) -> None:
    verdict: dict[str, Any] = {"pass": True}
    heard: list[Any] = []

    async def chat(request: web.Request) -> web.StreamResponse:
        heard.append(await request.json())
        return web.Response(text="ok")

    async def judge(message: Msg) -> None:
        await message.respond(json.dumps(verdict).encode())

    await house.bus.client.subscribe("canary.hook.orders", cb=judge)
    async with serving(chat) as url:
        await house.definitions()
        spec = {"type": "slack", "channel": "general", "address": url}
        metadata = {"name": "on-call", "namespace": NAMESPACE}
        await house.admin.create(ALERT_PROVIDER, {"metadata": metadata, "spec": spec})
        alerts = [{"name": "on-call", "severity": "error", "providerRef": {"name": "on-call"}}]
        await analysing(house, alerts=alerts)
        await house.tick()
        assert (await house.weight(), (await house.status()).failed_checks) == (50, 0)
        verdict |= {"pass": False, "message": "12 orders lost", "value": 12, "samples": 400}
        await house.tick()
        people = People(house)
        await people.hear()
    assert (await house.status()).phase is Phase.FAILED
    words = f"Halt podinfo.{NAMESPACE} advancement orders failed: 12 orders lost"
    notices = [notice for result in await house.results() for notice in result.notices]
    assert words in [notice.message for notice in notices if notice.type == "Warning"]
    assert [body["attachments"][0]["text"] for body in heard] == [f"Failed checks threshold reached 1: {words}"]
    shown = {field["title"]: field["value"] for field in heard[0]["attachments"][0]["fields"]}
    assert (shown["Check"], shown["Value"], shown["Samples"]) == ("orders", "12", "400")


async def test_nobody_on_the_subject_holds_the_weight_and_is_named(house: House) -> None:
    async def judge(message: Msg) -> None:
        await message.respond(b'{"pass": true}')

    judging = await house.bus.client.subscribe("canary.hook.orders", cb=judge)
    await analysing(house)
    await judging.unsubscribe()
    await house.tick(2)
    status = await house.status()
    assert (status.phase, status.failed_checks, await house.weight()) == (Phase.PROGRESSING, 0, 25)
    assert status.last_step is not None
    assert status.last_step.message == "Metric query failed for orders: nobody listens on nats://canary.hook.orders"


async def test_a_judge_without_data_yet_is_neither_pass_nor_failure(house: House) -> None:
    async def judge(message: Msg) -> None:
        await message.respond(b'{"value": null, "message": "no orders yet"}')

    await house.bus.client.subscribe("canary.hook.orders", cb=judge)
    await analysing(house)
    await house.tick()
    status = await house.status()
    assert status.no_data_since is not None
    assert status.last_step is not None
    assert status.last_step.message.endswith("no values found for custom metric: orders: no orders yet")


@pytest.mark.parametrize("order", [("orders", "errors"), ("errors", "orders")])
async def test_who_hangs_cannot_make_a_tick_miss_its_slot_nor_keep_others_from_deciding(
    house: House, order: tuple[str, str]
) -> None:
    answers = [b'{"pass": true}']

    async def judge(message: Msg) -> None:
        if answers:
            await message.respond(answers[0])

    metrics = {
        "orders": {"name": "orders", "templateRef": {"name": "orders"}, "interval": "10s"},
        "errors": {"name": "errors", "query": "errors", "thresholdRange": {"max": 100}, "interval": "10s"},
    }
    await house.bus.client.subscribe("canary.hook.orders", cb=judge)
    await analysing(house, interval="1s", threshold=2, metrics=[metrics[name] for name in order])
    answers.clear()
    await house.catch_up()
    began = asyncio.get_running_loop().time()
    await house.tick()
    assert asyncio.get_running_loop().time() - began < 1, "the answer comes within the slot"
    status = await house.status()
    assert (status.failed_checks, await house.weight()) == (0, 25)
    assert status.last_step is not None
    words = "Metric query failed for orders: no answer within 0.8s, 80 % of the analysis interval"
    assert status.last_step.message == words
    assert {check.name: check.verdict for check in status.last_step.checks} == {
        "orders": "insufficient",
        "errors": "pass",
    }
    house.answering.value = "101"
    await house.tick()
    status = await house.status()
    assert status.failed_checks == 1, "a failure counts although somebody else hangs"
    assert status.last_step is not None
    assert status.last_step.message == f"Halt podinfo.{NAMESPACE} advancement errors 101.00 > 100"


async def test_a_failure_decides_at_once_although_a_metric_behind_it_hangs(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "_COURTESY", 0.1)
    asked = asyncio.Event()

    async def judge(message: Msg) -> None:
        if house.answering.value != "101":
            await message.respond(b'{"pass": true}')
        asked.set()

    metrics = [
        {"name": "orders", "templateRef": {"name": "orders"}, "interval": "10s"},
        {"name": "errors", "query": "errors", "thresholdRange": {"max": 100}, "interval": "10s"},
    ]
    await house.bus.client.subscribe("canary.hook.orders", cb=judge)
    await analysing(house, metrics=metrics)
    asked.clear()
    house.answering.value = "101"
    began = asyncio.get_running_loop().time()
    await house.tick()
    assert asyncio.get_running_loop().time() - began < 4, "no provider's time limit is waited for"
    assert asked.is_set()
    status = await house.status()
    assert status.phase is Phase.FAILED
    assert status.last_step is not None
    words = {check.name: check.message for check in status.last_step.checks}
    assert words == {
        "errors": f"Halt podinfo.{NAMESPACE} advancement errors 101.00 > 100",
        "orders": "Metric query failed for orders: not waited for: another check had failed",
    }


async def test_the_judge_of_the_page_works_as_it_is_written(house: House) -> None:
    (program,) = blocks("python")
    assert len(program.splitlines()) <= 27
    url = house.bus.client.connected_url
    assert url is not None
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, env={**os.environ, "NATS_URL": url.geturl()}
    )
    try:
        await listening(house, "canary.hook.orders")
        await analysing(house)
        await house.tick()
        status = await house.status()
        assert status.phase is Phase.FAILED
        words = f"Halt podinfo.{NAMESPACE} advancement orders failed: 12 orders lost in 10 s"
        assert words in [notice.message for result in await house.results() for notice in result.notices]
    finally:
        running.kill()
        await running.wait()
