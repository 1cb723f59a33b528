"""``python -m handlers``: take events from the bus until SIGTERM. Settings come from the environment (``--help``)."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys

from pydantic import ValidationError

from handlers.adapters.errors import AdapterError
from handlers.adapters.telemetry import configure_logging
from handlers.app import DURABLES, App
from schemas.settings import Settings, describe


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m handlers",
        description="Canarybus handlers: stateless, any number of them.",
        epilog="environment:\n" + describe(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args()
    try:
        settings = Settings()
    except ValidationError as error:
        for detail in error.errors():
            name = "CANARYBUS_" + "_".join(str(part) for part in detail["loc"]).upper()
            print(f"{name}: {detail['msg']}", file=sys.stderr)  # noqa: T201 - the log is not set up yet
        return 2
    if unknown := set(settings.handlers) - set(DURABLES):
        known = ", ".join(DURABLES)
        print(f"CANARYBUS_HANDLERS: no such handler: {', '.join(unknown)}; use {known}", file=sys.stderr)  # noqa: T201
        return 2
    configure_logging(settings.log_level, settings.log_format)
    try:
        asyncio.run(_run(settings))
    except AdapterError as error:
        print(f"canarybus-handlers: {error}", file=sys.stderr)  # noqa: T201 - the last word, for a person
        return 3
    return 0


async def _run(settings: Settings) -> None:
    """Until a signal; one that comes while we still wait for NATS ends the waiting."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    app = App(settings)
    starting = asyncio.create_task(app.__aenter__())
    ending = asyncio.create_task(ended.wait())
    await asyncio.wait((starting, ending), return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.wait((starting,))
        return
    starting.result()
    try:
        await ending
    finally:
        await app.__aexit__()


if __name__ == "__main__":
    sys.exit(main())
