"""Deployments, DaemonSets, Services, autoscalers: what the controllers make of them."""

from __future__ import annotations

import re
from typing import Any

from .client import STRATEGIC, Kube, Object, path
from .conftest import deployment

NEVER = {"fakelet/ready": "false"}


def _status(obj: Object) -> Any:
    return obj.get("status", {})


def _condition(obj: Object, kind: str) -> Any:
    return next((one for one in _status(obj).get("conditions") or () if one["type"] == kind), {})


def _rolled_out(obj: Object) -> bool:
    status, wanted = _status(obj), obj["spec"]["replicas"]
    counts = {status.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")}
    return status.get("observedGeneration") == obj["metadata"]["generation"] and counts == {wanted}


def _complete(obj: Object) -> bool:
    return _rolled_out(obj) and _condition(obj, "Progressing").get("reason") == "NewReplicaSetAvailable"


def _image(image: str) -> Object:
    return {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": image}]}}}}


async def test_a_deployment_makes_pods_that_are_named_after_it(kube: Kube, ns: str) -> None:
    await kube.post(path("deployments", ns), deployment(replicas=2))
    done = await kube.until(path("deployments", ns, "podinfo"), _complete)
    assert done["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"
    assert "unavailableReplicas" not in done["status"]
    assert _condition(done, "Available")["reason"] == "MinimumReplicasAvailable"
    sets = (await kube.get(path("replicasets", ns))).body["items"]
    assert len(sets) == 1
    digest = sets[0]["metadata"]["labels"]["pod-template-hash"]
    assert sets[0]["metadata"]["name"] == f"podinfo-{digest}"
    assert sets[0]["spec"]["selector"]["matchLabels"] == {"app": "podinfo", "pod-template-hash": digest}
    pods = (await kube.get(path("pods", ns), labelSelector=f"pod-template-hash={digest}")).body["items"]
    assert len(pods) == 2
    assert all(re.fullmatch(rf"podinfo-{digest}-[a-z0-9]{{5}}", pod["metadata"]["name"]) for pod in pods)
    assert all(pod["metadata"]["ownerReferences"][0]["name"] == sets[0]["metadata"]["name"] for pod in pods)
    message = f'ReplicaSet "podinfo-{digest}" has successfully progressed.'
    assert _condition(done, "Progressing")["message"] == message


async def test_pods_run_on_the_stand_in_node(kube: Kube, ns: str) -> None:
    await kube.post(path("deployments", ns), deployment(replicas=1))
    await kube.until(path("deployments", ns, "podinfo"), _complete)
    pod = (await kube.get(path("pods", ns))).body["items"][0]
    assert pod["spec"]["nodeName"] == "fake"
    assert pod["status"]["phase"] == "Running"
    assert pod["status"]["podIP"].startswith("10.")
    assert pod["status"]["containerStatuses"][0]["ready"] is True
    assert "running" in pod["status"]["containerStatuses"][0]["state"]


async def test_a_new_template_replaces_the_pods_and_counts_the_revision(kube: Kube, ns: str) -> None:
    where = path("deployments", ns, "podinfo")
    await kube.post(path("deployments", ns), deployment(replicas=2))
    await kube.until(where, _complete)
    await kube.patch(where, _image("podinfo:6.0.2"), STRATEGIC)
    done = await kube.until(where, lambda obj: _complete(obj) and obj["metadata"]["generation"] > 1)
    assert done["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"
    sets = (await kube.get(path("replicasets", ns))).body["items"]
    assert sorted((one["spec"]["replicas"], one["metadata"]["annotations"]["deployment.kubernetes.io/revision"]) for one in sets) == [
        (0, "1"), (2, "2"),
    ]  # fmt: skip


async def test_a_template_that_returns_uses_its_old_replicaset_under_a_new_revision(kube: Kube, ns: str) -> None:
    where = path("deployments", ns, "podinfo")
    await kube.post(path("deployments", ns), deployment(replicas=1))
    first = await kube.until(where, _complete)
    await kube.patch(where, _image("podinfo:6.0.2"), STRATEGIC)
    await kube.until(where, lambda obj: _complete(obj) and "6.0.2" in str(obj["spec"]))
    await kube.patch(where, _image("podinfo:6.0.1"), STRATEGIC)
    back = await kube.until(
        where, lambda obj: _complete(obj) and obj["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"
    )
    assert back["spec"]["template"] == first["spec"]["template"]
    assert len((await kube.get(path("replicasets", ns))).body["items"]) == 2


async def test_a_rollout_that_cannot_work_keeps_the_old_pods_within_its_bounds(kube: Kube, ns: str) -> None:
    where = path("deployments", ns, "podinfo")
    await kube.post(path("deployments", ns), deployment(replicas=4))
    await kube.until(where, _complete)
    await kube.patch(where, _image("does-not-exist:1"), STRATEGIC)
    stuck = await kube.until(where, lambda obj: _status(obj).get("updatedReplicas") == 2 and _status(obj)["replicas"] == 5)
    assert stuck["status"]["availableReplicas"] == 3
    assert stuck["status"]["unavailableReplicas"] == 2
    assert _condition(stuck, "Available")["status"] == "True"
    assert _condition(stuck, "Progressing")["status"] == "True"
    assert _condition(stuck, "Progressing")["reason"] in ("NewReplicaSetCreated", "ReplicaSetUpdated")
    waiting = [pod for pod in (await kube.get(path("pods", ns))).body["items"] if pod["status"]["phase"] == "Pending"]
    reasons = {
        pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"]
        for pod in waiting if "containerStatuses" in pod["status"]
    }  # fmt: skip
    assert reasons <= {"ErrImagePull"}


async def test_without_ready_pods_a_deployment_is_not_available_and_runs_out_of_time(kube: Kube, ns: str) -> None:
    where = path("deployments", ns, "podinfo")
    body = deployment(replicas=1, pod_annotations=NEVER, progressDeadlineSeconds=2)
    await kube.post(path("deployments", ns), body)
    failed = await kube.until(where, lambda obj: _condition(obj, "Progressing").get("status") == "False")
    progressing, available = _condition(failed, "Progressing"), _condition(failed, "Available")
    assert progressing["reason"] == "ProgressDeadlineExceeded"
    assert progressing["message"].endswith("has timed out progressing.")
    assert (available["status"], available["reason"]) == ("False", "MinimumReplicasUnavailable")
    assert failed["status"]["unavailableReplicas"] == 1
    assert {"lastUpdateTime", "lastTransitionTime"} <= progressing.keys()


async def test_a_pod_becomes_ready_after_the_time_it_asks_for(kube: Kube, ns: str) -> None:
    where = path("deployments", ns, "podinfo")
    await kube.post(path("deployments", ns), deployment(replicas=1, pod_annotations={"fakelet/ready-after": "1s"}))
    waiting = await kube.until(where, lambda obj: _status(obj).get("replicas") == 1)
    assert "readyReplicas" not in waiting["status"]
    await kube.until(where, _complete)


async def test_available_comes_min_ready_seconds_after_ready(kube: Kube, ns: str) -> None:
    where = path("deployments", ns, "podinfo")
    await kube.post(path("deployments", ns), deployment(replicas=1, minReadySeconds=2))
    ready = await kube.until(where, lambda obj: _status(obj).get("readyReplicas") == 1)
    assert "availableReplicas" not in ready["status"]
    await kube.until(where, _complete)


async def test_recreate_starts_no_new_pod_before_the_last_old_one_is_gone(kube: Kube, ns: str) -> None:
    where = path("deployments", ns, "podinfo")
    await kube.post(path("deployments", ns), deployment(replicas=2, strategy={"type": "Recreate"}))
    await kube.until(where, _complete)
    listed = await kube.get(path("pods", ns))
    alive = {pod["metadata"]["name"] for pod in listed.body["items"]}
    async with kube.watch(path("pods", ns), resourceVersion=listed.rv) as events:
        await kube.patch(where, _image("podinfo:6.0.2"), STRATEGIC)
        while alive:
            kind, name = await events.named()
            assert kind != "ADDED"
            if kind == "DELETED":
                alive.discard(name)
    await kube.until(where, lambda obj: _complete(obj) and obj["metadata"]["generation"] > 1)


async def test_scaling_to_zero_and_back(kube: Kube, ns: str) -> None:
    where = path("deployments", ns, "podinfo")
    await kube.post(path("deployments", ns), deployment(replicas=2))
    await kube.until(where, _complete)
    await kube.patch(where, {"spec": {"replicas": 0}})
    await kube.until(where, lambda obj: _rolled_out(obj) and not _status(obj).get("replicas"))
    await kube.patch(where, {"spec": {"replicas": 3}})
    await kube.until(where, lambda obj: _rolled_out(obj) and _status(obj).get("readyReplicas") == 3)


async def test_a_paused_deployment_scales_but_does_not_roll(kube: Kube, ns: str) -> None:
    where = path("deployments", ns, "podinfo")
    await kube.post(path("deployments", ns), deployment(replicas=1))
    await kube.until(where, _complete)
    await kube.patch(where, {"spec": {"paused": True, "replicas": 2}})
    await kube.patch(where, _image("podinfo:6.0.2"), STRATEGIC)
    paused = await kube.until(where, lambda obj: _status(obj).get("readyReplicas") == 2)
    assert _condition(paused, "Progressing")["reason"] == "DeploymentPaused"
    assert len((await kube.get(path("replicasets", ns))).body["items"]) == 1
    await kube.patch(where, {"spec": {"paused": None}})
    await kube.until(where, lambda obj: _rolled_out(obj) and len(obj["status"]["conditions"]) == 2)


async def test_a_lost_pod_is_replaced(kube: Kube, ns: str) -> None:
    await kube.post(path("deployments", ns), deployment(replicas=1))
    await kube.until(path("deployments", ns, "podinfo"), _complete)
    pod = (await kube.get(path("pods", ns))).body["items"][0]["metadata"]["name"]
    await kube.delete(path("pods", ns, pod))
    await kube.gone(path("pods", ns, pod))
    await kube.until(path("deployments", ns, "podinfo"), _rolled_out)
    assert [one["metadata"]["name"] for one in (await kube.get(path("pods", ns))).body["items"]] != [pod]


async def test_old_replicasets_beyond_the_history_are_forgotten(kube: Kube, ns: str) -> None:
    where = path("deployments", ns, "podinfo")
    await kube.post(path("deployments", ns), deployment(replicas=1, revisionHistoryLimit=1))
    await kube.until(where, _complete)
    first = (await kube.get(path("replicasets", ns))).body["items"][0]["metadata"]["name"]
    for image in ("podinfo:6.0.2", "podinfo:6.0.3"):
        await kube.patch(where, _image(image), STRATEGIC)
        await kube.until(where, lambda obj, image=image: _complete(obj) and image in str(obj["spec"]))  # type: ignore[misc]
    await kube.gone(path("replicasets", ns, first))


def _daemon_set(**pod: object) -> Object:
    return {
        "metadata": {"name": "agent"},
        "spec": {
            "selector": {"matchLabels": {"app": "agent"}},
            "template": {
                "metadata": {"labels": {"app": "agent"}},
                "spec": {"containers": [{"name": "app", "image": "agent:1"}], "terminationGracePeriodSeconds": 0, **pod},
            },
        },
    }  # fmt: skip


def _all_scheduled(obj: Object) -> bool:
    status = _status(obj)
    counts = {status.get(name, 0) for name in ("updatedNumberScheduled", "numberAvailable", "desiredNumberScheduled")}
    return status.get("observedGeneration") == obj["metadata"]["generation"] and counts == {1}


async def test_a_daemonset_runs_one_pod_on_the_node(kube: Kube, ns: str) -> None:
    await kube.post(path("daemonsets", ns), _daemon_set())
    done = await kube.until(path("daemonsets", ns, "agent"), _all_scheduled)
    assert done["status"]["numberReady"] == 1
    pods = (await kube.get(path("pods", ns))).body["items"]
    assert [pod["spec"]["nodeName"] for pod in pods] == ["fake"]


async def test_a_daemonset_that_no_node_matches_has_no_pods(kube: Kube, ns: str) -> None:
    where = path("daemonsets", ns, "agent")
    await kube.post(path("daemonsets", ns), _daemon_set())
    await kube.until(where, _all_scheduled)
    selector = {"spec": {"template": {"spec": {"nodeSelector": {"flagger.app/scale-to-zero": "true"}}}}}
    await kube.patch(where, selector)
    away = await kube.until(
        where, lambda obj: _status(obj).get("observedGeneration") == 2 and not _status(obj)["currentNumberScheduled"]
    )
    assert away["status"]["desiredNumberScheduled"] == 0
    assert away["status"]["numberMisscheduled"] == 0


async def test_a_daemonset_replaces_its_pods_when_the_template_changes(kube: Kube, ns: str) -> None:
    where = path("daemonsets", ns, "agent")
    await kube.post(path("daemonsets", ns), _daemon_set())
    await kube.until(where, _all_scheduled)
    await kube.patch(where, _image("agent:2"), STRATEGIC)
    await kube.until(where, lambda obj: _all_scheduled(obj) and obj["metadata"]["generation"] == 2)
    images = {pod["spec"]["containers"][0]["image"] for pod in (await kube.get(path("pods", ns))).body["items"]}
    assert images == {"agent:2"}


async def _slice(kube: Kube, ns: str, service: str, holds: Any) -> Object:
    """The EndpointSlice of a Service, as soon as `holds` of it."""
    selector = {"labelSelector": f"kubernetes.io/service-name={service}"}
    listed = (await kube.get(path("endpointslices", ns), **selector)).expect(200)
    for found in listed["items"]:
        if holds(found):
            return found  # type: ignore[no-any-return]
    version = listed["metadata"]["resourceVersion"]
    async with kube.watch(path("endpointslices", ns), resourceVersion=version, **selector) as events:
        while True:
            event = await events.next()
            if event["type"] != "DELETED" and holds(event["object"]):
                return event["object"]  # type: ignore[no-any-return]


async def test_a_service_has_the_addresses_of_its_ready_pods(kube: Kube, ns: str) -> None:
    await kube.post(path("deployments", ns), deployment(replicas=2))
    service = {"metadata": {"name": "s"}, "spec": {
        "selector": {"app": "podinfo"}, "ports": [{"name": "web", "port": 80, "targetPort": "http"}]}}  # fmt: skip
    await kube.post(path("services", ns), service)
    found = await _slice(
        kube, ns, "s", lambda one: sum(1 for end in one.get("endpoints") or () if end["conditions"]["ready"]) == 2
    )
    assert found["addressType"] == "IPv4"
    assert found["ports"] == [{"name": "web", "port": 9898, "protocol": "TCP"}]
    assert found["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"] == "endpointslice-controller.k8s.io"
    pods = (await kube.get(path("pods", ns))).body["items"]
    assert {end["addresses"][0] for end in found["endpoints"]} == {pod["status"]["podIP"] for pod in pods}
    assert found["endpoints"][0]["conditions"] == {"ready": True, "serving": True, "terminating": False}
    assert found["endpoints"][0]["targetRef"]["kind"] == "Pod"
    assert found["endpoints"][0]["nodeName"] == "fake"


async def test_a_pod_that_is_not_ready_is_listed_as_such(kube: Kube, ns: str) -> None:
    await kube.post(path("deployments", ns), deployment(replicas=1, pod_annotations=NEVER))
    service = {"metadata": {"name": "s"}, "spec": {"selector": {"app": "podinfo"}, "ports": [{"port": 80}]}}
    await kube.post(path("services", ns), service)
    found = await _slice(kube, ns, "s", lambda one: bool(one.get("endpoints")))
    assert found["endpoints"][0]["conditions"] == {"ready": False, "serving": False, "terminating": False}


async def test_a_service_follows_its_selector(kube: Kube, ns: str) -> None:
    await kube.post(path("deployments", ns), deployment(replicas=1))
    service = {"metadata": {"name": "s"}, "spec": {"selector": {"app": "other"}, "ports": [{"port": 80}]}}
    await kube.post(path("services", ns), service)
    await _slice(kube, ns, "s", lambda one: not one.get("endpoints"))
    await kube.patch(path("services", ns, "s"), {"spec": {"selector": {"app": "podinfo"}}})
    await _slice(kube, ns, "s", lambda one: bool(one.get("endpoints")))


async def test_an_autoscaler_lifts_a_running_target_to_its_minimum(kube: Kube, ns: str) -> None:
    await kube.post(path("deployments", ns), deployment(replicas=1))
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"}
    spec = {"minReplicas": 3, "maxReplicas": 4, "scaleTargetRef": target}
    await kube.post(path("horizontalpodautoscalers", ns), {"metadata": {"name": "h"}, "spec": spec})
    await kube.until(path("deployments", ns, "podinfo"), lambda obj: obj["spec"]["replicas"] == 3 and _rolled_out(obj))
    done = await kube.until(path("horizontalpodautoscalers", ns, "h"), lambda obj: _status(obj).get("desiredReplicas") == 3)
    assert _condition(done, "AbleToScale")["status"] == "True"


async def test_an_autoscaler_leaves_a_target_of_zero_alone(kube: Kube, ns: str) -> None:
    await kube.post(path("deployments", ns), deployment(replicas=0))
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"}
    spec = {"minReplicas": 2, "maxReplicas": 4, "scaleTargetRef": target}
    await kube.post(path("horizontalpodautoscalers", ns), {"metadata": {"name": "h"}, "spec": spec})
    idle = await kube.until(
        path("horizontalpodautoscalers", ns, "h"), lambda obj: _condition(obj, "ScalingActive").get("status") == "False"
    )
    assert _condition(idle, "ScalingActive")["reason"] == "ScalingDisabled"
    assert (await kube.get(path("deployments", ns, "podinfo"))).body["spec"]["replicas"] == 0
