"""Metrics of one name, and metrics that are several questions: each is asked, judged, counted and shown for itself."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from handlers.core.explain import explain
from schemas.analysis import Analysis
from schemas.canary import Canary
from schemas.status import Phase
from tests.handlers.core.manifests import SUCCESS_RATE, hook, weighted
from tests.handlers.core.world import World

FRONT = {"name": "latency", "query": "front", "thresholdRange": {"max": 200}}
BACK = {"name": "latency", "query": "back", "thresholdRange": {"max": 300}}
TEMPLATE = {"templateRef": {"name": "mine"}}


def analysing(*metrics: dict[str, Any], **analysis: Any) -> World:
    world = World(weighted(metrics=list(metrics), **analysis)).until(Phase.INITIALIZED)
    world.push("podinfo:2")
    world.tick()
    return world


def keys(*metrics: dict[str, Any]) -> list[tuple[str, str]]:
    """Each question by its key, and what is asked."""
    found = Analysis.model_validate({"metrics": metrics}).checks
    return [(one.key, one.query or (one.template_ref.name if one.template_ref else "built-in")) for one in found]


def test_the_second_of_a_name_halts_with_its_own_value_and_limit_under_the_plain_name() -> None:
    world = analysing(FRONT, BACK)
    world.answer("latency #2", 301)
    world.tick()
    assert (world.weight, world.status.failed_checks) == (25, 1)
    assert "Halt podinfo.test advancement latency 301.00 > 300" in world.told
    assert world.status.last_step is not None
    shown = [(check.name, check.verdict, check.value, check.max) for check in world.status.last_step.checks]
    assert shown == [("latency", "pass", 100, 200), ("latency #2", "fail", 301, 300)]


def test_failures_in_a_row_of_one_are_not_those_of_its_namesake() -> None:
    world = analysing({**FRONT, "consecutive": 2}, {**BACK, "consecutive": 3})
    world.answer("latency", 500)
    world.answer("latency #2", 500)
    world.tick()
    assert world.status.in_a_row == {"latency": 1, "latency #2": 1}
    world.answer("latency", 100)
    world.tick()
    assert (world.status.failed_checks, world.status.in_a_row) == (0, {"latency #2": 2})
    world.tick()
    assert (world.status.failed_checks, world.status.in_a_row) == (1, {"latency #2": 3})


def test_a_hook_of_the_same_name_counts_at_once_and_ends_no_row() -> None:
    world = analysing({**FRONT, "consecutive": 2}, webhooks=[{**hook("rollout"), "name": "latency"}])
    world.answer("latency", 500)
    world.tick()
    assert (world.status.failed_checks, world.status.in_a_row) == (0, {"latency": 1})
    world.hooks["latency"] = False
    world.tick()
    assert (world.status.failed_checks, world.status.in_a_row) == (1, {"latency": 1})
    world.hooks["latency"] = True
    world.tick()
    assert (world.status.failed_checks, world.status.in_a_row) == (2, {"latency": 2})


def test_a_built_in_name_with_a_template_is_both_and_the_built_in_one_decides_first() -> None:
    world = analysing({**SUCCESS_RATE, **TEMPLATE, "thresholdRange": {"min": 99}})
    world.answer("request-success-rate #2", 98)
    world.tick()
    assert "Halt podinfo.test advancement request-success-rate 98.00 < 99" in world.told
    world.answer("request-success-rate", 42)
    world.tick()
    assert "Halt podinfo.test advancement success rate 42.00% < 99%" in world.told


def test_what_was_not_asked_is_explained_for_each_of_a_name() -> None:
    found = explain(Canary.from_object(copy.deepcopy(analysing(FRONT, BACK).item)), 10).checks
    assert [(check.name, check.max) for check in found] == [("latency", 200), ("latency #2", 300)]


@pytest.mark.parametrize(
    ("metrics", "found"),
    [
        ([FRONT], [("latency", "front")]),
        (
            [FRONT, SUCCESS_RATE, BACK],
            [("latency", "front"), (SUCCESS_RATE["name"], "built-in"), ("latency #2", "back")],
        ),
        ([{"name": "a", **TEMPLATE}, {"name": "a", "query": "q"}], [("a", "mine"), ("a #2", "q")]),
        ([{"name": "a", "query": "q", **TEMPLATE}], [("a", "q"), ("a #2", "mine")]),
        (
            [{"name": "request-duration", "query": "q", **TEMPLATE}],
            [("request-duration", "built-in"), ("request-duration #2", "q"), ("request-duration #3", "mine")],
        ),
        (
            [{"name": name, "query": name} for name in ("a", "a", "a #2", "a")],
            [("a", "a"), ("a #3", "a"), ("a #2", "a #2"), ("a #4", "a")],
        ),
        ([{"name": "a"}], []),
    ],
    ids=str,
)
def test_questions_of_one_name_are_told_apart_by_their_place(
    metrics: list[dict[str, Any]], found: list[tuple[str, str]]
) -> None:
    assert keys(*metrics) == found
