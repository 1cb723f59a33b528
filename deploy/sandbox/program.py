"""What the sandbox's own programs have in common: they serve until SIGTERM and say under their name why they end."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from deploy.sandbox.binaries import ProgramMissingError
from handlers.adapters.errors import AdapterError

_FAILURES = (AdapterError, ProgramMissingError, OSError)


class Program(NamedTuple):
    """``serve`` runs until it is cancelled and takes what ``parser`` has read; ``failures`` are its own errors."""

    name: str
    parser: Callable[[], argparse.ArgumentParser]
    serve: Callable[[argparse.Namespace], Coroutine[Any, Any, None]]
    failures: tuple[type[Exception], ...] = ()


def run(program: Program, arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0 after SIGTERM or Ctrl-C, 1 when it could not go on."""
    return run_together({program: arguments})


def run_together(programs: Mapping[Program, Sequence[str] | None]) -> int:
    """Several as tasks of one process, each with its arguments; when one ends, all do."""
    works = [(program, program.parser().parse_args(arguments)) for program, arguments in programs.items()]
    return asyncio.run(_until_told(works))


async def _until_told(works: Sequence[tuple[Program, argparse.Namespace]]) -> int:
    tasks = [asyncio.create_task(_served(program, options)) for program, options in works]
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _cancel, tasks)
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    _cancel(tasks)
    return int(not all(await asyncio.gather(*tasks)))


def _cancel(tasks: Sequence[asyncio.Task[bool]]) -> None:
    for task in tasks:
        task.cancel()


async def _served(program: Program, options: argparse.Namespace) -> bool:
    """False when it could not go on; it has been told why."""
    failed = False
    failures: tuple[type[Exception], ...] = (*_FAILURES, *program.failures)
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await program.serve(options)
    except* failures as group:
        failed = True
        for error in leaves(group):
            print(f"{program.name}: {error}", file=sys.stderr, flush=True)
    return not failed


def leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    """What is in the group and in the groups in it."""
    for found in group.exceptions:
        if isinstance(found, BaseExceptionGroup):
            yield from leaves(found)
        else:
            yield found
