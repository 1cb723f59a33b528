"""Everything on one machine: which parts there are, in which order they start, and how they end.

``async with Sandbox() as sandbox:`` gives a running one. With ``KUBECONFIG`` and ``CANARYBUS_TEST_CLUSTER=1`` in the
environment the parts serve that control plane (which must not run pods itself); else an embedded API is one of them.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from deploy.sandbox import PLAIN, metrics
from deploy.sandbox.binaries import find
from deploy.sandbox.network import free_port
from deploy.sandbox.parts import Command, Part, PartError, Ready, answers, is_done, prints

HOST = "app.example.com"
"""The tutorial's domain: requests carry it as Host header."""
_PYTHON = (sys.executable, "-m")
_PRODUCT = (*_PYTHON, "deploy.sandbox.product")
_REAPER = 'read -r _; n=0; until rm -rf -- "$0" || [ $n -ge 50 ]; do n=$((n+1)); sleep 0.1; done'
"""Runs until our end of its pipe is closed, however we end, and then removes the state directory."""

_FRUGAL = {"GOGC": "25", "GOMEMLIMIT": "30MiB"}
"""Go programs collect their garbage often rather than grow."""


def embedded() -> bool:
    """False when the environment names a control plane that may be written to."""
    return os.environ.get("CANARYBUS_TEST_CLUSTER") != "1" or not os.environ.get("KUBECONFIG")


@dataclass(frozen=True)
class Pace:
    """How slow the world is, in seconds. A real Gloo takes ``batch=1, verdict=(0.5, 1.5)``."""

    batch: float = 0.2
    verdict: tuple[float, float] = (0.1, 0.3)
    drain: float = 2.0
    min_interval: float = 1.0


class Sandbox:
    """``say`` hears one line for each part that has started; ``pace`` is for demos and tests that are in a hurry."""

    def __init__(self, *, say: Callable[[str], None] = lambda _: None, pace: Pace | None = None) -> None:
        self._say = say
        self._pace = pace or Pace()
        self._stack = AsyncExitStack()
        self._parts: dict[str, Part] = {}
        self._died: asyncio.Future[None]
        self._watching: set[asyncio.Task[None]] = set()
        self._ports = {name: free_port() for name in _PORTS}
        self.embedded = embedded()

    @property
    def nats_url(self) -> str:
        return f"nats://127.0.0.1:{self._ports['nats']}"

    @property
    def gateway_url(self) -> str:
        return f"http://127.0.0.1:{self._ports['gateway']}"

    @property
    def prometheus_url(self) -> str:
        return f"http://127.0.0.1:{self._ports['prometheus']}"

    async def __aenter__(self) -> Self:
        self._died = asyncio.get_running_loop().create_future()
        try:
            await self._boot()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def died(self) -> None:
        """Until a part ends that should not. Raises :class:`PartError`."""
        await asyncio.shield(self._died)  # whoever stops waiting takes nothing from the others

    async def kill(self, name: str) -> None:
        """``kill -9`` of one part; :meth:`start` brings it back on its port."""
        await self._parts[name].kill()

    async def stop(self, name: str) -> None:
        await self._parts[name].stop()

    async def start(self, name: str) -> None:
        await self._start(self._parts[name])

    async def restart(self, name: str) -> None:
        """An orderly one: whatever the part keeps on disk is there again."""
        await self.stop(name)
        await self.start(name)

    def log(self, name: str) -> Path:
        return self._parts[name].log

    async def _boot(self) -> None:
        self.state = self._state_directory()
        self._stack.push_async_callback(self._end)
        first = [self._nats(), self._prometheus()]
        if self.embedded:
            self.kubeconfig = self.state / "kubeconfig"
            first.append(self._kubernetes())
        else:
            self.kubeconfig = Path(os.path.abspath(os.environ["KUBECONFIG"]))  # noqa: ASYNC240, PTH100 - no I/O
        await self._all(first)
        if not self.embedded:
            self._stack.push_async_callback(self.install, "removal")
        await self.install("definitions")
        await self._all([self._node(), self._watcher(), self._handlers()])

    async def install(self, what: str) -> None:
        """As :mod:`deploy.sandbox.install` does it. Raises :class:`PartError`."""
        await self._part(what, what, (*_PYTHON, "deploy.sandbox.install", what), is_done).start()

    def _state_directory(self) -> Path:
        state = Path(tempfile.mkdtemp(prefix="canarybus-"))
        reaper = subprocess.Popen(
            ["sh", "-c", _REAPER, str(state)], stdin=subprocess.PIPE, start_new_session=True, cwd="/"
        )
        self._stack.callback(reaper.wait)
        assert reaper.stdin is not None  # noqa: S101 - asked for above
        self._stack.callback(reaper.stdin.close)
        return state

    async def _all(self, parts: Iterable[Part]) -> None:
        async with asyncio.TaskGroup() as starting:
            for part in parts:
                self._parts[part.name] = part
                starting.create_task(self._start(part))

    async def _start(self, part: Part) -> None:
        seconds = await part.start()
        self._say(f"{part.name:<11} {part.what:<62} {seconds * 1000:5.0f} ms")
        task = asyncio.create_task(self._mourn(part))
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)

    async def _mourn(self, part: Part) -> None:
        await part.ended()
        if not part.expected_to_end and not self._died.done():
            self._died.set_exception(PartError(part.obituary()))

    async def _end(self) -> None:
        for part in self._parts.values():
            part.expected_to_end = True
        await asyncio.gather(*(part.stop() for part in self._parts.values()))
        for task in self._watching:
            task.cancel()
        if not self._died.cancel():
            self._died.exception()  # seen: whoever wanted to know has asked

    def _part(
        self,
        name: str,
        what: str,
        command: Command,
        ready: Ready,
        environment: Mapping[str, str] | None = None,
    ) -> Part:
        plain = PLAIN if self.embedded else {}
        surroundings = {"KUBECONFIG": str(self.kubeconfig), **plain, **(environment or {})}
        return Part(name, what, command, ready, self.state / f"{name}.log", surroundings)

    def _nats(self) -> Part:
        command: Command = (
            find("nats-server"),
            "-a",
            "127.0.0.1",
            "-p",
            str(self._ports["nats"]),
            "-m",
            str(self._ports["bus"]),
        )
        command += ("-js", "-sd", str(self.state / "jetstream"))
        ready = answers(f"http://127.0.0.1:{self._ports['bus']}/healthz")
        what = f"bus: nats-server with JetStream, {self.nats_url}"
        return Part("nats", what, command, ready, self.state / "nats.log", _FRUGAL)

    def _prometheus(self) -> Part:
        config = self.state / "prometheus.yml"
        admin = f"127.0.0.1:{self._ports['admin']}"
        targets = self.state / "kubelet" / metrics.TARGETS
        # there from the start: a directory that comes later is noticed at Prometheus' next refresh only, 30 s on
        targets.parent.mkdir(exist_ok=True)
        metrics.write_targets(targets, [])
        metrics.write_config(config, envoy_admin=admin, targets=targets)
        command: Command = (
            find("prometheus"),
            *metrics.arguments(config, self.state / "tsdb", self._ports["prometheus"]),
        )
        ready = answers(f"{self.prometheus_url}/-/ready")
        what = f"metrics: Prometheus, {self.prometheus_url}"
        return Part("prometheus", what, command, ready, self.state / "prometheus.log", _FRUGAL)

    def _kubernetes(self) -> Part:
        port = str(self._ports["kubernetes"])
        command: Command = (*_PYTHON, "deploy.sandbox.kube", "--port", port, "--kubeconfig", self.kubeconfig)
        command += ("--pods", "process", "--state", self.state / "objects.json")
        what = f"API: embedded Kubernetes, http://127.0.0.1:{port}"
        return self._part("kubernetes", what, command, prints("serving on"))

    def _node(self) -> Part:
        command: Command = (*_PYTHON, "deploy.sandbox.node", *self._gateway(), "--", *self._servicenet())
        command += ("--", *self._kubelet())
        ready = prints("gateway: serving", "servicenet: serving", "kubelet is ready")
        what = f"gateway: Envoy, as Gloo would have it; pods, names; {self.gateway_url}"
        return self._part("node", what, command, ready)

    def _gateway(self) -> Command:
        ports = ("--port", str(self._ports["gateway"]), "--admin-port", str(self._ports["admin"]))
        pace = ("--batch", f"{self._pace.batch}", "--verdict-delay", *(f"{value}" for value in self._pace.verdict))
        return ("gateway", *ports, "--state", self.state / "gateway", *pace)

    def _servicenet(self) -> Command:
        command: Command = ("servicenet", "--port", str(self._ports["names"]))
        known = {"flagger-prometheus.gloo-system:9090": "prometheus", "gateway-proxy.gloo-system:80": "gateway"}
        for name, part in known.items():
            command += ("--static", f"{name}=127.0.0.1:{self._ports[part]}")
        return command

    def _kubelet(self) -> Command:
        proxy = ("--proxy", self._names, "--env", f"GATEWAY={self.gateway_url}")
        return ("kubelet", "--state", self.state / "kubelet", *proxy)

    def _watcher(self) -> Part:
        ready = answers(f"http://127.0.0.1:{self._ports['watcher']}/readyz")
        command: Command = (*_PRODUCT, "watcher", "--provision")
        return self._part("watcher", "canarybus: sees changes, gives ticks", command, ready, self._settings("watcher"))

    def _handlers(self) -> Part:
        ready = answers(f"http://127.0.0.1:{self._ports['handlers']}/readyz")
        proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy"), f"http://gloo-system:@{self._names}")
        exceptions = dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")
        environment = self._settings("handlers") | proxies | exceptions
        command: Command = (*_PRODUCT, "handlers")
        return self._part("handlers", "canarybus: decides, moves routes and workloads", command, ready, environment)

    @property
    def _names(self) -> str:
        return f"127.0.0.1:{self._ports['names']}"

    def _settings(self, name: str) -> dict[str, str]:
        return {
            "CANARYBUS_NATS_URL": self.nats_url,
            "CANARYBUS_METRICS_SERVER": "http://flagger-prometheus.gloo-system:9090",
            "CANARYBUS_MIN_INTERVAL": f"{self._pace.min_interval:g}s",
            "CANARYBUS_DRAIN": f"{self._pace.drain:g}s",
            "CANARYBUS_PORT": str(self._ports[name]),
            **dict.fromkeys(PLAIN, ""),  # it has what its image has
        }


_PORTS = ("nats", "bus", "prometheus", "kubernetes", "gateway", "admin", "names", "watcher", "handlers")
