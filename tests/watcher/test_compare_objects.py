"""What of the objects around a Canary is news, decided on values: those awaited, those kept in shape, those read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.watcher.canaries import OLD, watched
from watcher.compare import Baseline, Meta, config_cause, config_is_suspect, drift, fingerprint, ready_cause
from watcher.index import Key

COLOUR = Key("ConfigMap", "test", "colour")
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def workload(replicas: int = 2, available: int = 2, **status: Any) -> dict[str, Any]:
    found = {"observedGeneration": 4, "replicas": replicas, "updatedReplicas": replicas, "availableReplicas": available}
    metadata = {"name": "podinfo", "namespace": "test", "resourceVersion": "900", "generation": 4}
    return {"kind": "Deployment", "metadata": metadata, "spec": {"replicas": replicas}, "status": found | status}


STUCK = {"conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]}


@pytest.mark.parametrize(
    ("item", "wakes"),
    [(workload(), True), (workload(available=1), False), (workload(0, 0), False), (workload(2, 0, **STUCK), True)],
)
def test_a_workload_wakes_who_waits_for_it_when_it_is_ready_or_never_will_be(item: Any, wakes: bool) -> None:
    waiting = watched(phase="Progressing", waitingFor="target")
    assert waiting.awaited == Key("Deployment", "test", "podinfo")
    assert (ready_cause(waiting, waiting.awaited, item, NOW) is not None) is wakes


@pytest.mark.parametrize(
    ("top", "proxy", "wakes"),
    [
        ("Accepted", "Accepted", True),
        ("Accepted", "Warning", True),
        ("Rejected", None, True),
        ("Accepted", None, False),
        ("Pending", None, False),
        (None, None, False),
    ],
)
def test_routes_wake_who_waits_for_them_when_the_verdict_is_complete(
    top: str | None, proxy: str | None, wakes: bool
) -> None:
    proxies = {"subresourceStatuses": {"proxy": {"state": proxy}}} if proxy else {}
    report = {"statuses": {"gloo-system": {"state": top, **proxies}}} if top else {}
    item = {"metadata": {"name": "podinfo", "namespace": "test", "resourceVersion": "5"}, "spec": {}, "status": report}
    waiting = watched(phase="Progressing", waitingFor="gateway")
    assert waiting.awaited == Key("RouteTable", "test", "podinfo")
    assert (ready_cause(waiting, waiting.awaited, item, NOW) is not None) is wakes


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (None, "a", True),  # nobody knows from where it moved
        (Baseline.first("a"), "a", False),
        (Baseline.first("a"), "b", True),
        (Baseline("a", "b"), "b", False),
        (Baseline("a", "b"), "a", False),  # repaired
        (Baseline("a", "b"), "c", True),
        (Baseline("a", "a"), "b", True),  # the same edit again, after the repair
    ],
)
def test_drift_is_a_move_away_from_what_was_right(before: Baseline | None, now: str, told: bool) -> None:
    assert drift(before, now)[0] is told
    assert drift(before, now)[1].last == now


def test_replicas_status_and_foreign_annotations_are_no_drift_but_our_fence_is() -> None:
    item = workload()
    same = fingerprint(item, "Deployment")
    scaled = workload(5)
    marked = {**item, "metadata": {**item["metadata"], "annotations": {"team": "blue"}}}
    forged = {**item, "metadata": {**item["metadata"], "annotations": {"canarybus.dev/primary-step": "99"}}}
    assert fingerprint(scaled, "Deployment") == same
    assert fingerprint(marked, "Deployment") == same
    assert fingerprint(forged, "Deployment") != same


BLUE, GREEN = "00000000000000cc", "00000000000000dd"


@pytest.mark.parametrize(
    ("version", "found", "suspect"),
    [("5", "5", False), ("5", "6", True), ("5", "", True), ("", "", False), ("", "6", True), (None, "6", True)],
)
def test_a_config_is_suspect_in_another_version_than_the_status_has_it(
    version: str | None, found: str, suspect: bool
) -> None:
    versions = {} if version is None else {"configmap/colour": version}
    tracking = watched(phase="Succeeded", lastAppliedSpec=OLD, trackedConfigVersions=versions)
    assert config_is_suspect(tracking, COLOUR, Meta("u", found, 0, "") if found else None) is suspect


@pytest.mark.parametrize(
    ("kwargs", "suspect"),
    [
        ({"phase": "Progressing"}, True),
        ({"phase": "Progressing", "spec": {"suspend": True}}, False),
        ({"phase": "Succeeded", "deleted": "theirs"}, False),
        ({"phase": ""}, False),
        ({"phase": "", "invalidSince": "2026-03-01T00:00:00Z"}, True),
    ],
)
def test_who_can_do_nothing_about_a_config_does_not_look_at_it(kwargs: dict[str, Any], suspect: bool) -> None:
    tracking = watched(**kwargs, canaryRevision=OLD, trackedConfigVersions={"configmap/colour": "5"})
    assert config_is_suspect(tracking, COLOUR, Meta("u", "6", 0, "")) is suspect


@pytest.mark.parametrize(
    ("checksum", "invalid", "told"),
    [(BLUE, False, False), (GREEN, False, True), (None, False, True), (BLUE, True, True)],
)
def test_a_suspect_config_is_told_when_its_content_is_another_or_may_be_the_remedy(
    checksum: str | None, invalid: bool, told: bool
) -> None:
    since = {"invalidSince": "2026-03-01T00:00:00Z"} if invalid else {}
    tracking = watched(phase="Succeeded", lastAppliedSpec=OLD, trackedConfigs={"configmap/colour": BLUE}, **since)
    assert (config_cause(tracking, COLOUR, Meta("u", "6", 0, ""), checksum) is not None) is told


def test_another_content_is_told_again_after_a_step_that_did_not_take_it_in() -> None:
    """A message may be replaced on the bus by the next one about the same Canary."""
    tracked = {"configmap/colour": BLUE}
    first, later = (
        config_cause(
            watched(phase="Promoting", canaryRevision=OLD, step=step, trackedConfigs=tracked),
            COLOUR,
            Meta("u", "6", 0, ""),
            GREEN,
        )
        for step in (12, 13)
    )
    assert first
    assert later
    assert first.basis != later.basis
    assert first.version != later.version


def test_status_writes_move_neither_stamp_nor_content_of_a_kind_that_counts_generations() -> None:
    before, after = (Meta("u", version, 4, "") for version in ("5", "6"))
    assert before.same_content(after)
    assert not Meta("u", "5", 0, "").same_content(Meta("u", "6", 0, ""))
    assert not before.same_content(after._replace(marks="forged"))
