"""The tutorial's application as its users handle it: push an image, edit the Canary, send a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from deploy.sandbox import installation
from deploy.sandbox.follow import Follower
from handlers.adapters.kube import Kube
from handlers.adapters.round_trip import round_trip
from schemas.canary import Ref
from schemas.resources import DEPLOYMENT
from schemas.status import Phase

if TYPE_CHECKING:
    from nats.aio.client import Client

PODINFO = Ref("test", "podinfo")
CONTAINER = "podinfod"


class Application:
    """``podinfo`` in the namespace ``test``; versions are its image's tags."""

    def __init__(self, kube: Kube) -> None:
        self.kube = kube

    async def install(self) -> None:
        """Everything that the tutorial applies before its first rollout."""
        for name in installation.TUTORIAL:
            await self.apply(name)

    async def initialised(self, follower: Follower) -> None:
        """Raises :class:`NeverSeenError`."""
        await follower.until(lambda status: status.phase is Phase.INITIALIZED, "Initialized")

    async def apply(self, name: str) -> None:
        """``kubectl apply -f deploy/sandbox/manifests/<name>.yaml``."""
        await installation.apply(self.kube, installation.manifest(name))

    async def set_version(self, version: str) -> None:
        """``kubectl -n test set image deployment/podinfo podinfod=stefanprodan/podinfo:<version>``."""
        container = {"name": CONTAINER, "image": f"stefanprodan/podinfo:{version}"}
        body = {"spec": {"template": {"spec": {"containers": [container]}}}}
        await self.kube.patch(DEPLOYMENT, PODINFO.namespace, PODINFO.name, body, type="strategic")

    async def primary_version(self) -> str:
        found = await self.kube.get(DEPLOYMENT, PODINFO.namespace, f"{PODINFO.name}-primary")
        return str(found["spec"]["template"]["spec"]["containers"][0]["image"]).rpartition(":")[2]

    async def canary_replicas(self) -> int:
        found = await self.kube.get(DEPLOYMENT, PODINFO.namespace, PODINFO.name)
        return int(found["spec"].get("replicas", 1))


async def command(bus: Client, verb: str, **body: str) -> None:
    """``nats pub canary.command.<verb>.test.podinfo '{…}'``."""
    await bus.publish(f"canary.command.{verb}.{PODINFO.namespace}.{PODINFO.name}", orjson.dumps(body))
    await round_trip(bus)
