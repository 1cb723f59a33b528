"""``python -m deploy.sandbox.loadtester [-port 9090] [-timeout 1h] [-namespace-regexp PATTERN]``

Commands run in bash with this process's own environment. When there is no ``hey`` on PATH they find a replacement
with the flags that the tutorial uses. Nothing that was started outlives the load tester, not even when it is killed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shlex
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from deploy.sandbox.durations import seconds
from deploy.sandbox.loadtester.app import LoadTester
from deploy.sandbox.loadtester.tasks import Tasks
from deploy.sandbox.webserver import WebServer


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="loadtester", description="Webhook target: gates and command tasks.")
    parser.add_argument("-port", "--port", type=int, default=9090)
    parser.add_argument("-timeout", "--timeout", type=seconds, default=3600.0, help="for each command, such as 1h")
    parser.add_argument("-namespace-regexp", "--namespace-regexp", type=re.compile, default=re.compile(""))
    known, _ = parser.parse_known_args()  # -log-level and its like
    return known


async def _serve(arguments: argparse.Namespace) -> None:
    loop, leave = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, leave.set)
    tasks, server = Tasks(arguments.timeout), WebServer()
    host = os.environ.get("POD_IP", "127.0.0.1")
    port = await server.listen(LoadTester(tasks, arguments.namespace_regexp).answer, host, arguments.port)
    print(f"load tester listens on {host}:{port}", flush=True)
    await leave.wait()
    await tasks.close()
    await server.close(grace=1)


def provide_hey(directory: Path) -> None:
    """Puts a ``hey`` into ``directory`` and that on PATH, unless there is one."""
    if shutil.which("hey"):
        return
    script = directory / "hey"
    root = Path(__file__).parents[3]
    python = shlex.quote(sys.executable)
    text = f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(root))} exec {python} -m deploy.sandbox.load.hey "$@"\n'
    script.write_text(text, encoding="utf-8")
    script.chmod(0o755)
    os.environ["PATH"] = f"{directory}:{os.environ.get('PATH', '')}"


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="loadtester-") as directory:
        provide_hey(Path(directory))
        asyncio.run(_serve(arguments))


if __name__ == "__main__":
    main()
