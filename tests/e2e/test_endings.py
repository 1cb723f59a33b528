"""However the sandbox ends, nothing of it is left."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from pathlib import Path

import pytest

from deploy.sandbox import PLAIN
from deploy.sandbox.binaries import CHECKOUT
from deploy.sandbox.memory import Taken, descendants, table, taken_by
from deploy.sandbox.parts import surroundings
from deploy.sandbox.up import MEMORY
from tests.patience import PATIENCE

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("lifecycle")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_no_process_and_no_file_is_left_after(number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CANARYBUS_TEST_CLUSTER", raising=False)  # a killed sandbox cannot clean up somebody's cluster
    sandbox, said = await up()
    found = re.search(r"export KUBECONFIG=(\S+)/kubeconfig", said)
    assert found, said
    state, parts = Path(found[1]), list(descendants(sandbox.pid))
    assert left(state, parts)
    assert len(parts) > 10, "parts, and pods as processes of the kubelet"

    sandbox.send_signal(number)
    await asyncio.wait_for(sandbox.communicate(), PATIENCE)

    assert sandbox.returncode == (-number if number is signal.SIGKILL else 130)
    async with asyncio.timeout(PATIENCE):
        while left(state, parts):
            await asyncio.sleep(0.05)


async def test_with_the_tutorials_application_it_takes_400_mb_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CANARYBUS_TEST_CLUSTER", raising=False)
    sandbox, _ = await up()

    async with asyncio.timeout(PATIENCE):
        while replicas(found := taken_by(sandbox.pid)) != 2:  # the canary's leave when they have drained
            await asyncio.sleep(0.05)
    sandbox.terminate()
    await asyncio.wait_for(sandbox.communicate(), PATIENCE)

    # what the machine gives for it; `make memory` judges RSS, which depends on how much of Envoy a kernel maps at once
    assert sum(taken.proportional for taken in found) <= MEMORY, "\n".join(table(found))


def replicas(found: list[Taken]) -> int:
    return sum(taken.name == "deploy.sandbox.podinfo" for taken in found)


async def up() -> tuple[asyncio.subprocess.Process, str]:
    """`make sandbox`, and what it has said when everything was there."""
    sandbox = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.sandbox", "up"),
        cwd=CHECKOUT,
        env=surroundings() | PLAIN,
        stdout=asyncio.subprocess.PIPE,
    )
    assert sandbox.stdout is not None
    said = await asyncio.wait_for(sandbox.stdout.readuntil(b"Ctrl-C ends everything."), PATIENCE)
    return sandbox, said.decode()


def left(state: Path, parts: list[int]) -> bool:
    return state.exists() or any(alive(process) for process in parts)


def alive(process: int) -> bool:
    """An ended process that its new parent has not buried yet is dead, too."""
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
