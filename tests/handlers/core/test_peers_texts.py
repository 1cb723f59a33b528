"""The peer's sentences, one by one (spec lifecycle 2.2 to 2.11): what people's filters and scripts look for.

Events are compared to the letter. Left out on purpose: ``Rollback hook … not signaling a rollback`` (at every tick,
about nothing), and what is another provider's or a mirror's. What the peer repeats at every tick is told once here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import pytest

from schemas.status import Notice
from tests.handlers.core.stories import (
    ab_test,
    asked_to_roll_back,
    blue_and_green,
    canary_stuck,
    closed,
    deleted,
    everything,
    external_check_failed,
    primary_stuck,
    providers_away,
    skipped,
    switched_on_and_off,
    too_many_failures,
)
from tests.handlers.core.world import World


class Told(NamedTuple):
    """``alert`` is its severity and text, ``facts``: whether it carries the fields of lifecycle 2.11."""

    story: Callable[[], World]
    text: str
    type: str = "Normal"
    alert: tuple[str, str] | None = None
    facts: bool = False


NOT_READY = "waiting for rollout to finish: 0 of 2 (readyThreshold 100%) updated replicas are available"
EXCEEDED = 'deployment "podinfo-primary" exceeded its progress deadline'
CANARY_EXCEEDED = 'canary deployment podinfo.test not ready: deployment "podinfo" exceeded its progress deadline'
FAILED_PROMOTION = f"primary not ready: podinfo-primary.test not ready: {EXCEEDED}"
HALT = "Halt podinfo.test advancement"
INFO, WARN, ERROR = "info", "warn", "error"
WARNING = "Warning"

EVENTS = [
    # 2.2, 2.3: the tick
    Told(switched_on_and_off, "skipping canary run as object is suspended, canary weight stays at 0"),
    Told(
        providers_away,
        "Error checking metric providers: prometheus not avaiable: refused",
        WARNING,
        (ERROR, "Error checking metric providers: prometheus not avaiable: refused"),
    ),
    Told(everything, "all the metrics providers are available!"),
    Told(everything, f"podinfo-primary.test not ready: {NOT_READY}", WARNING),
    Told(
        everything,
        "Initialization done! podinfo.test",
        alert=(INFO, "New Deployment detected, initialization completed."),
        facts=True,
    ),
    Told(
        everything,
        "New revision detected! Scaling up podinfo.test",
        alert=(INFO, "New revision detected, progressing canary analysis."),
        facts=True,
    ),
    Told(switched_on_and_off, "New revision detected! Restarting analysis for podinfo.test"),
    Told(canary_stuck, f"canary deployment podinfo.test not ready: {NOT_READY}", WARNING),
    Told(everything, "Starting canary analysis for podinfo.test"),
    # 2.4: the strategies
    Told(everything, "Advance podinfo.test canary weight 100"),
    Told(everything, "Copying podinfo.test template spec to podinfo-primary.test"),
    Told(everything, "Advance podinfo.test primary weight 50"),
    Told(everything, "Advance podinfo.test primary weight 100"),
    Told(ab_test, "Advance podinfo.test canary iteration 1/2"),
    Told(ab_test, "Advance podinfo.test canary iteration 2/2"),
    Told(blue_and_green, "Advance podinfo.test canary iteration 2/2"),
    Told(blue_and_green, "Routing all traffic to canary"),
    Told(blue_and_green, "Routing all traffic to primary"),
    Told(
        everything,
        "Promotion completed! Scaling down podinfo.test",
        alert=(INFO, "Canary analysis completed successfully, promotion finished."),
    ),
    # 2.5: without analysis
    Told(
        skipped,
        "Promotion completed! Canary analysis was skipped for podinfo.test",
        alert=(INFO, "Canary analysis was skipped, promotion finished."),
    ),
    # 2.6: the ways back
    Told(
        too_many_failures,
        "Rolling back podinfo.test failed checks threshold reached 3",
        WARNING,
        # and the last of them, which the peer leaves out
        (ERROR, f"Failed checks threshold reached 3: {HALT} success rate 42.00% < 99%"),
    ),
    Told(too_many_failures, "Canary failed! Scaling down podinfo.test", WARNING),
    Told(
        canary_stuck,
        f"Rolling back podinfo.test progress deadline exceeded {CANARY_EXCEEDED}",
        WARNING,
        (ERROR, f"Progress deadline exceeded {CANARY_EXCEEDED}"),
    ),
    Told(
        primary_stuck,
        f"Promotion of podinfo.test failed, {FAILED_PROMOTION}",
        WARNING,
        (ERROR, f"Promotion failed, {FAILED_PROMOTION}"),
    ),
    # 2.8: hooks
    Told(everything, "Confirm-rollout check confirm-rollout passed"),
    Told(everything, "Pre-rollout check pre-rollout passed"),
    Told(everything, "Confirm-traffic-increase check confirm-traffic-increase passed"),
    Told(everything, "Confirm-promotion check confirm-promotion passed"),
    Told(
        partial(closed, "confirm-rollout"),
        f"{HALT} waiting for approval confirm-rollout",
        WARNING,
        (WARN, "Canary is waiting for approval."),
    ),
    Told(partial(closed, "pre-rollout"), f"{HALT} pre-rollout check pre-rollout failed no", WARNING),
    Told(
        partial(closed, "confirm-traffic-increase"),
        f"{HALT} waiting for traffic increase approval confirm-traffic-increase",
        WARNING,
        (WARN, "Canary traffic increase is waiting for approval."),
    ),
    Told(
        partial(closed, "confirm-promotion"),
        f"{HALT} waiting for promotion approval confirm-promotion",
        WARNING,
        (WARN, "Canary promotion is waiting for approval."),
    ),
    Told(external_check_failed, f"{HALT} external check load test failed no", WARNING),
    Told(asked_to_roll_back, "Rollback check rollback passed", WARNING),
    Told(
        asked_to_roll_back,
        "Rolling back podinfo.test manual webhook invoked",
        WARNING,
        (WARN, "Rolling back manual webhook invoked"),
    ),
    # 2.9: deletion
    Told(deleted, "Terminating canary podinfo.test"),
    Told(deleted, "Terminated canary podinfo.test"),
]


def told(world: World, text: str) -> Notice:
    found = next((notice for notice in world.notices if notice.message == text), None)
    assert found is not None, "\n".join(world.told)
    return found


@pytest.mark.parametrize("row", EVENTS, ids=lambda row: row.text)
def test_an_event_has_the_peers_words_type_and_alert(row: Told) -> None:
    found = told(row.story(), row.text)
    assert found.type == row.type
    alert = (found.severity, found.alert) if found.severity else None
    assert alert == row.alert
    assert found.with_facts is row.facts


@pytest.mark.parametrize("row", EVENTS, ids=lambda row: row.text)
def test_an_event_has_a_reason_of_its_own(row: Told) -> None:
    reason = told(row.story(), row.text).reason.value
    assert reason != "Synced"
    assert reason[0].isupper()
    assert reason.isalnum()


def test_the_whole_story_is_told_in_the_peers_order() -> None:
    canonical = [
        f"podinfo-primary.test not ready: {NOT_READY}",
        "all the metrics providers are available!",
        "Initialization done! podinfo.test",
        "Confirm-rollout check confirm-rollout passed",
        "New revision detected! Scaling up podinfo.test",
        "Starting canary analysis for podinfo.test",
        "Pre-rollout check pre-rollout passed",
        "Confirm-traffic-increase check confirm-traffic-increase passed",
        "Advance podinfo.test canary weight 100",
        "Confirm-traffic-increase check confirm-traffic-increase passed",
        "Confirm-promotion check confirm-promotion passed",
        "Copying podinfo.test template spec to podinfo-primary.test",
        "Advance podinfo.test primary weight 50",
        "Advance podinfo.test primary weight 100",
        "Promotion completed! Scaling down podinfo.test",
    ]
    assert everything().told == canonical
