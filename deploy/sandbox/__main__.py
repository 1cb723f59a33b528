"""``python -m deploy.sandbox up`` (the parts, idle), ``demo`` (the tutorial, live) or ``memory`` (what they take)."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Coroutine
from typing import Any

from deploy.sandbox.binaries import ProgramMissingError
from deploy.sandbox.parts import PartError
from deploy.sandbox.program import leaves
from deploy.sandbox.up import memory, up
from handlers.adapters.errors import AdapterError

_ENDED = 130
"""Exit code after Ctrl-C and its like, as shells have it."""
_ACTS = ("promotion", "restart", "errors", "latency", "custom-metric", "ab")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.sandbox", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    running = commands.add_parser("up", help="all parts and the tutorial's application, until Ctrl-C")
    running.add_argument("--load", type=float, default=0, metavar="RATE", help="requests per second meanwhile")
    playing = commands.add_parser("demo", help="the tutorial, act by act")
    playing.add_argument("--act", choices=_ACTS, help="the bootstrap and this act alone")
    playing.add_argument("-v", "--verbose", action="store_true", help="show what the parts take of the memory, too")
    commands.add_parser("memory", help="the same, at rest: what each process takes")
    return parser.parse_args()


def _work(options: argparse.Namespace) -> Coroutine[Any, Any, int]:
    if options.command == "up":
        return up(options.load)
    if options.command == "memory":
        return memory()
    from deploy.sandbox.demo.show import demo  # the live view alone takes several megabytes

    return demo(options.act, verbose=options.verbose)


async def _until_told(work: Coroutine[Any, Any, int]) -> int:
    """Ends in order on every signal that asks for it."""
    task = asyncio.ensure_future(work)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        return _ENDED


def main() -> int:
    options = _options()
    problems: list[BaseException] = []
    code = 1
    try:
        code = asyncio.run(_until_told(_work(options)))
    except* (PartError, ProgramMissingError, AdapterError) as group:
        problems = list(leaves(group))  # parts start together
    for problem in problems:
        print(f"sandbox: {problem}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
