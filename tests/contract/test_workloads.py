"""Deployments: how they roll out, and what their status says."""

from __future__ import annotations

import re

from .client import STRATEGIC, Kube, path
from .conftest import deployment
from .rollouts import NEVER, complete, condition, image, rolled_out, status


async def test_a_deployment_makes_pods_that_are_named_after_it(kube: Kube, ns: str) -> None:
    await kube.post(path("deployments", ns), deployment(replicas=2))
    done = await kube.until(path("deployments", ns, "podinfo"), complete)
    assert done["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"
    assert "unavailableReplicas" not in done["status"]
    assert condition(done, "Available")["reason"] == "MinimumReplicasAvailable"
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
    assert condition(done, "Progressing")["message"] == message


async def test_a_deployment_with_the_longest_name_has_pods(kube: Kube, ns: str) -> None:
    name = "d" * 253
    wanted = deployment(name)
    wanted["metadata"]["labels"] = {"app": "podinfo"}
    wanted["spec"]["selector"]["matchLabels"] = wanted["spec"]["template"]["metadata"]["labels"] = {"app": "podinfo"}
    await kube.post(path("deployments", ns), wanted)
    await kube.until(path("deployments", ns, name), complete)
    (one,) = (await kube.get(path("replicasets", ns))).body["items"]
    digest = one["metadata"]["labels"]["pod-template-hash"]
    assert one["metadata"]["name"] == f"{'d' * (252 - len(digest))}-{digest}"
    (pod,) = (await kube.get(path("pods", ns))).body["items"]
    assert len(pod["metadata"]["name"]) == 63


async def test_pods_run_on_the_stand_in_node(kube: Kube, ns: str) -> None:
    await kube.post(path("deployments", ns), deployment(replicas=1))
    await kube.until(path("deployments", ns, "podinfo"), complete)
    pod = (await kube.get(path("pods", ns))).body["items"][0]
    assert pod["spec"]["nodeName"] == "fake"
    assert pod["status"]["phase"] == "Running"
    assert pod["status"]["podIP"].startswith("10.")
    assert pod["status"]["containerStatuses"][0]["ready"] is True
    assert "running" in pod["status"]["containerStatuses"][0]["state"]


async def test_a_new_template_replaces_the_pods_and_counts_the_revision(kube: Kube, ns: str) -> None:
    where = path("deployments", ns, "podinfo")
    await kube.post(path("deployments", ns), deployment(replicas=2))
    await kube.until(where, complete)
    await kube.patch(where, image("podinfo:6.0.2"), STRATEGIC)
    done = await kube.until(where, lambda obj: complete(obj) and obj["metadata"]["generation"] > 1)
    assert done["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"
    sets = (await kube.get(path("replicasets", ns))).body["items"]
    revision = "deployment.kubernetes.io/revision"
    found = {(one["spec"]["replicas"], one["metadata"]["annotations"][revision]) for one in sets}
    assert found == {(0, "1"), (2, "2")}


async def test_a_template_that_returns_uses_its_old_replicaset_under_a_new_revision(kube: Kube, ns: str) -> None:
    where = path("deployments", ns, "podinfo")
    await kube.post(path("deployments", ns), deployment(replicas=1))
    first = await kube.until(where, complete)
    await kube.patch(where, image("podinfo:6.0.2"), STRATEGIC)
    await kube.until(where, lambda obj: complete(obj) and "6.0.2" in str(obj["spec"]))
    await kube.patch(where, image("podinfo:6.0.1"), STRATEGIC)
    back = await kube.until(
        where, lambda obj: complete(obj) and obj["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"
    )
    assert back["spec"]["template"] == first["spec"]["template"]
    assert len((await kube.get(path("replicasets", ns))).body["items"]) == 2


async def test_a_rollout_that_cannot_work_keeps_the_old_pods_within_its_bounds(kube: Kube, ns: str) -> None:
    where = path("deployments", ns, "podinfo")
    await kube.post(path("deployments", ns), deployment(replicas=4))
    await kube.until(where, complete)
    await kube.patch(where, image("does-not-exist:1"), STRATEGIC)
    stuck = await kube.until(
        where, lambda obj: status(obj).get("updatedReplicas") == 2 and status(obj)["replicas"] == 5
    )
    assert stuck["status"]["availableReplicas"] == 3
    assert stuck["status"]["unavailableReplicas"] == 2
    assert condition(stuck, "Available")["status"] == "True"
    assert condition(stuck, "Progressing")["status"] == "True"
    assert condition(stuck, "Progressing")["reason"] in ("NewReplicaSetCreated", "ReplicaSetUpdated")
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
    failed = await kube.until(where, lambda obj: condition(obj, "Progressing").get("status") == "False")
    progressing, available = condition(failed, "Progressing"), condition(failed, "Available")
    assert progressing["reason"] == "ProgressDeadlineExceeded"
    assert progressing["message"].endswith("has timed out progressing.")
    assert (available["status"], available["reason"]) == ("False", "MinimumReplicasUnavailable")
    assert failed["status"]["unavailableReplicas"] == 1
    assert {"lastUpdateTime", "lastTransitionTime"} <= progressing.keys()


async def test_a_pod_becomes_ready_after_the_time_it_asks_for(kube: Kube, ns: str) -> None:
    where = path("deployments", ns, "podinfo")
    await kube.post(path("deployments", ns), deployment(replicas=1, pod_annotations={"fakelet/ready-after": "1s"}))
    waiting = await kube.until(where, lambda obj: status(obj).get("replicas") == 1)
    assert "readyReplicas" not in waiting["status"]
    await kube.until(where, complete)


async def test_available_comes_min_ready_seconds_after_ready(kube: Kube, ns: str) -> None:
    where = path("deployments", ns, "podinfo")
    await kube.post(path("deployments", ns), deployment(replicas=1, minReadySeconds=2))
    ready = await kube.until(where, lambda obj: status(obj).get("readyReplicas") == 1)
    assert "availableReplicas" not in ready["status"]
    await kube.until(where, complete)


async def test_recreate_starts_no_new_pod_before_the_last_old_one_is_gone(kube: Kube, ns: str) -> None:
    where = path("deployments", ns, "podinfo")
    await kube.post(path("deployments", ns), deployment(replicas=2, strategy={"type": "Recreate"}))
    await kube.until(where, complete)
    listed = await kube.get(path("pods", ns))
    alive = {pod["metadata"]["name"] for pod in listed.body["items"]}
    async with kube.watch(path("pods", ns), resourceVersion=listed.rv) as events:
        await kube.patch(where, image("podinfo:6.0.2"), STRATEGIC)
        while alive:
            kind, name = await events.named()
            assert kind != "ADDED"
            if kind == "DELETED":
                alive.discard(name)
    await kube.until(where, lambda obj: complete(obj) and obj["metadata"]["generation"] > 1)


async def test_scaling_to_zero_and_back(kube: Kube, ns: str) -> None:
    where = path("deployments", ns, "podinfo")
    await kube.post(path("deployments", ns), deployment(replicas=2))
    await kube.until(where, complete)
    await kube.patch(where, {"spec": {"replicas": 0}})
    await kube.until(where, lambda obj: rolled_out(obj) and not status(obj).get("replicas"))
    await kube.patch(where, {"spec": {"replicas": 3}})
    await kube.until(where, lambda obj: rolled_out(obj) and status(obj).get("readyReplicas") == 3)
    assert len((await kube.get(path("replicasets", ns))).body["items"]) == 1, "the same one scaled"


async def test_a_paused_deployment_scales_but_does_not_roll(kube: Kube, ns: str) -> None:
    where = path("deployments", ns, "podinfo")
    await kube.post(path("deployments", ns), deployment(replicas=1))
    await kube.until(where, complete)
    await kube.patch(where, {"spec": {"paused": True, "replicas": 2}})
    await kube.patch(where, image("podinfo:6.0.2"), STRATEGIC)
    paused = await kube.until(where, lambda obj: status(obj).get("readyReplicas") == 2)
    assert condition(paused, "Progressing")["reason"] == "DeploymentPaused"
    assert len((await kube.get(path("replicasets", ns))).body["items"]) == 1
    await kube.patch(where, {"spec": {"paused": None}})
    await kube.until(where, lambda obj: rolled_out(obj) and len(obj["status"]["conditions"]) == 2)


async def test_a_lost_pod_is_replaced(kube: Kube, ns: str) -> None:
    await kube.post(path("deployments", ns), deployment(replicas=1))
    await kube.until(path("deployments", ns, "podinfo"), complete)
    pod = (await kube.get(path("pods", ns))).body["items"][0]["metadata"]["name"]
    await kube.delete(path("pods", ns, pod))
    await kube.gone(path("pods", ns, pod))
    await kube.until(path("deployments", ns, "podinfo"), rolled_out)
    assert [one["metadata"]["name"] for one in (await kube.get(path("pods", ns))).body["items"]] != [pod]


async def test_old_replicasets_beyond_the_history_are_forgotten(kube: Kube, ns: str) -> None:
    where = path("deployments", ns, "podinfo")
    await kube.post(path("deployments", ns), deployment(replicas=1, revisionHistoryLimit=1))
    await kube.until(where, complete)
    first = (await kube.get(path("replicasets", ns))).body["items"][0]["metadata"]["name"]
    for tag in ("podinfo:6.0.2", "podinfo:6.0.3"):
        await kube.patch(where, image(tag), STRATEGIC)
        await kube.until(where, lambda obj, tag=tag: complete(obj) and tag in str(obj["spec"]))  # type: ignore[misc]
    await kube.gone(path("replicasets", ns, first))
    assert len((await kube.get(path("replicasets", ns))).body["items"]) == 2
