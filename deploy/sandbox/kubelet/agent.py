"""The kubelet: watches pods, binds those that nobody has placed, runs those of its node."""

from __future__ import annotations

import asyncio

from deploy.sandbox.kubelet.addresses import Addresses
from deploy.sandbox.kubelet.node import keep_alive, register
from deploy.sandbox.kubelet.runner import PodRunner, Surroundings
from deploy.sandbox.metrics import TARGETS, write_targets
from handlers.adapters.errors import AdapterError, Conflict, NotFound, TransientError
from handlers.adapters.kube import Object
from schemas.resources import POD, Resource

_PAUSE = 0.5
"""Seconds before listing again after the API server failed or had forgotten our place."""


class Kubelet:
    """All pods of the node called ``node``; there is no scheduler, so every unplaced pod is bound here."""

    def __init__(self, node: str, addresses: Addresses, surroundings: Surroundings) -> None:
        self.registered = asyncio.Event()
        self._node = node
        self._addresses = addresses
        self._around = surroundings
        self._runners: dict[str, PodRunner] = {}
        self._pods: asyncio.TaskGroup

    async def run(self) -> None:
        """Until cancelled; then all processes are ended and the objects stay as they are."""
        self._around.state.mkdir(parents=True, exist_ok=True)
        self._write_targets()
        await self._register()
        self.registered.set()
        async with asyncio.TaskGroup() as self._pods:
            self._pods.create_task(keep_alive(self._around.kube, self._node))
            self._pods.create_task(self._follow())

    async def _register(self) -> None:
        while True:
            try:
                await register(self._around.kube, self._node)
            except TransientError as error:
                print(f"node {self._node}: {error}", flush=True)
                await asyncio.sleep(_PAUSE)
            else:
                return

    async def _follow(self) -> None:
        while True:
            try:
                version = await self._list()
                while True:
                    version = await self._watch(version)
            except AdapterError as error:
                print(f"pods: {error}", flush=True)
                await asyncio.sleep(_PAUSE)

    async def _list(self) -> str:
        pods, version = await self._around.kube.list(POD)
        here = {pod["metadata"]["uid"] for pod in pods}
        for uid, runner in self._runners.items():
            if uid not in here:
                runner.vanish()
        for pod in pods:
            await self._see(pod)
        return version

    async def _watch(self, version: str) -> str:
        """Until the server ends the watch; the version from which to go on."""
        async for event in self._around.kube.watch(POD, resource_version=version):
            version = event.resource_version
            if event.type == "DELETED":
                if runner := self._runners.get(event.object["metadata"]["uid"]):
                    runner.vanish()
            elif event.type != "BOOKMARK":
                await self._see(event.object)
        return version

    async def _see(self, pod: Object) -> None:
        node, uid = pod["spec"].get("nodeName"), pod["metadata"]["uid"]
        if runner := self._runners.get(uid):
            runner.see(pod)
        elif not node and not pod["metadata"].get("deletionTimestamp") and may_run_on(pod, self._node):
            await self._bind(pod)
        elif node == self._node and pod.get("status", {}).get("phase") not in ("Succeeded", "Failed"):
            self._run(pod)

    def _run(self, pod: Object) -> None:
        address = self._addresses.claim(pod.get("status", {}).get("podIP"))
        runner = PodRunner(pod, address, self._around)
        runner.see(pod)
        self._runners[runner.uid] = runner
        self._pods.create_task(runner.run()).add_done_callback(lambda _: self._forget(runner))
        self._write_targets()

    def _forget(self, runner: PodRunner) -> None:
        self._runners.pop(runner.uid, None)
        self._write_targets()

    def _write_targets(self) -> None:
        write_targets(self._around.state / TARGETS, [(runner.pod, runner.address) for runner in self._runners.values()])

    async def _bind(self, pod: Object) -> None:
        """Refused when somebody else was quicker or the pod is gone: the watch tells. Other failures list again."""
        metadata = pod["metadata"]
        binding = Resource("", "v1", f"{POD.plural}/{metadata['name']}/binding", "Binding")
        body: Object = {
            "metadata": {"name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"]},
            "target": {"apiVersion": "v1", "kind": "Node", "name": self._node},
        }
        try:
            await self._around.kube.create(binding, body)
        except (Conflict, NotFound) as error:
            print(f"binding {metadata['namespace']}/{metadata['name']}: {error}", flush=True)


def may_run_on(pod: Object, node: str) -> bool:
    """False for a pod that is meant for another node: a DaemonSet asks for each by name."""
    affinity = pod["spec"].get("affinity", {}).get("nodeAffinity", {})
    terms = affinity.get("requiredDuringSchedulingIgnoredDuringExecution", {}).get("nodeSelectorTerms", [])
    named = [
        field["values"]
        for term in terms
        for field in term.get("matchFields", [])
        if field["key"] == "metadata.name" and field["operator"] == "In"
    ]
    wanted = pod["spec"].get("nodeSelector", {}).get("kubernetes.io/hostname", node)
    return wanted == node and (not named or any(node in names for names in named))
