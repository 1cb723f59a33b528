"""One part of the sandbox: a process with a log, a way to tell that it is ready, and an end that leaves nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.sandbox import PLAIN
from deploy.sandbox.binaries import BYTECODE, CHECKOUT, search_path
from deploy.sandbox.children import die_with_parent
from deploy.sandbox.load.client import Client

_PATIENCE = 30.0
"""Seconds until a part that is not ready is taken for broken; usual are 0.1 to 3."""
_GRACE = 4.0
"""Seconds between SIGTERM and SIGKILL; pods drain for three."""
_LAST_LINES = 15
_OF_ITS_OWN = {*PLAIN, "PYTHONDONTWRITEBYTECODE"}


class PartError(Exception):
    """A part did not start or has died; the text shows the end of its log and says what to do."""


Command = tuple[str | Path, ...]
Ready = Callable[["Part"], Awaitable[bool]]


def prints(*texts: str) -> Ready:
    """Ready once its log, since it was last started, contains each of ``texts``."""

    async def ready(part: Part) -> bool:
        said = part.said
        return all(text in said for text in texts)

    return ready


def answers(url: str) -> Ready:
    """Ready once ``url`` answers 200."""

    async def ready(_: Part) -> bool:
        client = Client(url, timeout=2)
        answer = await client.request()
        await client.close()
        return answer.status == 200

    return ready


async def is_done(part: Part) -> bool:
    """Ready once it has ended well."""
    return part.succeeded


@dataclass
class Part:
    """``what`` is for people. ``environment`` is added to :func:`surroundings`."""

    name: str
    what: str
    command: Command
    ready: Ready
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    expected_to_end: bool = False
    """While it is killed or stopped on purpose."""

    _process: asyncio.subprocess.Process | None = None
    _offset: int = 0

    @property
    def pid(self) -> int:
        assert self._process is not None  # noqa: S101 - asked for while it runs
        return self._process.pid

    @property
    def succeeded(self) -> bool:
        """It has ended, and with 0."""
        return self._process is not None and self._process.returncode == 0

    @property
    def said(self) -> str:
        """Its log since it was last started."""
        with self.log.open("rb") as log:
            log.seek(self._offset)
            return log.read().decode(errors="replace")

    async def start(self) -> float:
        """Returns the seconds until it was ready. Raises :class:`PartError`."""
        began = time.monotonic()
        with self.log.open("ab") as log:
            self._offset = log.tell()
            self._process = await asyncio.create_subprocess_exec(
                *self.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=surroundings() | dict(self.environment),
                cwd=self.log.parent,
                start_new_session=True,  # a Ctrl-C is for us alone: we end the parts in order
                preexec_fn=die_with_parent,
            )
        self.expected_to_end = False
        while not await self.ready(self):
            if self._process.returncode is not None:
                raise PartError(self.obituary())
            if time.monotonic() - began > _PATIENCE:
                raise PartError(f"{self.name} is not ready after {_PATIENCE:g} s{self._end_of_log()}")
            await asyncio.sleep(0.03)
        return time.monotonic() - began

    async def ended(self) -> None:
        """Until it ends."""
        if self._process is not None:
            await self._process.wait()

    async def kill(self) -> None:
        """As ``kill -9`` does it."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL when that does not help."""
        await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> None:
        self.expected_to_end = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        try:
            await asyncio.wait_for(process.wait(), _GRACE)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def obituary(self) -> str:
        code = self._process.returncode if self._process else None
        how = f"was ended by {signal.Signals(-code).name}" if code is not None and code < 0 else f"ended with {code}"
        return f"{self.name} {how}{self._end_of_log()}"

    def _end_of_log(self) -> str:
        lines = self.said.strip().splitlines()[-_LAST_LINES:]
        shown = "".join(f"\n  | {line}" for line in lines) or " and said nothing"
        return f"; try `make setup`, then once more. The end of its log:{shown}"


def surroundings() -> dict[str, str]:
    """Our environment without its proxies: everything is on this machine, and names are resolved by the sandbox."""
    own = {
        "PATH": search_path(),
        "PYTHONPATH": str(CHECKOUT),
        "PYTHONUNBUFFERED": "1",
        "PYTHONPYCACHEPREFIX": str(BYTECODE),
        "MALLOC_ARENA_MAX": "2",
    }
    return {name: value for name, value in os.environ.items() if not _foreign(name)} | own


def _foreign(name: str) -> bool:
    return name in _OF_ITS_OWN or name.lower().endswith("_proxy") or name.startswith("CANARYBUS_")
