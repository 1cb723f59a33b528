"""The sandbox for playing: everything runs, the tutorial's application is initialised, nothing happens by itself."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from contextlib import AsyncExitStack

from deploy.sandbox import binaries
from deploy.sandbox.load import Load
from deploy.sandbox.memory import table, taken_by
from deploy.sandbox.sandbox import HOST, Sandbox

MEMORY = 400.0
"""MB, as a plain sum of what is resident: what the sandbox may take with the tutorial's application."""
_REST = 10.0
"""Seconds."""


def _say(text: str) -> None:
    print(text, flush=True)


async def up(rate: float = 0) -> int:
    """Until cancelled. ``rate`` is that of a load of requests per second meanwhile; 0 for none.

    Raises :class:`PartError` when a part dies.
    """
    async with Sandbox(say=_say) as sandbox, AsyncExitStack() as stack:
        await sandbox.install("tutorial")
        _say(f"\npodinfo is initialised. Type next:\n\n{guide(sandbox)}\n\nCtrl-C ends everything.")
        if rate:
            await stack.enter_async_context(Load(sandbox.gateway_url, host=HOST, rate=rate))
        await sandbox.died()
    return 0


async def memory() -> int:
    """The sandbox at rest, and what each of its processes takes. 0 if they stay within :data:`MEMORY` together."""
    async with Sandbox() as sandbox:
        await sandbox.install("tutorial")
        await asyncio.sleep(_REST)
        found = taken_by(os.getpid())
    for line in table(found):
        _say(line)
    return int(sum(taken.resident for taken in found) > MEMORY)


def guide(sandbox: Sandbox) -> str:
    """What to type next, to be pasted as it is."""
    kubectl = "kubectl" if shutil.which("kubectl") else binaries.look_for("kubectl") or "kubectl"
    nats = "nats" if shutil.which("nats") else f"{sys.executable} -m deploy.sandbox.bus"
    return "\n".join(
        [
            f"  export KUBECONFIG={sandbox.kubeconfig}",
            f"  export NATS_URL={sandbox.nats_url}",
            f"  curl -H 'Host: {HOST}' {sandbox.gateway_url}",
            f"  # Prometheus: {sandbox.prometheus_url}",
            "",
            "  # a rollout, watched",
            f"  {kubectl} -n test set image deployment/podinfo podinfod=stefanprodan/podinfo:6.0.1",
            f"  {kubectl} get canaries -A -w",
            "  # everything that happens, on the bus",
            f"  {nats} sub 'canary.>'",
            "  # the end of a rollout",
            f"  {nats} pub canary.command.abort.test.podinfo '{{}}'",
        ]
    )
