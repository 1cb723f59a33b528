"""Starts the sandbox's programs for a test and waits for what they say."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from deploy.sandbox.binaries import CHECKOUT
from tests.patience import PATIENCE


@dataclass
class Program:
    process: asyncio.subprocess.Process
    lines: list[str] = field(default_factory=list)

    async def says(self, text: str) -> str:
        """The next line that contains ``text``; the test fails if the program ends or is silent before."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            while line := (await self.process.stdout.readline()).decode():
                self.lines.append(line.rstrip())
                if text in line:
                    return line.rstrip()
        raise AssertionError(f"ended without saying {text!r}: {self.lines}")

    async def ends(self) -> int:
        async with asyncio.timeout(PATIENCE):
            return await self.process.wait()

    def memory(self) -> int:
        """Resident KiB."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:  # noqa: PTH123
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


@asynccontextmanager
async def program(*argv: str, environment: Mapping[str, str] | None = None) -> AsyncIterator[Program]:
    """``python`` with these arguments, killed at the end if it is still there."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *argv,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1", "PATH": os.environ["PATH"], **(environment or {})},
    )
    try:
        yield Program(process)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await process.communicate()
