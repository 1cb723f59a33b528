"""A real API server, ``$KUBECONFIG``, with everything under ``deploy/`` installed. Take one that may be thrown away.

The suite is collected only where it is asked for (``make test-cluster`` sets ``CANARYBUS_TEST_CLUSTER=1``).
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from handlers.adapters.kube import Kube
from tests.cluster.installation import install
from tests.cluster.world import World, canarybus
from tests.deploy.api import connected, installed, own_namespace, wanted_for_real

collect_ignore_glob = [] if wanted_for_real() else ["test_*.py"]


@pytest.fixture(scope="session")
def kubeconfig() -> str:
    """The administrator's."""
    return os.environ["KUBECONFIG"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kube(kubeconfig: str) -> AsyncIterator[Kube]:
    async with connected(kubeconfig) as admin:
        await installed(admin)
        await install(kubeconfig)
        yield admin


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def namespace(kube: Kube) -> AsyncIterator[str]:
    async with own_namespace(kube) as name:
        yield name


@pytest_asyncio.fixture(loop_scope="module")
async def world(kube: Kube, kubeconfig: str, tmp_path: Path) -> AsyncIterator[World]:
    async with own_namespace(kube) as own, canarybus(kube, kubeconfig, own, tmp_path) as started:
        yield started
