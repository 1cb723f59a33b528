"""``python -m deploy.sandbox.podinfo [--port=9898] [--port-metrics=9797]``: one replica of podinfo.

Environment: POD_IP (address to bind to), POD_NAME, IMAGE (its tag is the version), PODINFO_UI_MESSAGE,
PODINFO_UI_COLOR, DRAIN_SECONDS (3), FAULT_* (see faults.py). Other flags of podinfo are accepted and mean nothing.

On SIGTERM it is no longer ready, goes on serving for DRAIN_SECONDS so that endpoints are withdrawn first, then
accepts no more, finishes its requests and exits with 0.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from deploy.sandbox.podinfo.app import Podinfo, from_environment
from deploy.sandbox.podinfo.faults import Faults
from deploy.sandbox.podinfo.loop import Loop
from deploy.sandbox.podinfo.server import Server


def flag(arguments: Sequence[str], name: str, default: int) -> int:
    """``--name=5`` or ``--name 5``; argparse would cost a megabyte."""
    for index, argument in enumerate(arguments):
        key, _, value = argument.partition("=")
        if key.lstrip("-") == name:
            return int(value or arguments[index + 1])
    return default


class Replica:
    """From its start to its exit code."""

    def __init__(self, pod: Podinfo, host: str, ports: Sequence[int], drain: float) -> None:
        self._pod = pod
        self._host = host
        self._ports = ports
        self._drain = drain
        self._loop = Loop()
        self._server = Server(self._loop, pod.plan)
        self._leaving = False
        self._code = 0

    def run(self) -> int:
        """Serves until SIGTERM; returns the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.on_signal(number, self._leave)
        self._loop.after(self._pod.faults.start_delay, self._start)
        self._loop.run()
        return self._code

    def _start(self) -> None:
        for port in self._ports:
            listening = self._server.listen(self._host, port)
            print(f"podinfo {self._pod.version} listens on {self._host}:{listening}", flush=True)
        if self._pod.faults.crash_after is not None:
            self._loop.after(self._pod.faults.crash_after, self._crash)

    def _crash(self) -> None:
        if not self._leaving:
            print("crash on demand", flush=True)
            self._code = 1
            self._loop.stop()

    def _leave(self) -> None:
        self._leaving = True
        self._pod.ready = False
        self._server.drain()
        if self._server.listening:
            self._loop.after(self._drain, lambda: self._server.close(self._loop.stop, grace=10))
        else:
            self._loop.stop()


def main() -> int:
    arguments = sys.argv[1:]
    pod = from_environment(os.environ, Faults.read(os.environ))
    ports = [flag(arguments, "port", 9898)]
    if metrics := flag(arguments, "port-metrics", 0):
        ports.append(metrics)
    drain = float(os.environ.get("DRAIN_SECONDS", "3"))
    return Replica(pod, os.environ.get("POD_IP", "127.0.0.1"), ports, drain).run()


sys.exit(main())
