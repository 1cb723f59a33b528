"""``python -m watcher``: publish changes and ticks until SIGTERM. Settings come from the environment (``--help``)."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Coroutine
from importlib.metadata import version
from typing import Any

from pydantic import ValidationError

from handlers.adapters.bus import Bus
from handlers.adapters.errors import AdapterError
from handlers.adapters.kube import Kube, find_access
from handlers.adapters.telemetry import Metrics, Probes, configure_logging
from schemas.settings import Settings, describe
from watcher.app import Connection, ConnectionLostError, Watcher
from watcher.provision import made

_log = logging.getLogger("watcher")


def main() -> int:
    arguments = _arguments()
    try:
        settings = Settings()
    except ValidationError as error:
        for detail in error.errors():
            name = "CANARYBUS_" + "_".join(str(part) for part in detail["loc"]).upper()
            print(f"{name}: {detail['msg']}", file=sys.stderr)  # noqa: T201 - the log is not set up yet
        return 2
    configure_logging(settings.log_level, settings.log_format)
    work = _provision(settings) if arguments.provision_only else _watch(settings, update_streams=arguments.provision)
    try:
        asyncio.run(_until_signalled(work))
    except (AdapterError, ConnectionLostError) as error:
        print(f"canarybus-watcher: {error}", file=sys.stderr)  # noqa: T201 - the last word, for a person
        return 3
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m watcher",
        description="Canarybus watcher: says on the bus what changed and which Canary is due; two are harmless.",
        epilog="environment:\n" + describe(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    streams = parser.add_mutually_exclusive_group()
    streams.add_argument("--provision", action="store_true", help="create or update the streams first, then run")
    streams.add_argument("--provision-only", action="store_true", help="create or update the streams, then end")
    return parser.parse_args()


async def _until_signalled(work: Coroutine[Any, Any, None]) -> None:
    task, ended = asyncio.create_task(work), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    ending = asyncio.create_task(ended.wait())
    await asyncio.wait((task, ending), return_when=asyncio.FIRST_COMPLETED)
    if not task.done():
        task.cancel()
        await asyncio.wait((task,))
    ending.cancel()
    if not task.cancelled():
        task.result()


async def _watch(settings: Settings, *, update_streams: bool) -> None:
    metrics = Metrics()
    agent = f"canarybus-watcher/{version('canarybus')}"
    async with Kube(await find_access(), user_agent=agent, tell=metrics.api_call) as kube:
        watcher = Watcher(settings, kube, metrics.registry, update_streams=update_streams)
        probes = Probes(metrics.registry, watcher.checks)
        port = await probes.start(settings.port)
        _log.info("started", extra={"port": port})
        try:
            await watcher.run()
        finally:
            await probes.stop()
            _log.info("ended")


async def _provision(settings: Settings) -> None:
    connection = Connection(settings)
    running = asyncio.create_task(connection.run())
    try:
        arrived = asyncio.create_task(connection.connected.wait())
        await asyncio.wait((running, arrived), return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        if not await made(Bus(connection.client), settings.nats_replicas):
            _log.info("everything is as declared")
    finally:
        running.cancel()
        await connection.close()


if __name__ == "__main__":
    sys.exit(main())
