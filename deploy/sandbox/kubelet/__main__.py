"""``python -m deploy.sandbox.kubelet --node sandbox --state DIR``: pods as processes of this machine.

It speaks only to the Kubernetes API ($KUBECONFIG), so it serves the embedded API and a real control plane alike.
A pod is published as 10.A.B.C and its processes bind to 127.A.B.C on their real ports. What it cannot do, because a
process is not a container: mounts (see volumes.py: a variable names the directory), init containers, resource limits,
`kubectl logs` and `exec`; logs are files under DIR/logs.

SIGTERM ends it and every process; if it is killed, the kernel ends them.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

from deploy.sandbox import PLAIN
from deploy.sandbox.binaries import BYTECODE, CHECKOUT, search_path
from deploy.sandbox.kubelet.addresses import Addresses
from deploy.sandbox.kubelet.agent import Kubelet
from deploy.sandbox.kubelet.runner import Surroundings
from deploy.sandbox.network import Network
from deploy.sandbox.program import Program, run
from handlers.adapters.kube import Kube, find_access


def _variable(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise argparse.ArgumentTypeError(f"NAME=VALUE is needed, not {text!r}")
    return name, value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kubelet", description="Runs the pods of one node as local processes.")
    parser.add_argument("--node", default="sandbox", help="name of the node")
    parser.add_argument("--state", type=Path, required=True, help="directory for logs and volumes")
    parser.add_argument(
        "--network", type=int, help="second octet of the pods' addresses; one that nobody has if missing"
    )
    parser.add_argument("--proxy", default="", metavar="HOST:PORT", help="the service-name proxy that pods use")
    parser.add_argument("--env", type=_variable, action="append", default=[], help="NAME=VALUE for every pod")
    parser.add_argument("--backoff", type=float, default=10, help="seconds after the second crash; doubles up to 300")
    return parser


def variables_of_the_node() -> dict[str, str]:
    """What every process needs to find its programs; the rest of our own environment is none of a pod's business."""
    return {
        "PATH": search_path(),
        "PYTHONPATH": str(CHECKOUT),
        "PYTHONUNBUFFERED": "1",
        "PYTHONPYCACHEPREFIX": str(BYTECODE),
        **PLAIN,
        "LANG": os.environ.get("LANG", "C.UTF-8"),
    }


async def serve(options: argparse.Namespace) -> None:
    """Until cancelled. Raises :class:`AdapterError` without access to Kubernetes."""
    async with Kube(await find_access(), user_agent="canarybus-sandbox-kubelet") as kube:
        surroundings = Surroundings(
            kube=kube,
            state=options.state.absolute(),
            proxy=options.proxy,
            variables=variables_of_the_node() | dict(options.env),
            backoff=options.backoff,
        )
        own = None if options.network else Network()
        network = own.octet if own else options.network
        kubelet = Kubelet(options.node, Addresses(network), surroundings)
        announcing = asyncio.create_task(_announce(kubelet, network))
        try:
            await kubelet.run()
        finally:
            announcing.cancel()
            if own:
                own.close()


async def _announce(kubelet: Kubelet, network: int) -> None:
    await kubelet.registered.wait()
    print(f"kubelet is ready: pods are 10.{network}.x.x", flush=True)


KUBELET = Program("kubelet", _parser, serve)

if __name__ == "__main__":
    sys.exit(run(KUBELET))
