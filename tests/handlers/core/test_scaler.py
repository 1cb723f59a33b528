"""The scaler of the primary as it should be."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from handlers.core import scaler
from schemas.workload import PAUSE, PAUSED_REPLICAS, PAUSED_SCALE_IN, SCALER_STEP, TARGET_STEP
from tests.handlers.core.autoscaled import HPA, STATUS, hpa, keda, scaled_by
from tests.keda import scaled_object


def stored(made: dict[str, Any]) -> dict[str, Any]:
    kept = copy.deepcopy(made)
    kept["metadata"]["resourceVersion"] = "8"
    return kept


# ---- what is copied


def test_an_autoscaler_is_copied_and_scales_the_primary() -> None:
    made = scaler.clone(hpa(), STATUS, HPA)
    assert made["metadata"]["name"] == "podinfo-primary"
    assert made["metadata"]["ownerReferences"][0]["kind"] == "Canary"
    assert made["metadata"]["annotations"][SCALER_STEP] == "5"
    assert made["spec"] == {
        **HPA["spec"],
        "scaleTargetRef": {**HPA["spec"]["scaleTargetRef"], "name": "podinfo-primary"},
    }


@pytest.mark.parametrize(
    ("override", "bounds"),
    [(None, (2, 4)), ({"minReplicas": 3}, (3, 4)), ({"minReplicas": 3, "maxReplicas": 9}, (3, 9))],
)
@pytest.mark.parametrize("kind", ["HorizontalPodAutoscaler", "ScaledObject"])
def test_the_primarys_bounds_are_the_targets_unless_overridden(
    kind: str, override: dict[str, int] | None, bounds: tuple[int, int]
) -> None:
    ours = scaled_by(kind, **({"primaryScalerReplicas": override} if override else {}))
    source = HPA if kind != "ScaledObject" else scaled_object(minReplicaCount=2, maxReplicaCount=4)
    spec = scaler.clone(ours, STATUS, source)["spec"]
    least, most = ("minReplicaCount", "maxReplicaCount") if kind == "ScaledObject" else ("minReplicas", "maxReplicas")
    assert (spec[least], spec[most]) == bounds


def test_all_that_a_scaled_object_says_is_copied_and_speaks_of_the_primary() -> None:
    said: dict[str, Any] = {
        "pollingInterval": 5,
        "cooldownPeriod": 60,
        "initialCooldownPeriod": 10,
        "idleReplicaCount": 0,
        "fallback": {"failureThreshold": 3, "replicas": 6},
        "advanced": {
            "horizontalPodAutoscalerConfig": {"name": "mine", "behavior": {}},
            "restoreToOriginalReplicaCount": True,
        },
    }
    source = scaled_object(**said, scaleTargetRef={"name": "podinfo", "envSourceContainerName": "podinfod"})
    spec = scaler.clone(keda(), STATUS, source)["spec"]
    assert spec["scaleTargetRef"] == {"name": "podinfo-primary", "envSourceContainerName": "podinfod"}
    assert spec["advanced"] == {
        "horizontalPodAutoscalerConfig": {"name": "mine-primary", "behavior": {}},
        "restoreToOriginalReplicaCount": True,
    }
    assert {key: spec[key] for key in said if key != "advanced"} == {k: v for k, v in said.items() if k != "advanced"}
    assert source["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["name"] == "mine", "the source is not touched"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('rate(requests{app="podinfo"}[2m])', 'rate(requests{app="podinfo-primary"}[2m])'),
        ('rate(requests{app="podinfo-canary"}[2m])', 'rate(requests{app="podinfo-primary"}[2m])'),
        ('{app="podinfo-canary", svc="podinfo"}', '{app="podinfo-primary", svc="podinfo-primary"}'),
        ("up", "up"),
    ],
)
def test_queries_are_about_the_primary_by_plain_replacement(query: str, expected: str) -> None:
    source = scaled_object(
        triggers=[{"type": "prometheus", "metadata": {"query": query, "threshold": "1"}}, {"type": "cpu"}]
    )
    triggers = scaler.clone(keda(), STATUS, source)["spec"]["triggers"]
    assert triggers == [{"type": "prometheus", "metadata": {"query": expected, "threshold": "1"}}, {"type": "cpu"}]


def test_with_queries_of_the_user_only_the_named_triggers_change() -> None:
    triggers = [
        {"type": "prometheus", "name": "rps", "metadata": {"query": "podinfo", "threshold": "1"}},
        {"type": "prometheus", "name": "queue", "metadata": {"query": "podinfo_queue"}},
        {"type": "cron", "metadata": {"start": "0 8 * * *"}},
    ]
    ours = keda(primaryScalerQueries={"rps": "mine", "nothing": "else"})
    made = scaler.clone(ours, STATUS, scaled_object(triggers=triggers))["spec"]["triggers"]
    assert made[0]["metadata"] == {"query": "mine", "threshold": "1"}
    assert made[1:] == triggers[1:]


def test_labels_and_annotations_are_followed_but_not_those_of_tools_nor_the_pause() -> None:
    source = scaled_object()
    source["metadata"] |= {
        "labels": {"team": "a", "helm.toolkit.fluxcd.io/name": "x", "scaledobject.keda.sh/name": "podinfo"},
        "annotations": {
            "scaledobject.keda.sh/transfer-hpa-ownership": "true",
            "kustomize.toolkit.fluxcd.io/ssa": "x",
            "kubectl.kubernetes.io/last-applied-configuration": "{}",
            PAUSED_REPLICAS: "0",
            PAUSED_SCALE_IN: "true",
            "autoscaling.keda.sh/paused-scale-out": "true",
            PAUSE: "replicas",
            TARGET_STEP: "7",
        },
    }
    metadata = scaler.clone(keda(), STATUS, source)["metadata"]
    ours = {key for key in metadata["annotations"] if not key.startswith("canarybus.dev/")}
    assert metadata["labels"] == {"team": "a"}
    assert ours == {"scaledobject.keda.sh/transfer-hpa-ownership"}
    assert TARGET_STEP not in metadata["annotations"]


# ---- what is written


def test_a_clone_that_is_as_it_should_be_is_not_written() -> None:
    for ours, source in ((hpa(), HPA), (keda(), scaled_object())):
        made = scaler.clone(ours, STATUS, source)
        assert scaler.clone_patch(stored(made), made, ours.spec.autoscaler_ref.kind) is None  # type: ignore[union-attr]


def test_what_goes_from_the_source_goes_from_the_clone_and_what_others_added_stays() -> None:
    source = copy.deepcopy(HPA)
    source["metadata"] |= {"labels": {"team": "a", "tier": "web"}, "annotations": {"note": "x"}}
    existing = stored(scaler.clone(hpa(), STATUS, source))
    existing["metadata"]["labels"]["cost-centre"] = "7"
    existing["metadata"]["annotations"]["theirs"] = "kept"
    existing["spec"]["unknownToUs"] = {"kept": True}
    later = copy.deepcopy(HPA)
    later["metadata"] |= {"labels": {"team": "b"}}
    del later["spec"]["behavior"]
    patch = scaler.clone_patch(existing, scaler.clone(hpa(), STATUS, later), "HorizontalPodAutoscaler")
    assert patch is not None
    assert patch["metadata"]["resourceVersion"] == "8"
    assert patch["metadata"]["labels"] == {"team": "b", "tier": None}
    assert patch["spec"] == {"behavior": None}
    annotations = patch["metadata"]["annotations"]
    assert annotations["note"] is None
    assert "theirs" not in annotations


def test_nested_settings_that_are_gone_are_taken_away() -> None:
    source = scaled_object(advanced={"scalingModifiers": {"formula": "a+b", "target": "2"}})
    existing = stored(scaler.clone(keda(), STATUS, source))
    less = scaled_object(advanced={"scalingModifiers": {"target": "2"}})
    patch = scaler.clone_patch(existing, scaler.clone(keda(), STATUS, less), "ScaledObject")
    assert patch is not None
    assert patch["spec"] == {"advanced": {"scalingModifiers": {"formula": None}}}


@pytest.mark.parametrize("record", ["[]", "{", '{"labels": 3}'])
def test_a_record_that_somebody_made_unreadable_takes_nothing_away(record: str) -> None:
    existing = stored(scaler.clone(hpa(), STATUS, HPA))
    existing["metadata"] |= {"labels": {"a": "b"}, "annotations": {"canarybus.dev/keys": record}}
    patch = scaler.clone_patch(existing, scaler.clone(hpa(), STATUS, HPA), "HorizontalPodAutoscaler")
    assert patch is not None
    assert "labels" not in patch["metadata"]


@pytest.mark.parametrize(
    ("source", "kind", "least"),
    [
        (HPA, "HorizontalPodAutoscaler", 2),
        (scaled_object(minReplicaCount=3), "ScaledObject", 3),
        (scaled_object(minReplicaCount=0), "ScaledObject", 1),
        ({"spec": {}}, "HorizontalPodAutoscaler", 1),
        (None, "ScaledObject", 1),
        (HPA, "Unknown", 1),
    ],
)
def test_a_target_without_a_primary_begins_with_its_scalers_minimum(
    source: dict[str, Any] | None, kind: str, least: int
) -> None:
    assert scaler.least(source, kind) == least
