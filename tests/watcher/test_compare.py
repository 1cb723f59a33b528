"""What of a Canary and its target is news, decided on values: no cluster, no bus."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.canary import FINALIZER
from schemas.events import ChangeReason
from tests.watcher.canaries import NEW, OLD, canary, watched
from watcher.compare import Meta, gone_cause, missing_cause, revision_cause, revision_of, spec_cause

PEERS = "7d9f8c6b5"
TARGET = Meta("target-uid", "900", 4, "")


@pytest.mark.parametrize(
    ("phase", "status", "announced"),
    [
        ("Initializing", {"primaryRevision": OLD}, True),
        ("Initializing", {"primaryRevision": NEW}, False),
        ("Initialized", {"lastAppliedSpec": OLD}, True),
        ("Succeeded", {"lastAppliedSpec": NEW, "canaryRevision": OLD}, False),
        ("Failed", {"lastAppliedSpec": OLD}, True),
        ("Failed", {"lastAppliedSpec": NEW, "promotedRevision": OLD}, False),
        ("Waiting", {"canaryRevision": OLD, "lastAppliedSpec": NEW}, True),
        ("Progressing", {"canaryRevision": NEW, "lastAppliedSpec": OLD}, False),
        ("WaitingPromotion", {"canaryRevision": OLD}, True),
        ("Promoting", {"canaryRevision": OLD}, True),
        ("Finalising", {"canaryRevision": OLD}, True),
        ("Terminating", {"canaryRevision": OLD, "lastAppliedSpec": OLD}, False),
        ("", {"lastAppliedSpec": OLD}, False),
    ],
)
def test_a_target_is_compared_with_the_revision_that_its_phase_is_about(
    phase: str, status: dict[str, str], announced: bool
) -> None:
    cause = revision_cause(watched(phase=phase, **status), TARGET, NEW)
    assert (cause is not None) is announced
    if cause:
        assert (cause.reason, cause.object, cause.version) == (ChangeReason.REVISION, "Deployment/podinfo", "4.12")


def test_a_suspended_canary_starts_nothing_but_hears_that_it_is_not_promoted_any_more() -> None:
    def told(phase: str) -> bool:
        suspended = watched(spec={"suspend": True}, phase=phase, lastAppliedSpec=OLD, canaryRevision=OLD)
        return revision_cause(suspended, TARGET, NEW) is not None

    assert not told("Progressing")
    assert not told("Failed")
    assert told("Succeeded")


@pytest.mark.parametrize(("before", "announced"), [(None, False), (NEW, False), (OLD, True)])
def test_a_hash_of_the_peer_says_nothing_until_the_target_is_seen_to_move(before: str | None, announced: bool) -> None:
    adopted = watched(phase="Succeeded", lastAppliedSpec=PEERS)
    assert (revision_cause(adopted, TARGET, NEW, before=before) is not None) is announced


def test_an_adopted_canary_is_compared_with_the_revision_that_it_was_adopted_with() -> None:
    adopted = watched(phase="Succeeded", lastAppliedSpec=PEERS, canaryRevision=OLD)
    assert revision_cause(adopted, TARGET, NEW) is not None
    assert revision_cause(adopted, TARGET, OLD) is None


def test_a_difference_is_told_again_when_the_phase_moved_and_under_another_id() -> None:
    promoting = revision_cause(watched(phase="Promoting", canaryRevision=OLD, step=12), TARGET, NEW)
    later = revision_cause(watched(phase="Promoting", canaryRevision=OLD, step=13), TARGET, NEW)
    ended = revision_cause(watched(phase="Succeeded", lastAppliedSpec=OLD, step=14), TARGET, NEW)
    assert promoting
    assert later
    assert ended
    assert promoting.basis == later.basis != ended.basis
    assert promoting.version != ended.version


def test_a_revision_pushed_reverted_and_pushed_again_has_another_id_each_time() -> None:
    resting = watched(phase="Succeeded", lastAppliedSpec=OLD)
    first, again = (revision_cause(resting, TARGET._replace(generation=at), NEW) for at in (4, 6))
    assert first
    assert again
    assert first.change(resting).message_id != again.change(resting).message_id


@pytest.mark.parametrize(
    ("kwargs", "reason"),
    [
        ({"phase": ""}, ChangeReason.SPEC),
        ({"phase": "Succeeded", "observedGeneration": 2}, ChangeReason.SPEC),
        ({"phase": "Succeeded"}, None),
        ({"phase": "Progressing", "deleted": FINALIZER}, ChangeReason.DELETED),
        ({"phase": "Succeeded", "deleted": "theirs"}, ChangeReason.DELETED),
        ({"phase": "Terminated", "deleted": FINALIZER}, None),
    ],
)
def test_a_canary_is_announced_when_new_edited_or_deleted(kwargs: dict[str, Any], reason: ChangeReason | None) -> None:
    cause = spec_cause(watched(**kwargs))
    assert (cause.reason if cause else None) == reason


@pytest.mark.parametrize(
    ("kwargs", "moves"),
    [
        *[({"phase": phase}, True) for phase in ("", "Initializing", "Waiting", "Progressing", "WaitingPromotion")],
        *[({"phase": phase}, True) for phase in ("Promoting", "Finalising", "Terminating")],
        *[({"phase": phase}, False) for phase in ("Initialized", "Succeeded", "Failed", "Terminated")],
        ({"phase": "Succeeded", "settled": False}, True),
        ({"phase": "Succeeded", "invalidSince": "2026-03-01T00:00:00Z"}, True),
        ({"phase": "Succeeded", "deleted": FINALIZER}, True),
        ({"phase": "Terminated", "deleted": FINALIZER}, True),
        ({"phase": "Succeeded", "deleted": "theirs"}, False),
        ({"phase": "Terminated", "deleted": "theirs"}, False),
        ({"phase": "Progressing", "spec": {"suspend": True}}, False),
        ({"phase": "Progressing", "settled": False, "spec": {"suspend": True}}, True),
        ({"phase": "", "settled": False, "step": 0, "spec": {"suspend": True}}, False),
    ],
)
def test_only_canaries_that_can_move_are_ticked(kwargs: dict[str, Any], moves: bool) -> None:
    assert watched(**kwargs).moves is moves


@pytest.mark.parametrize(("interval", "milliseconds"), [("30s", 30_000), ("1s", 10_000), ("", 60_000), ("1x", 60_000)])
def test_the_interval_is_the_canarys_own_but_never_below_the_shortest(interval: str, milliseconds: int) -> None:
    assert watched(spec={"analysis": {"interval": interval}}, phase="Progressing").interval == milliseconds


@pytest.mark.parametrize(
    "status", [{"phase": "Succeeded"}, {"phase": "Terminated"}, {"invalidSince": "2026-03-01T00:00:00Z"}]
)
def test_a_deletion_does_not_wait_for_a_long_interval(status: dict[str, Any]) -> None:
    assert watched(spec={"analysis": {"interval": "10m"}}, deleted=FINALIZER, **status).interval == 10_000


@pytest.mark.parametrize(
    ("status", "told"), [({"phase": "Succeeded"}, True), ({"phase": "Terminated"}, False), ({"step": 0}, False)]
)
def test_a_canary_that_is_gone_is_told_of_by_its_target_unless_nothing_was_done_or_is_left_to_do(
    status: dict[str, Any], told: bool
) -> None:
    cause = gone_cause(watched(**status))
    assert (cause.object if cause else None) == ("Deployment/podinfo" if told else None)


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ({"phase": "Progressing", "canaryRevision": OLD}, True),
        ({"phase": "Succeeded", "lastAppliedSpec": OLD}, True),
        ({"phase": "Succeeded", "lastAppliedSpec": OLD, "invalidSince": "2026-03-01T00:00:00Z"}, False),
        ({"phase": "Initializing"}, False),
        ({"phase": ""}, False),
    ],
)
def test_a_target_that_is_gone_is_told_unless_that_is_known(status: dict[str, Any], told: bool) -> None:
    assert (missing_cause(watched(**status), TARGET) is not None) is told


def test_a_services_revision_is_its_spec() -> None:
    service = {"spec": {"ports": [{"port": 80}]}, "status": {"loadBalancer": {}}}
    assert revision_of(service, "Service", {}) == revision_of({"spec": service["spec"]}, "Service", {})
    assert revision_of(service, "Service", {}) != revision_of({"spec": {"ports": [{"port": 81}]}}, "Service", {})


def test_a_canary_of_another_provider_stays_theirs_however_unreadable_it_is() -> None:
    theirs = canary(spec={"provider": "istio", "analysis": {"metrics": "none"}})
    assert theirs.problems
    assert not theirs.belongs_to("gloo")
