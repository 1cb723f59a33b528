from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from deploy.sandbox.loadtester.app import LoadTester
from deploy.sandbox.loadtester.tasks import Tasks
from deploy.sandbox.messages import Request, Response
from tests.patience import PATIENCE


class Hook:
    """A load tester, asked as the canary controller asks it."""

    def __init__(self, timeout: float = 20, namespaces: str = "") -> None:
        self.tasks = Tasks(timeout)
        self._tester = LoadTester(self.tasks, re.compile(namespaces))

    async def post(self, path: str, body: Any) -> Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self._tester.answer(Request("POST", path, {}, {}, content))

    async def run(self, command: str, **metadata: str) -> Response:
        return await self.post("/", canary() | {"metadata": {"cmd": command, **metadata}})


def canary(name: str = "podinfo", namespace: str = "test") -> dict[str, Any]:
    return {"name": name, "namespace": namespace, "phase": "Progressing"}


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    made = Hook()
    yield made
    await made.tasks.close()


@pytest.mark.parametrize("kind", ["gate", "rollback"])
async def test_a_gate_is_closed_until_it_is_opened(hook: Hook, kind: str) -> None:
    assert (await hook.post(f"/{kind}/check", canary())) == Response.text("Forbidden", 403)
    assert (await hook.post(f"/{kind}/open", canary())) == Response(202)
    assert (await hook.post(f"/{kind}/check", canary())) == Response.text("Approved")
    assert (await hook.post(f"/{kind}/close", canary())) == Response(202)
    assert (await hook.post(f"/{kind}/check", canary())).status == 403


async def test_gates_of_other_canaries_and_of_the_other_kind_stay_closed(hook: Hook) -> None:
    await hook.post("/gate/open", canary())
    assert (await hook.post("/rollback/check", canary())).status == 403
    assert (await hook.post("/gate/check", canary(namespace="prod"))).status == 403
    assert (await hook.post("/gate/check", canary(name="frontend"))).status == 403


async def test_approve_and_halt_need_no_body(hook: Hook) -> None:
    assert await hook.post("/gate/approve", b"") == Response.text("OK")
    assert await hook.post("/gate/halt", b"") == Response.text("Forbidden", 403)
    assert (await hook.post("/healthz", b"")).status == 200


@pytest.mark.parametrize("path", ["/gate/check", "/gate/open", "/rollback/close", "/"])
@pytest.mark.parametrize("body", [b"no json", b"[1]", b'{"metadata": 1}'])
async def test_a_body_that_cannot_be_read_is_a_400(hook: Hook, path: str, body: bytes) -> None:
    assert (await hook.post(path, body)).status == 400


async def test_a_task_without_metadata_is_a_400(hook: Hook) -> None:
    answer = await hook.post("/", canary())
    assert (answer.status, answer.body) == (400, b"metadata not found in payload")


async def test_an_unknown_task_type_is_a_400(hook: Hook) -> None:
    answer = await hook.run("x", type="perl")
    assert (answer.status, answer.body) == (400, b"unknown task type perl")


async def test_an_unknown_path_is_a_404(hook: Hook) -> None:
    assert (await hook.post("/gate/burn", canary())).status == 404


async def test_canaries_of_other_namespaces_are_refused() -> None:
    hook = Hook(namespaces="^test$")
    assert (await hook.run("true", type="bash")).status == 200
    for path in ("/", "/gate/open", "/rollback/check"):
        body = canary(namespace="prod") | {"metadata": {"cmd": "true"}}
        assert (await hook.post(path, body)) == Response.text("Forbidden", 403)


async def test_a_bash_task_answers_with_its_outcome(hook: Hook) -> None:
    assert await hook.run("echo token | grep token", type="bash") == Response.text("")
    assert await hook.run("echo a token", type="bash", returnCmdOutput="true") == Response.text("a token\n")
    answer = await hook.run("echo went wrong >&2; exit 3", type="bash")
    assert answer.status == 500
    assert answer.body == b"command echo went wrong >&2; exit 3 failed: went wrong: exit status 3"


async def test_a_command_of_kubectl_runs_that_program(hook: Hook, tmp_path: Path, monkeypatch: Any) -> None:
    program = tmp_path / "kubectl"
    program.write_text('#!/bin/sh\necho "kubectl was given $*"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    answer = await hook.run("get pods", type="kubectl", returnCmdOutput="true")
    assert answer.body == b"kubectl was given get pods\n"


async def test_a_cmd_task_is_accepted_at_once_and_runs_in_the_background(hook: Hook, tmp_path: Path) -> None:
    fifo = pipe(tmp_path / "done")
    assert await hook.run(f"echo finished > {fifo}") == Response(202)
    assert await read(fifo) == "finished\n"


async def test_the_same_command_of_a_canary_runs_once_at_a_time(hook: Hook, tmp_path: Path) -> None:
    fifo, log = pipe(tmp_path / "go"), tmp_path / "log"
    command = f"echo once >> {log}; read line < {fifo}"
    for _ in range(3):
        assert (await hook.run(command)).status == 202
    assert hook.tasks.running == 1
    first = next(iter(hook.tasks._background.values()))
    await write(fifo, "go\n")
    await first
    assert log.read_text() == "once\n"
    assert (await hook.run(command)).status == 202
    assert hook.tasks.running == 1, "finished, so it may run again"


async def test_a_command_that_takes_too_long_is_killed_with_its_children() -> None:
    hook = Hook(timeout=0.2)
    answer = await hook.run("echo begun; sleep 1000 | cat", type="bash")
    assert answer.status == 500
    assert b"begun\ntimed out after 0.2s" in answer.body


async def test_what_runs_is_in_the_metrics(hook: Hook, tmp_path: Path) -> None:
    await hook.run("exit 1", type="bash")
    await hook.run(f"read line < {pipe(tmp_path / 'go')}")
    text = (await hook.post("/metrics", b"")).body.decode()
    assert "loadtester_tasks_failed_total 1" in text
    assert "loadtester_tasks_running 1" in text


async def test_commands_find_the_environment_of_the_load_tester(hook: Hook, monkeypatch: Any) -> None:
    monkeypatch.setenv("GATEWAY", "http://127.0.0.1:4711")
    answer = await hook.run("echo $GATEWAY", type="bash", returnCmdOutput="true")
    assert answer.body == b"http://127.0.0.1:4711\n"


def pipe(place: Path) -> Path:
    os.mkfifo(place)
    return place


async def read(fifo: Path) -> str:
    return await asyncio.wait_for(asyncio.to_thread(fifo.read_text), PATIENCE)


async def write(fifo: Path, text: str) -> None:
    await asyncio.wait_for(asyncio.to_thread(fifo.write_text, text), PATIENCE)
