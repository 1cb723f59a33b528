"""``python -m deploy.sandbox.bus sub SUBJECT`` and ``… pub SUBJECT [BODY]``: for machines without the program `nats`.

``NATS_URL`` says where the bus is.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal

import nats
from nats.aio.msg import Msg

from handlers.adapters.round_trip import round_trip

_DEFAULT = "nats://127.0.0.1:4222"


async def publish(url: str, subject: str, body: str) -> None:
    """Raises :class:`OSError` or an error of the NATS client when there is no bus."""
    bus = await nats.connect(url, allow_reconnect=False)
    await bus.publish(subject, body.encode())
    await bus.drain()


async def listen(url: str, subject: str) -> None:
    """Prints every message until Ctrl-C or SIGTERM: its subject, then its body on a line."""
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)

    async def show(message: Msg) -> None:
        print(f"[{message.subject}]\n{message.data.decode(errors='replace')}\n", flush=True)

    bus = await nats.connect(url)
    await bus.subscribe(subject, cb=show)
    await round_trip(bus)
    await ended.wait()
    await bus.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.sandbox.bus", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("sub", help="print messages").add_argument("subject")
    publishing = verbs.add_parser("pub", help="send one message")
    publishing.add_argument("subject")
    publishing.add_argument("body", nargs="?", default="")
    given = parser.parse_args()
    url = os.environ.get("NATS_URL", _DEFAULT)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(listen(url, given.subject) if given.verb == "sub" else publish(url, given.subject, given.body))


if __name__ == "__main__":
    main()
