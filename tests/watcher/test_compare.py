"""What changed, decided on values: no cluster, no bus."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.canary import FINALIZER, Canary
from schemas.events import ChangeReason
from watcher.compare import (
    Baseline,
    Meta,
    config_cause,
    config_is_suspect,
    drift,
    fingerprint,
    gone_cause,
    missing_cause,
    ready_cause,
    revision_cause,
    revision_of,
    spec_cause,
)
from watcher.index import Key
from watcher.watched import Watched

OLD, NEW = "00000000000000aa", "00000000000000bb"
PEERS = "7d9f8c6b5"
TARGET = Meta("target-uid", "900", 4, "")
COLOUR = Key("ConfigMap", "test", "colour")
NOW = datetime(2026, 3, 1, tzinfo=UTC)
SPEC: dict[str, Any] = {
    "provider": "gloo",
    "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
    "service": {"port": 9898},
    "analysis": {"interval": "30s"},
}


def canary(*, deleted: str = "", spec: dict[str, Any] | None = None, **status: Any) -> Canary:
    """``deleted``: the finalizer that holds it."""
    metadata: dict[str, Any] = {"name": "podinfo", "namespace": "test", "uid": "0b1b", "generation": 3}
    metadata["resourceVersion"] = "77"
    if deleted:
        metadata |= {"deletionTimestamp": "2026-03-01T00:00:00Z", "finalizers": [deleted]}
    known = {"observedGeneration": 3, "step": 12, "settled": True} | status
    return Canary.from_object({"metadata": metadata, "spec": SPEC | (spec or {}), "status": known})


def watched(**kwargs: Any) -> Watched:
    return Watched.of(canary(**kwargs), min_interval=10)


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


def test_status_writes_move_neither_stamp_nor_content_of_a_kind_that_counts_generations() -> None:
    before, after = (Meta("u", version, 4, "") for version in ("5", "6"))
    assert before.same_content(after)
    assert not Meta("u", "5", 0, "").same_content(Meta("u", "6", 0, ""))
    assert not before.same_content(after._replace(marks="forged"))


def test_a_canary_of_another_provider_stays_theirs_however_unreadable_it_is() -> None:
    theirs = canary(spec={"provider": "istio", "analysis": {"metrics": "none"}})
    assert theirs.problems
    assert not theirs.belongs_to("gloo")
