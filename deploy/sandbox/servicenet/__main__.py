"""``python -m deploy.sandbox.servicenet --port P [--static name.namespace:port=address:port …]``: until SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import sys

from deploy.sandbox.mirror import Mirror
from deploy.sandbox.program import Program, run
from deploy.sandbox.servicenet.names import Names, static_entry
from deploy.sandbox.servicenet.proxy import serving
from handlers.adapters.kube import Kube, find_access
from schemas.resources import ENDPOINT_SLICE, SERVICE


async def serve(options: argparse.Namespace) -> None:
    """Until cancelled. Raises :class:`AdapterError` without access to Kubernetes, :class:`OSError` without the port."""
    async with Kube(await find_access(), user_agent="sandbox-servicenet") as kube:
        mirror = Mirror(kube, (SERVICE, ENDPOINT_SLICE))
        names = Names(mirror.objects(SERVICE), mirror.objects(ENDPOINT_SLICE), dict(options.static))
        async with asyncio.TaskGroup() as group:
            group.create_task(mirror.run())
            await mirror.listed()
            async with serving(names, options.port):
                print(f"servicenet: serving 127.0.0.1:{options.port}", flush=True)
                await asyncio.Event().wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.sandbox.servicenet", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="where the proxy listens on 127.0.0.1")
    parser.add_argument(
        "--static",
        type=static_entry,
        action="append",
        default=[],
        metavar="NAME.NAMESPACE:PORT=ADDRESS:PORT",
        help="a name for a part of the sandbox that is no pod; may be given again",
    )
    return parser


SERVICENET = Program("servicenet", _parser, serve)

if __name__ == "__main__":
    sys.exit(run(SERVICENET))
