"""Every row of the two documents has its scenario, and every scenario shows a row that there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.scenarios.format import HERE, Scenario, everything

ROOT = Path(__file__).resolve().parents[2]
ROWS = yaml.safe_load((HERE / "rows.yaml").read_text())
NAMED = [*ROWS["transitions"], *ROWS["lifecycle"], *ROWS["targets"], *ROWS["defects"], *ROWS["faults"]]
SCENARIOS = everything()
TESTED = {**ROWS["processes"], **ROWS["elsewhere"]}
SHOWN = {row for scenario in SCENARIOS for row in scenario.shows}


def test_every_row_has_a_scenario_but_those_about_processes() -> None:
    assert [row for row in NAMED if row not in SHOWN] == [row for row in NAMED if row in ROWS["processes"]]


def test_what_only_the_cluster_shows_has_a_test_in_the_default_suite() -> None:
    told = {row for scenario in SCENARIOS if scenario.plays_on("core") for row in scenario.shows}
    assert [row for row in NAMED if row not in told | TESTED.keys()] == []


@pytest.mark.parametrize(
    "step",
    [
        {"tick": 1, "then": {"apex": "primary"}},
        {"tick": 1, "then": {"objects": {"Service/podinfo": "missing"}}},
        {"tick": 1, "then": {"events": "Warning"}},
        {"remove": "Service/podinfo", "then": {"weight": 0}},
        {"hooks": {"rollout": 204}, "then": {"weight": 0}},
        {"hooks": {"rollout": "fails once"}, "then": {"weight": 0}},
        {"tick": 1, "then": {"payloads": {"rollout": {"name": "podinfo"}}}},
    ],
)
def test_a_story_whose_words_the_core_would_pass_over_is_not_for_the_core(step: dict[str, object]) -> None:
    story = {"scenario": "A story", "shows": "B1", "steps": [step]}
    with pytest.raises(ValueError, match="the core neither does nor sees"):
        Scenario.model_validate(story)
    assert Scenario.model_validate({**story, "only": {"cluster": "it has them"}}).plays_on("cluster")


def test_a_story_ends_with_what_is_to_be_seen() -> None:
    with pytest.raises(ValueError, match="ends without saying"):
        Scenario.model_validate({"scenario": "A story", "shows": "B1", "steps": [{"tick": 1}]})


def test_no_scenario_shows_a_row_that_is_not_there() -> None:
    assert sorted(SHOWN - set(NAMED)) == []


def test_no_test_is_named_for_a_row_that_is_not_there() -> None:
    assert sorted(TESTED.keys() - set(NAMED)) == []


def test_every_defect_of_the_peer_has_its_scenario() -> None:
    assert list(ROWS["defects"]) == [f"B{number}" for number in range(1, 29)]
    assert [row for row in ROWS["defects"] if row not in SHOWN] == []


def test_tests_that_rows_name_are_there() -> None:
    lost = []
    for row, test in TESTED.items():
        file, _, name = test.partition("::")
        path = ROOT / file
        if not path.exists() or not re.search(rf"def {name}\b", path.read_text()):
            lost.append(f"{row}: {test}")
    assert lost == []


def test_scenarios_are_told_apart_by_their_sentence() -> None:
    told = [scenario.scenario for scenario in SCENARIOS]
    assert sorted(told) == sorted(set(told))
