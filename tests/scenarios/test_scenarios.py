"""Every scenario on the pure core; ``make test-cluster`` plays them on a real API server as well (test_on_cluster)."""

from __future__ import annotations

import pytest

from tests.scenarios.format import Scenario, everything
from tests.scenarios.on_core import OnCore
from tests.scenarios.play import play


@pytest.mark.parametrize(
    "scenario",
    [pytest.param(item, id=f"{item.file}: {item.scenario}") for item in everything() if item.plays_on("core")],
)
async def test_scenario(scenario: Scenario) -> None:
    assert await play(scenario, OnCore()) == sum(step.then is not None for step in scenario.steps) > 0
