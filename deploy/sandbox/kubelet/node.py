"""The node that pods are bound to: registered once, then kept alive by its status."""

from __future__ import annotations

import asyncio
import os
import platform
from datetime import UTC, datetime

from deploy.sandbox.kubelet.status import timestamp
from handlers.adapters.errors import AdapterError, AlreadyExists
from handlers.adapters.kube import Kube, Object
from schemas.resources import NODE

_HEARTBEAT = 15.0
"""Seconds; the controller manager gives a node up after 40 without news."""


async def register(kube: Kube, name: str) -> None:
    """Creates the Node, or takes over the one that an earlier kubelet left; without the taints of a new node."""
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    body: Object = {"metadata": {"name": name, "labels": labels}}
    try:
        await kube.create(NODE, body)
    except AlreadyExists:
        await kube.patch(NODE, "", name, body)
    await report(kube, name)
    await kube.patch(NODE, "", name, {"spec": {"taints": None}})


async def keep_alive(kube: Kube, name: str) -> None:
    """Until cancelled."""
    while True:
        await asyncio.sleep(_HEARTBEAT)
        try:
            await report(kube, name)
        except AdapterError as error:
            print(f"node {name}: {error}", flush=True)


async def report(kube: Kube, name: str) -> None:
    """One heartbeat. A node that somebody has deleted fails here and is not made again: that was a person's wish."""
    now = timestamp(datetime.now(UTC))
    before = await kube.get(NODE, "", name)
    since = now
    for condition in before.get("status", {}).get("conditions", []):
        if condition["type"] == "Ready" and condition["status"] == "True":
            since = condition["lastTransitionTime"]
    room = {"cpu": str(os.cpu_count() or 1), "memory": f"{_memory()}Ki", "pods": "250"}
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "KubeletReady",
        "message": "kubelet is posting ready status",
        "lastHeartbeatTime": now,
        "lastTransitionTime": since,
    }
    status: Object = {
        "capacity": room,
        "allocatable": room,
        "conditions": [ready],
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}, {"type": "Hostname", "address": name}],
        "nodeInfo": _info(),
    }
    await kube.patch(NODE, "", name, {"status": status}, subresource="status")


def _memory() -> int:
    """KiB of the machine."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 1024


def _info() -> Object:
    return {
        "machineID": "",
        "systemUUID": "",
        "bootID": "",
        "kernelVersion": platform.release(),
        "osImage": platform.platform(terse=True),
        "containerRuntimeVersion": "process://1",
        "kubeletVersion": "v0.0.0-sandbox",
        "kubeProxyVersion": "",
        "operatingSystem": "linux",
        "architecture": "amd64",
    }
