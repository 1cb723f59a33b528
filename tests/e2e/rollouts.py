"""The tutorial's application on a running sandbox, handled and watched as its users do."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from typing import Any

import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg

from deploy.sandbox import binaries, installation
from deploy.sandbox.application import PODINFO, Application
from deploy.sandbox.follow import Follower
from deploy.sandbox.sandbox import Sandbox
from handlers.adapters.kube import Kube
from handlers.adapters.round_trip import round_trip
from schemas.status import CanaryStatus, Phase
from tests.patience import PATIENCE


class Rollouts:
    """``results`` are the bodies of all ``canary.result`` messages since the sandbox runs."""

    def __init__(self, sandbox: Sandbox, kube: Kube, follower: Follower, bus: Client) -> None:
        self.sandbox = sandbox
        self.follower = follower
        self.bus = bus
        self.application = Application(kube)
        self.results: list[dict[str, Any]] = []
        self._versions = (f"6.1.{number}" for number in itertools.count())

    async def listen(self) -> None:
        async def note(message: Msg) -> None:
            self.results.append(orjson.loads(message.data))

        await self.bus.subscribe("canary.result.>", cb=note)
        await round_trip(self.bus)

    async def judged_by(self, manifest: str, **analysis: Any) -> None:
        """Apply that Canary with ``analysis`` in the place of the manifest's own values; the tape begins here."""
        objects = installation.manifest(manifest)
        for item in objects:
            item["spec"]["analysis"] |= analysis
        await installation.apply(self.application.kube, objects)
        self.follower.begin()

    async def start(self) -> str:
        """Push a version that has never been there; returns it when its analysis has begun."""
        version = next(self._versions)
        before = self.follower.status.canary_revision
        await self.application.set_version(version)
        await self.follower.until(
            lambda status: status.phase is Phase.PROGRESSING and status.canary_revision != before, f"on {version}"
        )
        return version

    async def weight(self, least: int) -> CanaryStatus:
        """Users get at least that share: the gateway has accepted it."""
        found = await self.follower.until(lambda status: status.canary_weight >= least, f"at {least} %")
        await self.follower.applied(found)
        return found

    async def over(self, phase: Phase) -> CanaryStatus:
        """Ended in ``phase``, with nothing left to do."""
        return await self.follower.until(
            lambda status: status.phase is phase and status.settled, f"{phase.value} and settled", seconds=PATIENCE
        )

    async def kubectl(self, *arguments: str) -> str:
        """What kubectl says. Fails the test when kubectl fails."""
        environment: Mapping[str, str] = {"KUBECONFIG": str(self.sandbox.kubeconfig), "PATH": binaries.search_path()}
        process = await asyncio.create_subprocess_exec(
            str(binaries.find("kubectl")),
            *("-n", PODINFO.namespace, *arguments),
            env={**environment, "HOME": str(self.sandbox.state)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        assert process.returncode == 0, said.decode()
        return said.decode()


def weights(statuses: list[CanaryStatus]) -> list[int]:
    """The weights of an analysis, one after the other."""
    analysed = [status.canary_weight for status in statuses if status.phase is Phase.PROGRESSING]
    return [weight for weight, _ in itertools.groupby(analysed)]
