"""The whole thing, started and stopped: `async with EmbeddedKubernetes() as api: api.url, api.kubeconfig`."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import yaml
from aiohttp import web

from . import customresources, snapshot
from .admission import Options
from .cluster import Cluster
from .collector import Collector
from .controllers import Controller, Runner
from .controllers.autoscalers import Autoscalers
from .controllers.daemonsets import DaemonSets
from .controllers.deployments import Deployments
from .controllers.endpointslices import EndpointSlices
from .controllers.fakelet import Fakelet
from .controllers.namespaces import Namespaces
from .controllers.replicasets import ReplicaSets
from .faults import Faults
from .server import Server

PodsMode = Literal["instant", "process"]
FIRST_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


class EmbeddedKubernetes:
    """A Kubernetes API on loopback, in the event loop of the caller.

    `pods="instant"`: pods become ready by themselves on a node named `fake`.
    `pods="process"`: pods wait for a kubelet that binds and runs them.
    `state`: a file that keeps the objects over an orderly restart.
    """

    def __init__(
        self, pods: PodsMode = "instant", port: int = 0, kubeconfig: Path | None = None, state: Path | None = None
    ) -> None:
        self.cluster = Cluster()
        self.faults = Faults()
        self.url = ""
        self._port, self._kubeconfig, self._pods, self._state = port, kubeconfig, pods, state
        self._directory: Path | None = None
        self._collector = Collector(self.cluster)
        self._definitions = customresources.Definitions(self.cluster)
        self._runner = Runner(self.cluster, self._settle)
        self._server = Server(self.cluster, self.faults)
        self._site: web.ServerRunner | None = None

    @property
    def kubeconfig(self) -> Path:
        """The path of a kubeconfig for this server."""
        assert self._kubeconfig is not None  # noqa: S101 (known once the server runs)
        return self._kubeconfig

    async def __aenter__(self) -> Self:
        store = self.cluster.store
        store.listen(customresources.DEFINITIONS, self._definitions.on_change)
        store.listen("*", self._collector.on_change)
        controllers: list[Controller] = [
            made(self.cluster)
            for made in (Namespaces, Deployments, ReplicaSets, DaemonSets, EndpointSlices, Autoscalers)
        ]
        fakelet = Fakelet(self.cluster) if self._pods == "instant" else None
        if fakelet is not None:
            controllers.append(fakelet)
        self._runner.start(controllers)
        if self._state is not None and self._state.exists():
            snapshot.load(self.cluster, self._state)
        else:
            self._furnish(fakelet)
        self._site = web.ServerRunner(web.Server(self._server.handle), handle_signals=False, shutdown_timeout=0.1)
        await self._site.setup()
        listener = web.TCPSite(self._site, "127.0.0.1", self._port)
        await listener.start()
        port = self._site.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}"
        self._write_kubeconfig()
        return self

    def _furnish(self, fakelet: Fakelet | None) -> None:
        namespaces = self.cluster.resources.stored("namespaces")
        for name in FIRST_NAMESPACES:
            self.cluster.create(namespaces, "v1", "", {"metadata": {"name": name}}, Options(manager="kube-apiserver"))
        if fakelet is not None:
            fakelet.register()

    def _settle(self) -> None:
        """What must follow a change before controllers act: definitions are served, garbage is gone."""
        self._collector.work()
        self._definitions.settle()
        if self._collector.busy:
            self._collector.work()

    def _write_kubeconfig(self) -> None:
        if self._kubeconfig is None:
            self._directory = Path(tempfile.mkdtemp(prefix="kube-"))
            self._kubeconfig = self._directory / "kubeconfig"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "sandbox", "cluster": {"server": self.url}}],
            "users": [{"name": "sandbox", "user": {}}],
            "contexts": [
                {"name": "sandbox", "context": {"cluster": "sandbox", "user": "sandbox", "namespace": "default"}}
            ],
            "current-context": "sandbox",
        }
        self._kubeconfig.write_text(yaml.safe_dump(config, sort_keys=False))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.stop()
        self._server.drop_watches()
        if self._site is not None:
            await self._site.cleanup()
        if self._state is not None:
            snapshot.save(self.cluster, self._state)
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
