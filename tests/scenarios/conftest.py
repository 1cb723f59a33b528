"""A stage on the real API server, ``$KUBECONFIG``, in a namespace of its own; collected only where it is asked for."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from handlers.adapters.errors import AlreadyExists
from handlers.adapters.kube import Kube, find_access
from schemas.resources import CUSTOM_RESOURCE_DEFINITION
from schemas.settings import Settings
from tests import keda
from tests.deploy.api import connected, established, installed, own_namespace, wanted_for_real
from tests.scenarios.manifest import DRAIN
from tests.scenarios.on_cluster import OnCluster
from tests.scenarios.place import Place, Watch
from tests.scenarios.surroundings import Answers, Heard

collect_ignore = [] if wanted_for_real() else ["test_on_cluster.py"]
_served: set[str] = set()


async def _definitions(kube: Kube, kubeconfig: str) -> None:
    """Once a process."""
    if kubeconfig not in _served:
        await installed(kube)
        with suppress(AlreadyExists):
            await kube.create(CUSTOM_RESOURCE_DEFINITION, keda.DEFINITION)
        await established(kube, keda.DEFINITION["metadata"]["name"])
        _served.add(kubeconfig)


@pytest.fixture
async def stage() -> AsyncIterator[OnCluster]:
    kubeconfig = os.environ["KUBECONFIG"]
    answers, heard = Answers(), Heard()
    await answers.start()
    settings = Settings(metrics_server=answers.url, drain=DRAIN)
    access = await find_access(kubeconfig)
    async with (
        connected(kubeconfig) as admin,
        Watch(access, user_agent="canarybus-handlers") as kube,
    ):
        await _definitions(admin, kubeconfig)
        async with own_namespace(admin) as namespace:
            house = Place(kube, admin, heard, answers, settings, namespace)
            yield OnCluster(house, answers, heard)
            await house.http.aclose()
    await answers.stop()
