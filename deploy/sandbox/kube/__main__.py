"""`python -m deploy.sandbox.kube --port 0 --kubeconfig FILE`: serve until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import signal
from pathlib import Path

from .embedded import EmbeddedKubernetes, PodsMode


async def serve(port: int, kubeconfig: Path, pods: PodsMode, state: Path | None) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with EmbeddedKubernetes(pods=pods, port=port, kubeconfig=kubeconfig, state=state) as api:
        print(f"serving on {api.url}, kubeconfig {api.kubeconfig}", flush=True)
        await stopped.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.sandbox.kube", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--kubeconfig", type=Path, required=True, help="file to write")
    parser.add_argument("--pods", choices=("process", "instant"), default="process", help="who runs pods")
    parser.add_argument("--state", type=Path, help="file that keeps the objects over an orderly restart")
    given = parser.parse_args()
    asyncio.run(serve(given.port, given.kubeconfig, given.pods, given.state))


if __name__ == "__main__":
    main()
