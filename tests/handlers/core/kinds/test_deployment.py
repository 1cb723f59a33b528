"""The primary of a Deployment (spec targets 3.1): what is copied at creation, and what at each promotion."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.revision import REVISION, TEMPLATE
from schemas.status import CanaryStatus, Phase, Reason, Returning
from schemas.workload import PRIMARY_STEP, TARGET_STEP
from tests.handlers.core.kinds.making import FIRST, SECOND, made, made_again, made_later, workload
from tests.handlers.core.manifests import podinfo

TOOLKIT = "kustomize.toolkit.fluxcd.io/ssa"


def labelled(image: str = "podinfo:1") -> dict[str, Any]:
    item = podinfo(image)
    item["metadata"]["labels"] = {"team.io/name": "a", "tier": "front", TOOLKIT: "x"}
    item["metadata"]["annotations"] = {"kept": "yes", "team.io/page": "b", TOOLKIT: "no", TARGET_STEP: "3"}
    return item


def notes(item: dict[str, Any]) -> dict[str, str]:
    ours = (PRIMARY_STEP, REVISION, TEMPLATE)
    return {key: value for key, value in item["metadata"]["annotations"].items() if key not in ours}


def test_a_primary_runs_the_snapshot_under_its_own_label_and_marks() -> None:
    item = labelled()
    item["spec"] |= {"replicas": 3, "minReadySeconds": 4, "revisionHistoryLimit": 2, "progressDeadlineSeconds": 9}
    item["spec"] |= {"paused": True, "strategy": {"type": "Recreate"}}
    item["spec"]["selector"]["matchLabels"]["tier"] = "front"
    new = made(item, content=podinfo("podinfo:analysed")["spec"]["template"])
    assert new["metadata"]["name"] == "podinfo-primary"
    spec = new["spec"]
    assert spec["selector"] == {"matchLabels": {"app": "podinfo-primary"}}, "other labels would find the target's pods"
    assert spec["template"]["metadata"]["labels"] == {"app": "podinfo-primary"}
    assert spec["template"]["spec"]["containers"][0]["image"] == "podinfo:analysed"
    assert {key: value for key, value in spec.items() if key not in ("selector", "template")} == {
        "replicas": 3,
        "minReadySeconds": 4,
        "revisionHistoryLimit": 2,
        "progressDeadlineSeconds": 9,
        "strategy": {"type": "Recreate"},
    }, "paused is not copied"
    assert workload(new, item).fence(PRIMARY_STEP) == 4
    assert workload(new, item).runs(FIRST)


@pytest.mark.parametrize(
    ("prefixes", "labels"),
    [
        ((), {}),
        (("team.io/", "other"), {"team.io/name": "a"}),
        (("*",), {"team.io/name": "a", "tier": "front"}),
    ],
)
def test_labels_are_taken_over_by_prefix_annotations_of_a_new_primary_all(
    prefixes: tuple[str, ...], labels: dict[str, str]
) -> None:
    new = made(labelled(), prefixes=prefixes)
    assert new["metadata"]["labels"] == {**labels, "app": "podinfo-primary"}
    assert notes(new) == {"kept": "yes", "team.io/page": "b"}, "neither Flux's nor the target's own fence"


def test_a_promotion_replaces_labels_and_annotations_by_those_of_the_prefixes() -> None:
    existing = made(labelled(), prefixes=("team.io/",))
    existing["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "7"
    target = labelled("podinfo:2")
    target["metadata"]["labels"] = {"team.io/name": "b"}
    del target["metadata"]["annotations"]["team.io/page"]
    again = made_again(existing, target, prefixes=("team.io/",))
    assert again["metadata"]["labels"] == {"team.io/name": "b", "app": "podinfo-primary"}
    assert notes(again) == {"deployment.kubernetes.io/revision": "7"}, "what its controller counts stays"


def test_the_templates_annotations_are_copied_but_the_toolkits() -> None:
    item = podinfo()
    item["spec"]["template"]["metadata"]["annotations"] = {"prometheus.io/scrape": "true", TOOLKIT: "y"}
    item["spec"]["template"]["metadata"]["labels"][TOOLKIT] = "y"
    metadata = made(item)["spec"]["template"]["metadata"]
    assert metadata["annotations"] == {"prometheus.io/scrape": "true", "flagger-id": FIRST}
    assert metadata["labels"] == {"app": "podinfo-primary"}


def test_another_revision_restarts_the_primarys_pods_even_if_its_template_is_the_same() -> None:
    existing = made(podinfo())
    before, after = existing["spec"]["template"], made_again(existing, podinfo())["spec"]["template"]
    assert before["spec"] == after["spec"]
    assert before["metadata"] != after["metadata"], "a tracked config may be all that has changed"
    assert made(podinfo())["spec"]["template"] == before, "going back to a revision is going back to its pods"


def test_a_primary_of_a_parked_target_has_one_pod() -> None:
    item = podinfo()
    item["spec"]["replicas"] = 0
    assert made(item)["spec"]["replicas"] == 1


def test_an_edited_primary_no_longer_runs_its_revision() -> None:
    new = made(podinfo())
    new["spec"]["template"]["spec"]["containers"][0]["image"] = "foreign"
    assert not workload(new, podinfo()).runs(FIRST)


@pytest.mark.parametrize(
    ("replicas", "scaler", "after"),
    [(5, None, 5), (0, None, 2), (5, {"kind": "HorizontalPodAutoscaler", "name": "podinfo"}, 2)],
    ids=["follows the target", "a parked target is no size", "a scaler owns it"],
)
def test_a_primary_that_is_written_again_has_the_targets_size_and_settings(
    replicas: int, scaler: dict[str, str] | None, after: int
) -> None:
    existing = made(podinfo())
    existing["spec"]["paused"] = False
    item = podinfo("podinfo:2")
    item["spec"] |= {"replicas": replicas, "strategy": {"type": "Recreate"}, "paused": True}
    again = made_again(existing, item, **({"autoscalerRef": scaler} if scaler else {}))
    assert again["spec"]["replicas"] == after
    assert again["spec"]["strategy"] == {"type": "Recreate"}
    assert again["spec"]["paused"] is False
    assert again["spec"]["selector"] == existing["spec"]["selector"]
    assert workload(again, item).runs(SECOND)
    assert not workload(again, item).runs(FIRST)


def test_a_setting_that_the_target_has_no_more_goes_from_its_primary_and_what_others_wrote_stays() -> None:
    item = podinfo()
    item["spec"] |= {"minReadySeconds": 300, "progressDeadlineSeconds": 9, "strategy": {"type": "Recreate"}}
    existing = made(item)
    existing["spec"]["paused"] = True
    again = made_again(existing, podinfo("podinfo:2"))["spec"]
    assert again.keys().isdisjoint({"minReadySeconds", "progressDeadlineSeconds", "strategy"})
    assert again["paused"] is True


@pytest.mark.parametrize(
    "status",
    [
        CanaryStatus(phase=Phase.PROGRESSING),
        CanaryStatus(phase=Phase.SUCCEEDED),
        CanaryStatus(phase=Phase.PROMOTING, returning=Returning(phase=Phase.FAILED, reason=Reason.ROLLBACK_REQUESTED)),
    ],
)
def test_a_repair_and_the_way_back_leave_the_primary_its_size(status: CanaryStatus) -> None:
    existing = made(podinfo())
    existing["spec"]["replicas"] = 6
    assert made_later(existing, podinfo("podinfo:2"), status)["spec"]["replicas"] == 6


def spread(*, key: str = "app", value: str = "podinfo", expressions: Any = ()) -> dict[str, Any]:
    def labels() -> dict[str, Any]:
        return {"labelSelector": {"matchLabels": {key: value}}}

    term = {"podAffinityTerm": {"labelSelector": {"matchExpressions": list(expressions)}}}
    return podinfo(
        affinity={
            "podAntiAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [labels()],
                "preferredDuringSchedulingIgnoredDuringExecution": [term],
            },
            "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [labels()]},
        },
        topologySpreadConstraints=[labels(), {"maxSkew": 1}],
    )


def test_pods_are_spread_against_the_primarys_own_pods() -> None:
    item = spread(expressions=[{"key": "app", "values": ["podinfo", "x", "podinfo"]}])
    new = made(item)["spec"]["template"]["spec"]
    anti = new["affinity"]["podAntiAffinity"]
    required = anti["requiredDuringSchedulingIgnoredDuringExecution"][0]["labelSelector"]
    preferred = anti["preferredDuringSchedulingIgnoredDuringExecution"][0]["podAffinityTerm"]["labelSelector"]
    assert required == {"matchLabels": {"app": "podinfo-primary"}}
    assert preferred["matchExpressions"][0]["values"] == ["podinfo-primary", "x", "podinfo"], "once an expression"
    assert new["topologySpreadConstraints"] == [
        {"labelSelector": {"matchLabels": {"app": "podinfo-primary"}}},
        {"maxSkew": 1},
    ]
    together = new["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][0]["labelSelector"]
    assert together == {"matchLabels": {"app": "podinfo"}}, "who it wants to be near does not change"
    assert item == spread(expressions=[{"key": "app", "values": ["podinfo", "x", "podinfo"]}]), "a copy was changed"


@pytest.mark.parametrize(("key", "value"), [("tier", "podinfo"), ("app", "other")])
def test_a_rule_about_other_labels_or_other_pods_stays(key: str, value: str) -> None:
    item = spread(key=key, value=value, expressions=[{"key": key, "values": [value]}])
    template = made(item)["spec"]["template"]
    assert template["spec"] == item["spec"]["template"]["spec"]
