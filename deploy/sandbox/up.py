"""The sandbox for playing: everything runs, the tutorial's application is initialised, nothing happens by itself."""

from __future__ import annotations

import asyncio
import shutil
import sys
from contextlib import AsyncExitStack

from deploy.sandbox import binaries
from deploy.sandbox.application import PODINFO, Application
from deploy.sandbox.follow import Follower
from deploy.sandbox.load import Load
from deploy.sandbox.sandbox import HOST, Sandbox


def _say(text: str) -> None:
    print(text, flush=True)


async def up(rate: float = 0) -> int:
    """Until cancelled. ``rate`` is that of a load of requests per second meanwhile; 0 for none.

    Raises :class:`PartError` when a part dies.
    """
    async with Sandbox(say=_say) as sandbox, AsyncExitStack() as stack:
        follower = Follower(sandbox.kube, PODINFO)
        following = asyncio.create_task(follower.run())
        stack.callback(following.cancel)
        application = Application(sandbox.kube)
        await application.install()
        await application.initialised(follower)
        _say(f"\npodinfo is initialised. Type next:\n\n{guide(sandbox)}\n\nCtrl-C ends everything.")
        if rate:
            await stack.enter_async_context(Load(sandbox.gateway_url, host=HOST, rate=rate))
        await sandbox.died()
    return 0


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
