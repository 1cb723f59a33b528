"""``python -m deploy.sandbox.load.hey``: stands in for the program `hey` where it is not installed.

Flags: ``-z`` duration, ``-n`` number of requests (200), ``-c`` workers (50), ``-q`` requests per second and worker,
``-H`` header, ``-host``, ``-m`` method, ``-d`` body, ``-t`` timeout in seconds (20).
"""

from __future__ import annotations

import argparse
import asyncio
import math
import time

from deploy.sandbox.durations import seconds
from deploy.sandbox.load.client import Client
from deploy.sandbox.load.counts import Counts


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="hey")
    parser.add_argument("-z", type=seconds, help="duration, such as 2m")
    parser.add_argument("-n", type=int, default=200)
    parser.add_argument("-c", type=int, default=50)
    parser.add_argument("-q", type=float, default=0.0)
    parser.add_argument("-H", action="append", default=[])
    parser.add_argument("-host")
    parser.add_argument("-m", default="GET")
    parser.add_argument("-d", default="")
    parser.add_argument("-t", type=float, default=20)
    parser.add_argument("url")
    return parser.parse_args()


async def _worker(
    client: Client, counts: Counts, budget: list[float], until: float, arguments: argparse.Namespace
) -> None:
    loop = asyncio.get_running_loop()
    while budget[0] > 0 and loop.time() < until:
        budget[0] -= 1
        next_one = loop.time() + (1 / arguments.q if arguments.q else 0)
        counts.add(await client.request(method=arguments.m, body=arguments.d.encode()))
        await asyncio.sleep(max(0.0, min(next_one, until) - loop.time()))


async def _run(arguments: argparse.Namespace) -> Counts:
    named = (text.partition(":") for text in arguments.H)
    headers = {name.strip(): value.strip() for name, _, value in named}
    client = Client(arguments.url, host=arguments.host, headers=headers, timeout=arguments.t)
    counts = Counts()
    until = asyncio.get_running_loop().time() + arguments.z if arguments.z else math.inf
    budget = [math.inf if arguments.z else float(arguments.n)]
    await asyncio.gather(*(_worker(client, counts, budget, until, arguments) for _ in range(arguments.c)))
    await client.close()
    return counts


def main() -> None:
    arguments = _arguments()
    started = time.monotonic()
    counts = asyncio.run(_run(arguments))
    took = time.monotonic() - started
    print(f"Summary:\n  Total:\t{took:.4f} secs\n  Requests/sec:\t{counts.requests / took:.4f}")
    print(f"Latency distribution:\n  50% in {counts.quantile(0.5):.4f} secs\n  99% in {counts.quantile(0.99):.4f} secs")
    print("Status code distribution:")
    for status, number in sorted(counts.statuses.items()):
        print(f"  [{status}]\t{number} responses")


if __name__ == "__main__":
    main()
