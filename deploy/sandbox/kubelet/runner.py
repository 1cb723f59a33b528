"""One pod from its binding to its last trace."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from deploy.sandbox.kubelet.container import Container
from deploy.sandbox.kubelet.environment import Configs, environment
from deploy.sandbox.kubelet.status import pod_status
from deploy.sandbox.kubelet.volumes import materialise
from deploy.sandbox.network import dial
from handlers.adapters.errors import AdapterError, Conflict, NotFound, TransientError
from handlers.adapters.kube import Kube, Object
from schemas.resources import POD

_SETTLE = 0.02
"""Seconds in which further changes go into the same write: a start is one write, not three."""
_RETRY = 0.5


class Surroundings(NamedTuple):
    """What the kubelet gives to every pod. ``variables`` by namespace are the node's own (PATH, proxies)."""

    kube: Kube
    state: Path
    proxy: str
    variables: Mapping[str, str]
    backoff: float


class PodRunner:
    """``address`` is the published one; the processes bind to its loopback twin."""

    def __init__(self, pod: Object, address: str, surroundings: Surroundings) -> None:
        self.pod = pod
        self.namespace = str(pod["metadata"]["namespace"])
        self.name = str(pod["metadata"]["name"])
        self.uid = str(pod["metadata"]["uid"])
        self.address = address
        self._around = surroundings
        self._directory = surroundings.state / "pods" / self.uid
        self._began = datetime.now(UTC)
        self._changed = asyncio.Event()
        self._leaving = asyncio.Event()
        self._containers = [self._container(spec) for spec in pod["spec"]["containers"]]
        self._reported: Object = {}

    def _container(self, spec: Object) -> Container:
        logs = self._around.state / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        return Container(
            spec,
            host=dial(self.address),
            restart_policy=self.pod["spec"].get("restartPolicy", "Always"),
            variables=self._variables,
            log=logs / f"{self.namespace}_{self.name}_{spec['name']}.log",
            changed=self._changed.set,
            restarts=self._restarts_before(spec["name"]),
            backoff=self._around.backoff,
        )

    def _restarts_before(self, name: str) -> int:
        """A kubelet that finds a pod of its node without a process restarts it, and says so."""
        for status in self.pod.get("status", {}).get("containerStatuses", []):
            if status["name"] == name:
                return int(status["restartCount"]) + (1 if status.get("containerID") else 0)
        return 0

    def see(self, pod: Object) -> None:
        """The API server's newest version: it may be marked for deletion, or be a namesake's successor."""
        self.pod = pod
        if pod["metadata"].get("deletionTimestamp"):
            self._leaving.set()

    def vanish(self) -> None:
        """The object is gone already: nobody waits for the processes any more."""
        self.pod["metadata"].setdefault("deletionGracePeriodSeconds", 0)
        self._leaving.set()

    async def run(self) -> None:
        """Until the pod is deleted and its processes and its object are gone; cancelled, the processes are killed."""
        reporting = asyncio.create_task(self._report())
        running = [asyncio.create_task(container.run()) for container in self._containers]
        try:
            await self._leaving.wait()
            await self._stop(running)
        finally:
            for task in (*running, reporting):
                task.cancel()
            await asyncio.gather(*running, reporting, return_exceptions=True)
            shutil.rmtree(self._directory, ignore_errors=True)
        await self._remove()

    async def _stop(self, running: list[asyncio.Task[None]]) -> None:
        """SIGTERM and up to the grace period for each container; what is left then is killed by the caller."""
        metadata, spec = self.pod["metadata"], self.pod["spec"]
        grace = metadata.get("deletionGracePeriodSeconds", spec.get("terminationGracePeriodSeconds", 30))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await asyncio.gather(*(container.stop() for container in self._containers))
                for task, container in zip(running, self._containers, strict=True):
                    if not container.alive:
                        task.cancel()  # it waits for an image or for a restart that will not come
                await asyncio.wait(running)

    async def _remove(self) -> None:
        while True:
            try:
                await self._around.kube.delete(POD, self.namespace, self.name, uid=self.uid, grace_seconds=0)
            except Conflict:
                return  # a namesake has taken its place
            except TransientError as error:
                print(f"pod {self.namespace}/{self.name}: {error}", flush=True)
                await asyncio.sleep(_RETRY)
            else:
                return

    async def _report(self) -> None:
        self._changed.set()
        while True:
            await self._changed.wait()
            await asyncio.sleep(_SETTLE)
            self._changed.clear()
            reports = [container.report for container in self._containers]
            known = self.pod | {"status": {**self.pod.get("status", {}), **self._reported}}
            status = pod_status(known, reports, self.address, self._began, datetime.now(UTC))
            if status == self._reported:
                continue
            try:
                body = {"metadata": {"uid": self.uid}, "status": status}
                await self._around.kube.patch(POD, self.namespace, self.name, body, subresource="status")
            except NotFound:
                return
            except AdapterError as error:
                print(f"pod {self.namespace}/{self.name}: {error}", flush=True)
                await asyncio.sleep(_RETRY)
                self._changed.set()
            else:
                self._reported = status

    async def _variables(self, container: Object) -> Mapping[str, str]:
        configs = Configs(self._around.kube, self.namespace)
        volumes = await materialise(self.pod, self._directory / "volumes", configs)
        own = await environment(self.pod, container, self.address, configs)
        temporary = self._directory / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        return {**self._around.variables, "TMPDIR": str(temporary), **self._proxies(), **volumes, **own}

    def _proxies(self) -> Mapping[str, str]:
        """Names are resolved in the pod's namespace: the proxy reads it from the user name."""
        if not self._around.proxy:
            return {}
        proxy = f"http://{self.namespace}:@{self._around.proxy}"
        direct = "127.0.0.1,localhost"
        return {"http_proxy": proxy, "HTTP_PROXY": proxy, "no_proxy": direct, "NO_PROXY": direct}
