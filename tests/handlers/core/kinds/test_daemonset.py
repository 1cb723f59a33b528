"""DaemonSets (spec targets 3.2): their primary, their size, their readiness and its deadline."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from handlers.core.kinds import KINDS
from schemas.kinds.anatomy import Patience
from schemas.kinds.daemonset import SCALE_TO_ZERO
from schemas.workload import Readiness, Workload
from tests.handlers.core import shapes
from tests.handlers.core.cluster import START
from tests.handlers.core.kinds.making import FIRST, SECOND, made, made_again, workload
from tests.handlers.core.manifests import weighted
from tests.handlers.core.test_validate import found

SPEC = shapes.of_kind("DaemonSet", weighted())
PARKS = {SCALE_TO_ZERO: "true"}


def daemon_set(image: str = "podinfo:1", *, selector: dict[str, str] | None = None, **status: Any) -> dict[str, Any]:
    item = shapes.make("DaemonSet", image)
    if selector is not None:
        item["spec"]["template"]["spec"]["nodeSelector"] = selector
    item["status"] = {"observedGeneration": 1, **status}
    return item


def counted(desired: int = 3, updated: int = 3, available: int = 3) -> dict[str, Any]:
    counts: dict[str, Any] = {
        "desiredNumberScheduled": desired,
        "updatedNumberScheduled": updated,
        "numberAvailable": available,
    }
    return daemon_set(**counts)


# ---- the primary


def test_a_primary_is_copied_with_what_belongs_to_a_daemonset() -> None:
    item = daemon_set()
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2}}
    item["spec"] |= {"updateStrategy": rolling, "minReadySeconds": 4, "revisionHistoryLimit": 2}
    new = made(item)
    assert {key: value for key, value in new["spec"].items() if key != "template"} == {
        "updateStrategy": rolling,
        "minReadySeconds": 4,
        "revisionHistoryLimit": 2,
        "selector": {"matchLabels": {"app": "podinfo-primary"}},
    }
    assert new["spec"]["template"]["metadata"]["labels"] == {"app": "podinfo-primary"}
    assert workload(new, item).runs(FIRST)


def test_a_primary_never_inherits_what_parks_the_target() -> None:
    parked = daemon_set(selector={"disk": "ssd", **PARKS})
    new = made(parked)
    assert new["spec"]["template"]["spec"]["nodeSelector"] == {"disk": "ssd"}
    again = made_again(new, daemon_set("podinfo:2", selector=PARKS))
    assert "nodeSelector" not in again["spec"]["template"]["spec"]
    assert workload(again, parked).runs(SECOND)


def test_affinity_and_spread_stay_as_they_are() -> None:
    item = daemon_set()
    labels = {"labelSelector": {"matchLabels": {"app": "podinfo"}}}
    item["spec"]["template"]["spec"]["topologySpreadConstraints"] = [labels]
    assert made(item)["spec"]["template"]["spec"]["topologySpreadConstraints"] == [labels]


# ---- what is a revision, and what is not


@pytest.mark.parametrize("parked", [None, {}, PARKS], ids=["no selector", "an empty one", "parked"])
def test_parking_is_no_other_revision(parked: dict[str, str] | None) -> None:
    assert Workload(daemon_set(selector=parked)).revision() == Workload(daemon_set()).revision()


def test_the_users_own_node_selector_is_part_of_a_revision() -> None:
    elsewhere = daemon_set(selector={"disk": "ssd"})
    assert Workload(elsewhere).revision() != Workload(daemon_set()).revision()
    assert Workload(elsewhere).revision() == Workload(daemon_set(selector={"disk": "ssd", **PARKS})).revision()


# ---- its size


def test_it_is_parked_by_a_selector_that_no_node_has_and_woken_by_its_absence() -> None:
    kind, item = KINDS["DaemonSet"], daemon_set(selector={"disk": "ssd"}, desiredNumberScheduled=3)
    assert Workload(item).replicas == 3
    item["spec"] = shapes.merge(item["spec"], kind.sized(Workload(item), 0))
    assert item["spec"]["template"]["spec"]["nodeSelector"] == {"disk": "ssd", **PARKS}
    assert Workload(item).replicas == 0
    item["spec"] = shapes.merge(item["spec"], kind.sized(Workload(item), 3))
    assert item["spec"]["template"]["spec"]["nodeSelector"] == {"disk": "ssd"}


def test_one_whose_controller_has_not_counted_yet_is_not_taken_for_parked() -> None:
    assert Workload(daemon_set()).replicas == 1


# ---- readiness


def readiness(item: dict[str, Any], *, threshold: int = 100, waited: float = 0) -> Readiness:
    patience = Patience(threshold, 60, START, START - timedelta(seconds=waited))
    return Workload(item).readiness(**patience._asdict())


@pytest.mark.parametrize(
    ("item", "threshold", "message"),
    [
        (counted(3, 3, 3), 100, ""),
        (counted(3, 3, 2), 50, ""),
        (counted(3, 1, 3), 50, "waiting for rollout to finish: 1 out of 3 new pods have been updated"),
        (
            counted(4, 4, 2),
            75,
            "waiting for rollout to finish: 2 of 4 (readyThreshold 75%) updated pods are available",
        ),
        (
            counted() | {"metadata": {"name": "podinfo", "generation": 2}},
            100,
            "waiting for rollout to finish: observed daemonset generation less than desired generation",
        ),
    ],
)
def test_it_is_ready_when_enough_updated_pods_are_available(item: Any, threshold: int, message: str) -> None:
    assert readiness(item, threshold=threshold) == Readiness(not message, False, message)


@pytest.mark.parametrize(("waited", "stuck"), [(60, False), (61, True)])
def test_the_deadline_runs_from_when_readiness_was_lost(waited: float, stuck: bool) -> None:
    late = readiness(counted(3, 3, 0), waited=waited)
    assert late.stuck is stuck
    assert (late.message == "exceeded its progressDeadlineSeconds: 60") is stuck


def test_without_a_clock_nothing_is_ever_late() -> None:
    assert not Workload(counted(3, 3, 0)).readiness(threshold=100, deadline=0, now=START).stuck


def test_the_words_are_the_peers() -> None:
    kind, late = KINDS["DaemonSet"], Readiness(False, True, "exceeded its progressDeadlineSeconds: 60")
    assert kind.primary_not_ready("podinfo-primary.test", late) == (
        "primary daemonset podinfo-primary.test not ready: exceeded its progressDeadlineSeconds: 60"
    )
    assert kind.canary_not_ready("podinfo.test", late) == (
        "canary damonset podinfo.test not ready with retryable false: exceeded its progressDeadlineSeconds: 60"
    )


# ---- what is wrong with it


@pytest.mark.parametrize(
    ("ports", "pod", "told"),
    [
        ([{"containerPort": 9898}], {}, ""),
        ([{"containerPort": 9898, "hostPort": 80}, {"containerPort": 1}], {}, "(80)"),
        ([{"containerPort": 9898}, {"containerPort": 1}], {"hostNetwork": True}, "(9898, 1)"),
    ],
)
def test_two_pods_of_one_node_cannot_have_its_own_ports(
    ports: list[dict[str, Any]], pod: dict[str, Any], told: str
) -> None:
    item = daemon_set()
    item["spec"]["template"]["spec"]["containers"][0]["ports"] = ports
    item["spec"]["template"]["spec"] |= pod
    problems = found(SPEC, target=item)
    assert bool(problems) is bool(told)
    assert all(f"asks for the node's own ports {told}" in problem for problem in problems)
    assert all(problem.endswith("remove hostPort and hostNetwork") for problem in problems)


@pytest.mark.parametrize(("restarts", "asks"), [({"restartPolicy": "Always"}, True), ({}, False)])
def test_a_sidecar_takes_ports_of_the_node_and_a_container_that_ends_before_the_others_does_not(
    restarts: dict[str, str], asks: bool
) -> None:
    item = daemon_set()
    ports = [{"containerPort": 80, "hostPort": 8080}]
    item["spec"]["template"]["spec"]["initContainers"] = [{"name": "proxy", "image": "p", "ports": ports, **restarts}]
    assert any("asks for the node's own ports (8080)" in problem for problem in found(SPEC, target=item)) is asks


def test_pods_that_only_a_person_replaces_cannot_be_rolled_out() -> None:
    item = daemon_set()
    assert found(SPEC, target=item) == ()
    item["spec"]["updateStrategy"] = {"type": "OnDelete"}
    (problem,) = found(SPEC, target=item)
    assert problem == (
        "daemonset podinfo.test must have RollingUpdate strategy but have OnDelete; "
        "set its spec.updateStrategy.type to RollingUpdate"
    )
