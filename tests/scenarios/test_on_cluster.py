"""Every scenario on a real API server, with real controllers, each in a namespace of its own."""

from __future__ import annotations

import pytest

from tests.scenarios.format import Scenario, everything
from tests.scenarios.on_cluster import OnCluster
from tests.scenarios.play import play

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize(
    "scenario",
    [pytest.param(item, id=f"{item.file}: {item.scenario}") for item in everything() if item.plays_on("cluster")],
)
async def test_scenario(scenario: Scenario, stage: OnCluster) -> None:
    assert await play(scenario, stage) == sum(step.then is not None for step in scenario.steps) > 0
