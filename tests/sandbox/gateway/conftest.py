from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.sandbox.installation import connected
from tests.sandbox.control_plane import control_plane, namespace
from tests.sandbox.gateway.world import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with (
        control_plane() as kubeconfig,
        connected(kubeconfig) as kube,
        namespace(kube) as name,
        World(kube, kubeconfig, name, tmp_path) as made,
    ):
        yield made
