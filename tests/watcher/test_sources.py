"""Objects of the user that we copy from: a change of one wakes its Canary at once, whatever it is doing."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.resources import (
    CANARY,
    CUSTOM_RESOURCE_DEFINITION,
    HORIZONTAL_POD_AUTOSCALER,
    SCALED_OBJECT,
    UPSTREAM,
    Resource,
)
from schemas.settings import Settings
from schemas.status import HAND_BACK
from schemas.workload import PAUSE, PAUSED_REPLICAS, PAUSED_SCALE_IN, TARGET_STEP
from tests import keda
from tests.watcher.canaries import SPEC
from tests.watcher.cluster import NAMESPACE, Cluster
from tests.watcher.conftest import Begin
from tests.watcher.ear import Ear
from watcher.compare import Meta, fingerprint
from watcher.fleet import Fleet
from watcher.index import Key
from watcher.stream import Moved

SCALED = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"}, "maxReplicas": 5}


async def _resting_on(cluster: Cluster, resource: Resource) -> None:
    field = "upstreamRef" if resource is UPSTREAM else "autoscalerRef"
    ref: dict[str, Any] = {field: {"apiVersion": resource.api_version, "kind": resource.kind, "name": "theirs"}}
    made = await cluster.canary(**ref)
    await cluster.deployment(replicas=0)
    revision = await cluster.revision()
    await cluster.status(
        phase="Succeeded",
        settled=True,
        step=7,
        observedGeneration=made["metadata"]["generation"],
        lastAppliedSpec=revision,
        canaryRevision=revision,
        failedChecks=0,
        canaryWeight=0,
        iterations=0,
    )


async def _source(cluster: Cluster, resource: Resource) -> None:
    spec: dict[str, Any] = SCALED
    if resource is SCALED_OBJECT:
        await cluster.kube.create(CUSTOM_RESOURCE_DEFINITION, keda.DEFINITION)
        spec = keda.scaled_object()["spec"]
    if resource is UPSTREAM:
        spec = {"kube": {"serviceName": "theirs", "serviceNamespace": NAMESPACE, "servicePort": 80}}
    await cluster.create(resource, "theirs", spec)


def resting(**status: Any) -> dict[str, Any]:
    metadata = {"name": "podinfo", "namespace": NAMESPACE, "uid": "0b1b", "generation": 3, "resourceVersion": "77"}
    known = {"phase": "Succeeded", "settled": True, "step": 7, "observedGeneration": 3}
    return {"metadata": metadata, "spec": SPEC, "status": known | status}


EDITS: dict[str, Any] = {
    HORIZONTAL_POD_AUTOSCALER.kind: {"spec": {"maxReplicas": 9}},
    SCALED_OBJECT.kind: {"spec": {"maxReplicaCount": 9}},
    UPSTREAM.kind: {"spec": {"connectionConfig": {"connectTimeout": "9s"}}},
}


@pytest.mark.parametrize("phase", ["Succeeded", "Progressing"])
@pytest.mark.parametrize("resource", [HORIZONTAL_POD_AUTOSCALER, SCALED_OBJECT, UPSTREAM], ids=lambda its: its.kind)
async def test_a_change_of_a_source_wakes_its_canary_at_rest_and_in_a_rollout(
    begin: Begin, cluster: Cluster, ear: Ear, resource: Resource, phase: str
) -> None:
    await _source(cluster, resource)
    await _resting_on(cluster, resource)
    await cluster.status(phase=phase)
    async with begin():
        await cluster.canary("first")
        await ear.hears("spec", "first")
        await cluster.kube.patch(resource, NAMESPACE, "theirs", EDITS[resource.kind])
        await ear.hears("drift", object=f"{resource.kind}/theirs")
    assert ear.changes() == [("drift", f"{resource.kind}/theirs")]


async def test_labels_of_a_scaler_are_followed_but_what_we_write_on_it_wakes_nobody(
    begin: Begin, cluster: Cluster, ear: Ear
) -> None:
    await _source(cluster, SCALED_OBJECT)
    await _resting_on(cluster, SCALED_OBJECT)

    async def annotate(**metadata: dict[str, str]) -> None:
        await cluster.kube.patch(SCALED_OBJECT, NAMESPACE, "theirs", {"metadata": metadata})

    async with begin():
        await annotate(annotations={PAUSED_REPLICAS: "0", PAUSE: "replicas", TARGET_STEP: "8"})
        await cluster.canary("first")
        await ear.hears("spec", "first")
        await annotate(labels={"team": "a"})
        await ear.hears("drift", object="ScaledObject/theirs")
        await ear.counts("podinfo", 1)


@pytest.mark.parametrize("resource", [HORIZONTAL_POD_AUTOSCALER, UPSTREAM], ids=lambda its: its.kind)
async def test_a_source_that_goes_and_comes_back_is_told_both_times(
    begin: Begin, cluster: Cluster, ear: Ear, resource: Resource
) -> None:
    await _source(cluster, resource)
    await _resting_on(cluster, resource)
    async with begin():
        await cluster.kube.delete(resource, NAMESPACE, "theirs")
        await ear.hears("drift", object=f"{resource.kind}/theirs")
        await cluster.status(waitingFor="source", step=8)
        await _source(cluster, resource)
        await ear.counts("podinfo", 2)


def test_an_autoscaler_whose_status_moves_has_not_changed() -> None:
    """It counts no generations; who wrote what, and when, tells the same."""
    edit = {"manager": "kubectl", "operation": "Update", "time": "2026-03-01T00:00:00Z", "fieldsV1": {"f:spec": {}}}
    status = {**edit, "manager": "kube-controller-manager", "subresource": "status", "time": "2026-03-01T00:00:01Z"}

    def seen(*managed: dict[str, Any], version: str) -> Meta:
        metadata = {"name": "theirs", "uid": "u", "resourceVersion": version, "managedFields": managed}
        return Meta.of({"metadata": metadata}, HORIZONTAL_POD_AUTOSCALER.kind)

    before = seen(edit, status, version="5")
    assert before.same_content(seen(edit, {**status, "time": "2026-03-01T00:00:16Z"}, version="6"))
    edited = {**edit, "time": "2026-03-01T00:00:20Z"}
    assert not before.same_content(seen(edited, status, version="7"))
    # within one second an edit cannot be told from the next: every version counts
    assert not seen(edited, status, version="7").same_content(seen(edited, status, version="8"))
    assert not seen(edit, version="5").same_content(seen(edit, version="6"))
    assert seen(edit, {**status, "time": edit["time"]}, version="7").stamp == "7"


def test_the_pause_of_a_scaler_is_no_part_of_what_is_copied() -> None:
    item = keda.scaled_object()
    labelled = {**item, "metadata": {**item["metadata"], "labels": {"team": "a"}}}
    for ours in ({PAUSED_REPLICAS: "0", PAUSE: "replicas"}, {PAUSED_SCALE_IN: "true", PAUSE: "scale-in"}):
        paused = {**item, "metadata": {**item["metadata"], "annotations": ours}}
        assert fingerprint(paused, SCALED_OBJECT.kind) == fingerprint(item, SCALED_OBJECT.kind)
    assert fingerprint(labelled, SCALED_OBJECT.kind) != fingerprint(item, SCALED_OBJECT.kind)


def test_a_canary_whose_primary_has_a_floor_is_looked_at_soon_after_its_rollout() -> None:
    """To give it back: at rest nothing else would wake it before the next resync."""
    for floor, looked_at in ((0, False), (3, True)):
        fleet = Fleet(Settings(resync=3600), lambda: 0)
        item = resting(primaryFloor=floor)
        key = Key(CANARY.kind, NAMESPACE, "podinfo")
        fleet.moved(Moved(key, None, Meta.of(item), item))
        assert bool(fleet.resyncs.due(round(HAND_BACK * 1000))) is looked_at
