"""Commands that a webhook asks for: in the background, each at most once at a time, or with the caller waiting."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import termios
from typing import NamedTuple

from deploy.sandbox.children import die_with_parent

_LONGEST_OUTPUT = 64 * 1024
_FAREWELL = 2.0
"""Seconds."""


class Outcome(NamedTuple):
    """``code`` is the exit status, negative for a signal; ``output`` is stdout and stderr as they came."""

    code: int
    output: str


class Tasks:
    """Everything under way. ``timeout`` in seconds is the longest that one command may take."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._background: dict[str, asyncio.Task[None]] = {}
        self.started = 0
        self.failed = 0

    @property
    def running(self) -> int:
        return len(self._background)

    def start(self, canary: str, command: str, *, log_output: bool) -> bool:
        """False if ``canary`` has this very command running already: a hook is asked at every step."""
        key = f"{canary} {command}"
        if key in self._background:
            return False
        task = asyncio.create_task(self._log(canary, command, log_output))
        self._background[key] = task
        task.add_done_callback(lambda _: self._background.pop(key, None))
        return True

    async def _log(self, canary: str, command: str, log_output: bool) -> None:
        outcome = await self.run(command)
        said = f": {outcome.output.strip()}" if log_output or outcome.code else ""
        print(f"{canary}: command {command} ended with {outcome.code}{said}", flush=True)

    async def run(self, command: str) -> Outcome:
        """Runs ``command`` in bash to its end or to the timeout; cancelled, it takes the command's children along."""
        self.started += 1
        master, terminal = os.openpty()
        try:
            process = await asyncio.create_subprocess_exec(
                "bash",
                "-c",
                command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=lambda: _bind_to_us(terminal),
            )
        finally:
            os.close(terminal)
        try:
            outcome = await self._wait(process)
        finally:
            _end_group(process.pid)
            os.close(master)
            await _buried(process)
        if outcome.code:
            self.failed += 1
        return outcome

    async def _wait(self, process: asyncio.subprocess.Process) -> Outcome:
        assert process.stdout is not None  # noqa: S101 - asked for above
        output = bytearray()
        try:
            async with asyncio.timeout(self._timeout):
                while chunk := await process.stdout.read(4096):
                    output += chunk[: _LONGEST_OUTPUT - len(output)]
                code = await process.wait()
        except TimeoutError:
            _end_group(process.pid)
            await process.wait()
            return Outcome(-signal.SIGKILL, f"{output.decode(errors='replace')}timed out after {self._timeout:g}s")
        return Outcome(code, output.decode(errors="replace"))

    async def close(self) -> None:
        """Ends what still runs and waits until it is gone."""
        tasks = list(self._background.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _buried(process: asyncio.subprocess.Process) -> None:
    """Until it is gone and its output read to the end: asyncio keeps both until then. Whoever has left the group and
    still holds the output is not waited for."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.communicate(), _FAREWELL)


def _bind_to_us(terminal: int) -> None:
    """In the child. Its group dies with us even if we are killed: the kernel hangs up a terminal whose other end is
    gone, and that reaches the grandchildren (``curl | grep``), which a parent-death signal alone would not."""
    die_with_parent()
    # whoever started us with nohup meant us, not those
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)


def _end_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
