"""``python -m deploy.sandbox.gateway --port P --admin-port Q --state DIR``: serve until SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from deploy.sandbox.gateway.envoy import Envoy, EnvoyError
from deploy.sandbox.gateway.gateway import WATCHED, Gateway
from deploy.sandbox.gateway.reporter import Pace, Reporter
from deploy.sandbox.mirror import Mirror
from deploy.sandbox.program import Program, run
from handlers.adapters.kube import Kube, find_access


async def serve(options: argparse.Namespace) -> None:
    """Until cancelled. Raises :class:`EnvoyError` or :class:`AdapterError`."""
    state = options.state.absolute()
    state.mkdir(parents=True, exist_ok=True)
    async with (
        Kube(await find_access(), user_agent="sandbox-gateway") as kube,
        Envoy(options.port, options.admin_port, state) as envoy,
    ):
        mirror = Mirror(kube, WATCHED)
        reporter = Reporter(
            kube, mirror, namespace=options.namespace, proxy_name=options.proxy_name, pace=Pace(*options.verdict_delay)
        )
        gateway = Gateway(mirror, envoy, reporter, directory=state, batch=options.batch)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(mirror.run())
                group.create_task(gateway.run())
                group.create_task(envoy.ended())
                await gateway.ready.wait()
                print(f"gateway: serving 127.0.0.1:{options.port}, admin 127.0.0.1:{options.admin_port}", flush=True)
        finally:
            await reporter.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.sandbox.gateway", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="where Envoy takes requests")
    parser.add_argument("--admin-port", type=int, required=True, help="Envoy's admin interface: /stats/prometheus")
    parser.add_argument("--state", type=Path, required=True, help="directory for Envoy's configuration and log")
    parser.add_argument("--batch", type=float, default=1.0, help="seconds between two translations (default 1)")
    parser.add_argument(
        "--verdict-delay",
        type=float,
        nargs=2,
        default=tuple(Pace()),
        metavar=("SHORTEST", "LONGEST"),
        help="seconds between the pending status and the verdict (default 0.5 1.5)",
    )
    parser.add_argument("--namespace", default="gloo-system", help="under which name the statuses are written")
    parser.add_argument("--proxy-name", default="gateway-proxy")
    return parser


GATEWAY = Program("gateway", _parser, serve, (EnvoyError,))

if __name__ == "__main__":
    sys.exit(run(GATEWAY))
