"""``python -m deploy.sandbox.install definitions | tutorial | removal``: puts into $KUBECONFIG's cluster what it says.

A process of its own, over when it is done: the sandbox itself goes on for hours and needs none of these libraries.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping

from deploy.sandbox import installation
from deploy.sandbox.application import PODINFO, Application
from deploy.sandbox.follow import NeverSeenError, following
from handlers.adapters.errors import AdapterError
from handlers.adapters.kube import Kube


async def tutorial(kube: Kube) -> None:
    """The tutorial's application, until its Canary is initialised."""
    application = Application(kube)
    async with following(kube, PODINFO) as follower:
        await application.install()
        await application.initialised(follower)


WORKS: Mapping[str, Callable[[Kube], Awaitable[None]]] = {
    "definitions": installation.define,
    "tutorial": tutorial,
    "removal": installation.remove,
}


async def _install(name: str) -> int:
    try:
        async with installation.connected() as kube:
            await WORKS[name](kube)
    except (AdapterError, NeverSeenError, TimeoutError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(_install(sys.argv[1])))
