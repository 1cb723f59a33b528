"""DaemonSets, Services and autoscalers: what the controllers make of them."""

from __future__ import annotations

from typing import Any

from .client import STRATEGIC, Kube, Object, path
from .conftest import deployment
from .rollouts import NEVER, condition, image, rolled_out, status


def _daemon_set(**pod: object) -> Object:
    return {
        "metadata": {"name": "agent"},
        "spec": {
            "selector": {"matchLabels": {"app": "agent"}},
            "template": {
                "metadata": {"labels": {"app": "agent"}},
                "spec": {
                    "containers": [{"name": "app", "image": "agent:1"}],
                    "terminationGracePeriodSeconds": 0,
                    **pod,
                },
            },
        },
    }


def _all_scheduled(obj: Object) -> bool:
    now = status(obj)
    counts = {now.get(name, 0) for name in ("updatedNumberScheduled", "numberAvailable", "desiredNumberScheduled")}
    return now.get("observedGeneration") == obj["metadata"]["generation"] and counts == {1}


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
    empty = {"currentNumberScheduled": 0, "desiredNumberScheduled": 0, "numberMisscheduled": 0, "observedGeneration": 2}
    await kube.until(where, lambda obj: empty.items() <= status(obj).items())
    assert (await kube.get(path("pods", ns))).body["items"] == []


async def test_a_daemonset_whose_selector_is_taken_away_again_has_its_pods_back(kube: Kube, ns: str) -> None:
    where = path("daemonsets", ns, "agent")
    parked = _daemon_set(nodeSelector={"flagger.app/scale-to-zero": "true"})
    await kube.post(path("daemonsets", ns), parked)
    await kube.until(where, lambda obj: status(obj).get("observedGeneration") == 1)
    free = {"spec": {"template": {"spec": {"nodeSelector": {"flagger.app/scale-to-zero": None}}}}}
    await kube.patch(where, free)
    done = await kube.until(where, _all_scheduled)
    assert "nodeSelector" not in done["spec"]["template"]["spec"], "an empty one is none"
    assert done["metadata"]["generation"] == 2


async def test_a_daemonset_on_delete_keeps_its_pods_until_it_may_roll_again(kube: Kube, ns: str) -> None:
    where = path("daemonsets", ns, "agent")
    await kube.post(path("daemonsets", ns), _daemon_set())
    await kube.until(where, _all_scheduled)
    before = [pod["metadata"]["uid"] for pod in (await kube.get(path("pods", ns))).body["items"]]
    kept = (await kube.get(where)).body["spec"]["updateStrategy"]
    frozen = await kube.patch(where, {"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}}})
    assert frozen.expect(200)["spec"]["updateStrategy"] == {"type": "OnDelete"}
    await kube.patch(where, image("agent:2"), STRATEGIC)
    waiting = await kube.until(where, lambda obj: status(obj)["observedGeneration"] == obj["metadata"]["generation"])
    assert "updatedNumberScheduled" not in waiting["status"]
    assert waiting["status"]["currentNumberScheduled"] == 1
    assert [pod["metadata"]["uid"] for pod in (await kube.get(path("pods", ns))).body["items"]] == before
    await kube.patch(where, {"spec": {"updateStrategy": kept}})
    await kube.until(where, _all_scheduled)
    assert [pod["metadata"]["uid"] for pod in (await kube.get(path("pods", ns))).body["items"]] != before


async def test_an_annotation_is_no_other_generation_of_a_daemonset(kube: Kube, ns: str) -> None:
    where = path("daemonsets", ns, "agent")
    await kube.post(path("daemonsets", ns), _daemon_set())
    marked = (await kube.patch(where, {"metadata": {"annotations": {"canarybus.dev/target-step": "1"}}})).expect(200)
    assert marked["metadata"]["generation"] == 1


async def test_pods_of_a_daemonset_that_do_not_get_ready_are_updated_but_not_available(kube: Kube, ns: str) -> None:
    body = _daemon_set()
    body["spec"]["template"]["metadata"]["annotations"] = NEVER
    await kube.post(path("daemonsets", ns), body)
    wanted = {"desiredNumberScheduled": 1, "updatedNumberScheduled": 1, "numberUnavailable": 1, "numberReady": 0}
    found = await kube.until(path("daemonsets", ns, "agent"), lambda obj: wanted.items() <= status(obj).items())
    assert "numberAvailable" not in found["status"]
    assert "conditions" not in found["status"], "nothing says since when"


async def test_a_daemonset_replaces_its_pods_when_the_template_changes(kube: Kube, ns: str) -> None:
    where = path("daemonsets", ns, "agent")
    await kube.post(path("daemonsets", ns), _daemon_set())
    await kube.until(where, _all_scheduled)
    await kube.patch(where, image("agent:2"), STRATEGIC)
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
    service = {
        "metadata": {"name": "s"},
        "spec": {"selector": {"app": "podinfo"}, "ports": [{"name": "web", "port": 80, "targetPort": "http"}]},
    }
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
    found = await _slice(kube, ns, "s", lambda one: bool(one.get("endpoints")))
    assert found["endpoints"][0]["targetRef"]["name"].startswith("podinfo-")


async def test_an_autoscaler_lifts_a_running_target_to_its_minimum(kube: Kube, ns: str) -> None:
    await kube.post(path("deployments", ns), deployment(replicas=1))
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"}
    spec = {"minReplicas": 3, "maxReplicas": 4, "scaleTargetRef": target}
    await kube.post(path("horizontalpodautoscalers", ns), {"metadata": {"name": "h"}, "spec": spec})
    await kube.until(path("deployments", ns, "podinfo"), lambda obj: obj["spec"]["replicas"] == 3 and rolled_out(obj))
    done = await kube.until(
        path("horizontalpodautoscalers", ns, "h"), lambda obj: status(obj).get("desiredReplicas") == 3
    )
    assert condition(done, "AbleToScale")["status"] == "True"


async def test_an_autoscaler_leaves_a_target_of_zero_alone(kube: Kube, ns: str) -> None:
    await kube.post(path("deployments", ns), deployment(replicas=0))
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"}
    spec = {"minReplicas": 2, "maxReplicas": 4, "scaleTargetRef": target}
    await kube.post(path("horizontalpodautoscalers", ns), {"metadata": {"name": "h"}, "spec": spec})
    idle = await kube.until(
        path("horizontalpodautoscalers", ns, "h"), lambda obj: condition(obj, "ScalingActive").get("status") == "False"
    )
    assert condition(idle, "ScalingActive")["reason"] == "ScalingDisabled"
    assert (await kube.get(path("deployments", ns, "podinfo"))).body["spec"]["replicas"] == 0
