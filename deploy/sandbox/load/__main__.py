"""``python -m deploy.sandbox.load --url http://127.0.0.1:8080 --host app.example.com --rate 100``: one JSON line a
second, and one with the total at the end (Ctrl-C, SIGTERM or ``--seconds``).

Exit code 1 if a request failed that was not provoked.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys

from deploy.sandbox.load import Load


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise argparse.ArgumentTypeError(f"a header is NAME: VALUE, not {text!r}")
    return name.strip(), value.strip()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="load", description="Constant load, counted by version and by failure.")
    parser.add_argument("--url", required=True)
    parser.add_argument("--host", help="Host header")
    parser.add_argument("--rate", type=float, default=50, help="requests per second")
    parser.add_argument("--header", type=_header, action="append", default=[], help="NAME: VALUE")
    parser.add_argument("--path", default="", help="a share of the requests goes here, and may fail")
    parser.add_argument("--share", type=float, default=0.0, help="0..1")
    parser.add_argument("--seconds", type=float, help="stop after that long")
    return parser.parse_args()


async def _run(arguments: argparse.Namespace) -> int:
    loop, leave = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, leave.set)
    if arguments.seconds:
        loop.call_later(arguments.seconds, leave.set)
    headers = dict(arguments.header)
    async with Load(arguments.url, host=arguments.host, rate=arguments.rate, headers=headers) as load:
        load.provoke(arguments.path, arguments.share)
        while not leave.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(leave.wait(), 1)
                break
            print(json.dumps(load.last_second.as_dict()), flush=True)
    print(json.dumps({"total": load.total.as_dict()}), flush=True)
    return 1 if load.total.failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(_run(_arguments())))
