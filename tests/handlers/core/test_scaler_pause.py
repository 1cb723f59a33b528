"""The pause of the target's ScaledObject: when it sleeps, what keeps it awake, and what it is left with."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.core import pauses
from schemas.workload import PAUSE, PAUSED_REPLICAS, PAUSED_SCALE_IN, TARGET_STEP
from tests.handlers.core.autoscaled import STATUS
from tests.keda import scaled_object


@pytest.mark.parametrize(
    ("fence", "running", "pause"),
    [
        ("3", False, "0"),
        ("3", True, None),
        ("", False, "0"),
        ("7", False, "untouched"),
        ("8", False, "untouched"),
        ("99", False, "0"),
    ],
    ids=["parked", "wanted", "made anew", "done already", "a later step of ours", "forged"],
)
def test_a_scaled_object_sleeps_and_wakes_with_its_target(fence: str, running: bool, pause: str | None) -> None:
    source = scaled_object()
    source["metadata"] |= {"resourceVersion": "4", "annotations": {TARGET_STEP: fence}}
    patch = pauses.pause_patch(STATUS, source, running=running)
    if pause == "untouched":
        assert patch is None
        return
    annotations = {PAUSED_REPLICAS: pause, PAUSE: "none" if running else "replicas", TARGET_STEP: "7"}
    assert patch == {"metadata": {"resourceVersion": "4", "annotations": annotations}}


IN, OURS = PAUSED_SCALE_IN, {PAUSED_SCALE_IN: "true", PAUSE: "scale-in"}
SLEEPY: dict[str, Any] = {"minReplicaCount": 0}
PARKED = {PAUSED_REPLICAS: "0", PAUSE: "replicas"}


def worn(before: dict[str, str], patch: dict[str, Any] | None) -> dict[str, str]:
    """The annotations after it, without the fence."""
    changed = patch["metadata"]["annotations"] if patch else {}
    after = {**before, **changed}
    return {key: value for key, value in after.items() if value is not None and key != TARGET_STEP}


@pytest.mark.parametrize(
    ("spec", "before", "running", "after"),
    [
        (SLEEPY, PARKED, True, OURS),
        ({"minReplicaCount": None}, {}, True, OURS),
        ({"minReplicaCount": 2, "idleReplicaCount": 0}, {}, True, OURS),
        ({"minReplicaCount": 1}, PARKED, True, {PAUSE: "none"}),
        (SLEEPY, {IN: "false"}, True, {IN: "false", PAUSE: "none"}),
        (SLEEPY, {IN: "true", PAUSE: "none"}, True, {IN: "true", PAUSE: "none"}),
        (SLEEPY, {IN: "true", PAUSE: "none"}, False, {IN: "true", **PARKED}),
        (SLEEPY, OURS, False, PARKED),
        (SLEEPY, {IN: "false", PAUSE: "scale-in"}, False, {IN: "false", **PARKED}),
    ],
    ids=[
        "wakes",
        "no minimum is zero",
        "an idle count",
        "a minimum of its own",
        "somebody's no",
        "somebody's yes",
        "somebody's stays",
        "ours goes",
        "edited, so theirs",
    ],
)
def test_a_target_that_runs_is_not_scaled_to_zero_and_what_somebody_wrote_himself_stays(
    spec: dict[str, Any], before: dict[str, str], running: bool, after: dict[str, str]
) -> None:
    source = scaled_object(**spec)
    source["spec"] = {key: value for key, value in source["spec"].items() if value is not None}
    source["metadata"] |= {"resourceVersion": "4", "annotations": {**before, TARGET_STEP: "3"}}
    assert worn(before, pauses.pause_patch(STATUS, source, running=running)) == after


@pytest.mark.parametrize(
    ("least", "before", "after"),
    [
        (0, {PAUSE: "none"}, OURS),
        (0, {}, OURS),
        (1, OURS, {PAUSE: "none"}),
        (0, OURS, None),
        (0, {PAUSE: "scale-in"}, None),
        (0, {PAUSE: "none", IN: "true"}, None),
        (0, {PAUSE: "none", PAUSED_REPLICAS: "0"}, {**OURS, PAUSED_REPLICAS: "0"}),
        (1, {}, None),
    ],
    ids=["lowered", "before this release", "raised", "done", "taken away", "theirs", "their pause", "nothing to do"],
)
def test_a_minimum_that_is_edited_while_the_target_runs_is_followed(
    least: int, before: dict[str, str], after: dict[str, str] | None
) -> None:
    source = scaled_object(minReplicaCount=least)
    source["metadata"] |= {"resourceVersion": "4", "annotations": {**before, TARGET_STEP: "7"}}
    patch = pauses.pause_patch(STATUS, source, running=True)
    assert (worn(before, patch) if patch else None) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({TARGET_STEP: "7", **PARKED, "kept": "yes"}, {"kept": "yes"}),
        ({TARGET_STEP: "7", PAUSED_REPLICAS: "0"}, {}),
        ({TARGET_STEP: "7", **OURS}, {}),
        ({TARGET_STEP: "7", **PARKED, PAUSED_REPLICAS: "3"}, {PAUSED_REPLICAS: "3"}),
        ({TARGET_STEP: "7", PAUSED_REPLICAS: "0", PAUSE: "none"}, {PAUSED_REPLICAS: "0"}),
        ({TARGET_STEP: "7", IN: "true", PAUSE: "none"}, {IN: "true"}),
        ({PAUSED_REPLICAS: "0"}, {PAUSED_REPLICAS: "0"}),
    ],
    ids=["parked", "before this release", "running", "edited", "their pause", "their pause of scaling in", "not ours"],
)
def test_what_is_released_loses_what_is_ours_and_nothing_else(before: dict[str, str], after: dict[str, str]) -> None:
    source = scaled_object()
    source["metadata"] |= {"resourceVersion": "4", "annotations": before}
    patch = pauses.release_patch(source)
    assert worn(before, patch) == after
    assert (patch is None) == (TARGET_STEP not in before)
    if patch is not None:
        assert patch["metadata"]["annotations"][TARGET_STEP] is None
