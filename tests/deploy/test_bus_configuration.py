"""The bus as deploy/kubernetes configures it, on a real nats-server: who may say what, and hear what."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client

from handlers.adapters.bus import Bus, provision
from handlers.adapters.round_trip import round_trip
from schemas.events import Change, ChangeReason, CommandBody, StepResult, Tick
from schemas.streams import CONSUMERS, STREAMS
from tests.deploy.bus import PASSWORDS, deployed_bus
from tests.handlers.adapters.natsserver import NatsServer
from tests.patience import PATIENCE

PLACE: dict[str, Any] = {"namespace": "test", "name": "podinfo"}
NOW = datetime(2026, 5, 4, tzinfo=UTC)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    with deployed_bus(tmp_path) as started:
        yield started


class Refusals:
    """What the server would not let a connection do."""

    def __init__(self) -> None:
        self._told: asyncio.Queue[str] = asyncio.Queue()

    async def note(self, error: Exception) -> None:
        if "permissions violation" in str(error).lower():
            await self._told.put(str(error))

    async def next(self) -> str:
        async with asyncio.timeout(PATIENCE):
            return await self._told.get()

    @property
    def none(self) -> bool:
        return self._told.empty()


@asynccontextmanager
async def _connected(server: NatsServer, user: str) -> AsyncIterator[tuple[Client, Refusals]]:
    refusals = Refusals()
    client = await server.connect(user=user, password=PASSWORDS[user], error_cb=refusals.note)
    try:
        yield client, refusals
    finally:
        await client.close()


@asynccontextmanager
async def _provisioned(server: NatsServer) -> AsyncIterator[tuple[Client, Refusals]]:
    """The watcher's connection, after it has made the streams."""
    async with _connected(server, "watcher") as (client, refusals):
        await provision(client.jetstream())
        yield client, refusals


async def _holds(client: Client, stream: str, messages: int) -> None:
    """Within seconds: a stream counts what it was sent and what was settled a moment later."""
    found = -1
    try:
        async with asyncio.timeout(PATIENCE):
            while found != messages:
                found = (await client.jetstream().stream_info(stream)).state.messages
    except TimeoutError:
        raise AssertionError(f"{stream} holds {found} messages, not {messages}") from None


@pytest.mark.parametrize("words", [{"user": "watcher", "pass": "guessed"}, {"user": "root", "pass": "12e4"}, {}])
async def test_a_wrong_password_and_no_password_are_refused(words: dict[str, str], server: NatsServer) -> None:
    async with _connected(server, "watcher"):
        pass  # now it listens
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(b"CONNECT " + json.dumps(words | {"verbose": False}).encode() + b"\r\nPING\r\n")
        async with asyncio.timeout(PATIENCE):
            assert b"-ERR 'Authorization Violation'" in await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


async def test_the_watcher_makes_the_streams_and_tells_ticks_and_changes(server: NatsServer) -> None:
    async with _provisioned(server) as (client, refusals):
        bus = Bus(client)
        change = Change(**PLACE, uid="1", reason=ChangeReason.SPEC, object="Canary/podinfo", version="7")
        assert await bus.publish(change, source="test")
        assert await bus.publish(Tick(**PLACE, uid="1", slot=NOW, interval=10), source="test")
        for stream in STREAMS:
            await _holds(client, stream.name, int(stream.name in ("CANARY_TICKS", "CANARY_REVISIONS")))
        assert refusals.none


async def test_the_watcher_may_ask_whether_messages_are_on_disk_when_they_are_confirmed(server: NatsServer) -> None:
    async with _connected(server, "watcher") as (client, refusals):
        assert await Bus(client).preflight() is None
        await round_trip(client)
        assert refusals.none


async def test_the_watcher_commands_nobody(server: NatsServer) -> None:
    async with _provisioned(server) as (client, refusals):
        await client.publish("canary.command.abort.test.podinfo", b"{}")
        assert "canary.command.abort.test.podinfo" in await refusals.next()
        assert (await client.jetstream().stream_info("CANARY_COMMANDS")).state.messages == 0


async def test_the_handlers_take_ticks_and_tell_results(server: NatsServer) -> None:
    async with _provisioned(server) as (watcher, _), _connected(server, "handlers") as (client, refusals):
        await Bus(watcher).publish(Tick(**PLACE, uid="1", slot=NOW, interval=10), source="test")
        bus = Bus(client)
        assert await bus.unready(CONSUMERS) is None
        ticks = await client.jetstream().pull_subscribe_bind("analysis", stream="CANARY_TICKS")
        [message] = await ticks.fetch(1, timeout=5)
        await message.in_progress()
        await message.ack_sync(timeout=5)
        facts: dict[str, Any] = {
            "stimulus": "tick",
            "time": NOW,
            "phase": "Progressing",
            "weight": 5,
            "reason": "StepTaken",
        }
        assert await bus.publish(StepResult(**PLACE, uid="1", step=1, message="Advance", **facts), source="test")
        await _holds(watcher, "CANARY_TICKS", 0)
        assert refusals.none


async def test_the_handlers_make_no_ticks_and_touch_no_stream(server: NatsServer) -> None:
    async with _provisioned(server) as (watcher, _), _connected(server, "handlers") as (client, refusals):
        await client.publish("canary.tick.test.podinfo", b"{}")
        assert "canary.tick.test.podinfo" in await refusals.next()
        for verb in ("DELETE", "PURGE", "UPDATE", "MSG.DELETE"):
            await client.publish(f"$JS.API.STREAM.{verb}.CANARY_RESULTS", b"{}")
            assert f"STREAM.{verb}" in (await refusals.next()).upper()
        assert (await watcher.jetstream().stream_info("CANARY_TICKS")).state.messages == 0


async def test_people_command_ask_and_listen(server: NatsServer) -> None:
    async with (
        _provisioned(server) as (watcher, _),
        _connected(server, "handlers") as (handlers, _),
        _connected(server, "operator") as (client, refusals),
    ):

        async def answer(message: Any) -> None:
            await message.respond(b'{"accepted": true}')

        await handlers.subscribe("canary.api.>", cb=answer)
        everything = await client.subscribe("canary.>")
        await round_trip(handlers)
        await round_trip(client)
        body = CommandBody(by="ci").to_wire()
        stored = await client.request("canary.command.abort.test.podinfo", json.dumps(body).encode())
        assert b"CANARY_COMMANDS" in stored.data
        assert (await client.request("canary.api.get.test.podinfo", b"")).data == b'{"accepted": true}'
        assert (await everything.next_msg(timeout=5)).subject == "canary.command.abort.test.podinfo"
        assert (await watcher.jetstream().stream_info("CANARY_COMMANDS")).state.messages == 1
        assert refusals.none


@pytest.mark.parametrize("subject", ["canary.result.test.podinfo", "canary.tick.test.podinfo", "$JS.API.INFO"])
async def test_people_cannot_speak_for_the_processes(subject: str, server: NatsServer) -> None:
    async with _connected(server, "operator") as (client, refusals):
        await client.publish(subject, b"{}")
        assert subject.lower() in (await refusals.next()).lower()
