"""``python -m deploy.sandbox.podinfo [--port=9898] [--port-metrics=9797]``: one replica of podinfo.

Environment: POD_IP (address to bind to), POD_NAME, IMAGE (its tag is the version), PODINFO_UI_MESSAGE,
PODINFO_UI_COLOR, DRAIN_SECONDS (3), FAULT_* (see faults.py). Other flags of podinfo are accepted and mean nothing.

On SIGTERM it is no longer ready, goes on serving for DRAIN_SECONDS so that endpoints are withdrawn first, then
accepts no more, finishes its requests and exits with 0.
"""

from __future__ import annotations

import sys

sys.modules["ssl"] = None  # type: ignore[assignment]  # asyncio does without it, and each replica saves 5 MB

import asyncio  # noqa: E402 - after the line above
import os  # noqa: E402
import signal  # noqa: E402
from collections.abc import Sequence  # noqa: E402

from deploy.sandbox.podinfo.app import Podinfo, from_environment  # noqa: E402
from deploy.sandbox.podinfo.faults import Faults  # noqa: E402
from deploy.sandbox.webserver import WebServer  # noqa: E402


def flag(arguments: Sequence[str], name: str, default: int) -> int:
    """``--name=5`` or ``--name 5``; argparse would cost a megabyte."""
    for index, argument in enumerate(arguments):
        key, _, value = argument.partition("=")
        if key.lstrip("-") == name:
            return int(value or arguments[index + 1])
    return default


async def serve(pod: Podinfo, host: str, ports: Sequence[int], drain: float) -> int:
    """Serves until SIGTERM; returns the exit code."""
    loop, leave = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, leave.set)
    crash = pod.faults.crash_after
    await _first(leave, pod.faults.start_delay)
    if leave.is_set():
        return 0
    server = WebServer()
    for port in ports:
        listening = await server.listen(pod.answer, host, port)
        print(f"podinfo {pod.version} listens on {host}:{listening}", flush=True)
    await _first(leave, crash)
    if not leave.is_set():
        print("crash on demand", flush=True)
        return 1
    pod.ready = False
    server.drain()
    await asyncio.sleep(drain)
    await server.close(grace=10)
    return 0


async def _first(event: asyncio.Event, seconds: float | None) -> None:
    """Until ``event``, but no longer than ``seconds`` (None: for ever)."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return


def main() -> int:
    arguments = sys.argv[1:]
    pod = from_environment(os.environ, Faults.read(os.environ))
    ports = [flag(arguments, "port", 9898)]
    if metrics := flag(arguments, "port-metrics", 0):
        ports.append(metrics)
    drain = float(os.environ.get("DRAIN_SECONDS", "3"))
    return asyncio.run(serve(pod, os.environ.get("POD_IP", "127.0.0.1"), ports, drain))


sys.exit(main())
