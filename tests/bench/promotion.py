"""``make bench``: how much longer a promotion takes than its steps, on the sandbox, while users come all the time.

A rollout of N steps at an interval of I seconds cannot take less than N * I. What it takes beyond that are the start of
the canary's pods, the gateway's batches, the roll-out of the primary and the drain; each part is told by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence

from deploy.sandbox import installation
from deploy.sandbox.application import PODINFO, Application
from deploy.sandbox.durations import seconds
from deploy.sandbox.follow import Follower, following
from deploy.sandbox.load import Load
from deploy.sandbox.sandbox import HOST, Pace, Sandbox
from schemas.status import IDLE, CanaryStatus, Phase

_RATE = 200.0
"""Requests per second."""
_REAL = Pace(batch=1, verdict=(0.5, 1.5), drain=5)
"""A real Gloo's (spec gloo 4.7), and the drain that a cluster has unless told otherwise."""
_PATIENCE = 600.0
"""Seconds for one promotion."""


class Watch:
    """When the Canary came to each phase, in seconds since the push."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self.reached: dict[Phase, float] = {}
        self.weights: dict[int, float] = {}

    def __call__(self, status: CanaryStatus, in_force: int) -> None:
        now = time.monotonic() - self._begun
        if status.phase not in IDLE:
            self.reached.setdefault(status.phase, now)
        if status.phase is Phase.PROGRESSING and status.canary_weight and in_force >= status.route_step:
            self.weights.setdefault(status.canary_weight, now)


async def main(interval: str, weights: Sequence[int], times: int) -> None:
    """Raises :class:`PartError` or :class:`NeverSeenError` when something does not come to its end."""
    async with Sandbox(say=print, pace=_REAL) as sandbox, installation.connected(sandbox.kubeconfig) as kube:
        await sandbox.install("tutorial")
        application = Application(kube)
        canary = installation.manifest("canary")
        for item in canary:
            own = {key: item["spec"]["analysis"][key] for key in ("threshold", "metrics", "webhooks")}
            item["spec"]["analysis"] = {"interval": interval, "stepWeights": list(weights), **own}
        await installation.apply(kube, canary)
        async with following(kube, PODINFO) as follower, Load(sandbox.gateway_url, host=HOST, rate=_RATE) as users:
            for number in range(times):
                await _promote(application, follower, f"6.2.{number}", seconds(interval), len(weights))
            print(f"{users.total.requests} requests meanwhile, {users.total.failed} of them failed")  # noqa: T201


async def _promote(application: Application, follower: Follower, version: str, interval: float, steps: int) -> None:
    follower.begin()
    watch = Watch()
    follower.listeners.append(watch)
    begun = time.monotonic()
    await application.set_version(version)
    await follower.until(lambda status: status.phase is Phase.PROGRESSING, f"on {version}")
    await follower.until(lambda status: status.phase is Phase.SUCCEEDED, "Succeeded", seconds=_PATIENCE)
    took = time.monotonic() - begun
    await follower.until(lambda status: status.phase in IDLE and status.settled, "settled")
    follower.listeners.remove(watch)
    beyond = took - steps * interval
    first, promoting = min(watch.weights.values()), watch.reached[Phase.PROMOTING]
    print(  # noqa: T201
        f"{version}: {took:.1f} s for {steps} steps of {interval:g} s: {beyond:.1f} s beyond, "
        f"{beyond / interval:.2f} intervals (first weight in force after {first:.1f} s, "
        f"judged good after {promoting:.1f} s, primary rolled out and routed to {took - promoting:.1f} s later)"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interval", default="10s")
    parser.add_argument("--weights", type=int, nargs="+", default=[20, 50])
    parser.add_argument("--times", type=int, default=2)
    wanted = parser.parse_args()
    asyncio.run(main(wanted.interval, wanted.weights, wanted.times))
