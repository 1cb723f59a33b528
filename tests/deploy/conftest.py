"""An API server with our definitions: the embedded one, or the real one of ``$KUBECONFIG`` when the run asks for it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest_asyncio

from handlers.adapters.kube import Kube
from tests.deploy.api import connected, embedded, installed, own_namespace, wanted_for_real


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kube() -> AsyncIterator[Kube]:
    if wanted_for_real():
        async with connected(os.environ["KUBECONFIG"]) as real:
            await installed(real)
            yield real
    else:
        async with embedded() as emulated:
            yield emulated


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def namespace(kube: Kube) -> AsyncIterator[str]:
    async with own_namespace(kube) as name:
        yield name
