"""Built-in kinds: what is filled in, what must not change, how versions show the same object."""

from __future__ import annotations

import base64

from .client import Kube, Object, path
from .conftest import configmap, deployment

POD = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "securityContext": {},
    "schedulerName": "default-scheduler",
}
CONTAINER = {
    "name": "c",
    "image": "i",
    "imagePullPolicy": "Always",
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "ports": [{"containerPort": 80, "protocol": "TCP"}],
    "readinessProbe": {
        "httpGet": {"path": "/", "port": 80, "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    },
}
"""What the API server makes of the little that the test writes."""


async def test_a_deployment_is_filled_in(kube: Kube, ns: str) -> None:
    body: Object = {
        "metadata": {"name": "d"},
        "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {
                "metadata": {"labels": {"a": "b"}},
                "spec": {
                    "containers": [
                        {
                            "name": "c",
                            "image": "i",
                            "ports": [{"containerPort": 80}],
                            "readinessProbe": {"httpGet": {"port": 80}},
                        }
                    ]
                },
            },
        },
    }
    spec = (await kube.post(path("deployments", ns), body, dryRun="All")).expect(201)["spec"]
    assert spec["replicas"] == 1
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}
    assert (spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"]) == (10, 600)
    pod = spec["template"]["spec"]
    container = pod.pop("containers")[0]
    assert (pod, container) == (POD, CONTAINER)


async def test_a_service_gets_an_address_and_its_ports_are_filled_in(kube: Kube, ns: str) -> None:
    body: Object = {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}}
    spec = (await kube.post(path("services", ns), body)).expect(201)["spec"]
    address = spec.pop("clusterIP")
    assert address.startswith("10.96.")
    assert spec == {
        "clusterIPs": [address],
        "type": "ClusterIP",
        "sessionAffinity": "None",
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
        "internalTrafficPolicy": "Cluster",
        "ports": [{"port": 80, "targetPort": 80, "protocol": "TCP"}],
    }


async def test_two_services_get_two_addresses_and_keep_them(kube: Kube, ns: str) -> None:
    made = []
    for name in ("one", "two"):
        body: Object = {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}}
        made.append((await kube.post(path("services", ns), body)).expect(201)["spec"]["clusterIP"])
    assert made[0] != made[1]
    replaced = {"metadata": {"name": "one"}, "spec": {"ports": [{"port": 81}]}}
    assert (await kube.put(path("services", ns, "one"), replaced)).expect(200)["spec"]["clusterIP"] == made[0]


async def test_a_service_keeps_its_address_and_its_node_ports_when_a_write_names_none(kube: Kube, ns: str) -> None:
    ports = [{"name": "web", "port": 80}, {"name": "old", "port": 81}]
    body: Object = {"metadata": {"name": "s"}, "spec": {"type": "NodePort", "ports": ports}}
    before = (await kube.post(path("services", ns), body)).expect(201)["spec"]
    on_nodes = [port["nodePort"] for port in before["ports"]]
    assert len(set(on_nodes)) == 2
    assert min(on_nodes) >= 30000
    assert before["externalTrafficPolicy"] == "Cluster"
    body["spec"]["ports"] = [{"name": "new", "port": 82}, {"name": "web", "port": 8080}]
    after = (await kube.put(path("services", ns, "s"), body)).expect(200)["spec"]
    assert (after["clusterIP"], after["clusterIPs"]) == (before["clusterIP"], before["clusterIPs"])
    assert after["ports"][1]["nodePort"] == on_nodes[0], "by name"
    assert after["ports"][0]["nodePort"] not in on_nodes
    body["spec"] |= {"type": "ClusterIP"}
    inside = (await kube.put(path("services", ns, "s"), body)).expect(200)["spec"]
    assert inside["clusterIP"] == before["clusterIP"]
    assert [port.keys() & {"nodePort"} for port in inside["ports"]] == [set(), set()]
    body["spec"] |= {"type": "ExternalName", "externalName": "elsewhere.example"}
    outside = (await kube.put(path("services", ns, "s"), body)).expect(200)["spec"]
    assert outside.keys().isdisjoint({"clusterIP", "clusterIPs"})


async def test_a_service_that_nobody_outside_reaches_has_no_policy_for_them(kube: Kube, ns: str) -> None:
    policy = {"externalTrafficPolicy": "Cluster"}
    for inside in ({}, {"clusterIP": "None"}, {"type": "ExternalName", "externalName": "elsewhere.example"}):
        body: Object = {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}], **inside, **policy}}
        refused = (await kube.post(path("services", ns), body)).expect(422)
        assert "may only be set for externally-accessible services" in refused["message"]
    address: Object = {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}], "externalIPs": ["192.0.2.1"]}}
    made = (await kube.post(path("services", ns), address)).expect(201)["spec"]
    assert made["externalTrafficPolicy"] == "Cluster"
    left = (await kube.patch(path("services", ns, "s"), {"spec": {"externalIPs": None}})).expect(200)["spec"]
    assert "externalTrafficPolicy" not in left


async def test_what_only_the_former_type_of_a_service_has_goes_with_it(kube: Kube, ns: str) -> None:
    body: Object = {"metadata": {"name": "s"}, "spec": {"type": "NodePort", "ports": [{"port": 80}]}}
    (await kube.post(path("services", ns), body)).expect(201)
    inside = (await kube.patch(path("services", ns, "s"), {"spec": {"type": "ClusterIP"}})).expect(200)["spec"]
    assert inside.keys().isdisjoint({"externalTrafficPolicy"})
    assert "nodePort" not in inside["ports"][0]
    elsewhere = {"spec": {"type": "ExternalName", "externalName": "elsewhere.example"}}
    outside = (await kube.patch(path("services", ns, "s"), elsewhere)).expect(200)["spec"]
    assert outside.keys().isdisjoint({"clusterIP", "clusterIPs", "ipFamilies", "internalTrafficPolicy"})


async def test_a_service_counts_no_generations(kube: Kube, ns: str) -> None:
    body: Object = {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}}
    made = (await kube.post(path("services", ns), body)).expect(201)
    await kube.patch(path("services", ns, "s"), {"spec": {"ports": [{"port": 81}]}})
    found = (await kube.get(path("services", ns, "s"))).expect(200)
    assert [item["metadata"].get("generation", 0) for item in (made, found)] == [0, 0]


async def test_a_service_does_not_become_headless_and_a_headless_one_stays_so(kube: Kube, ns: str) -> None:
    body: Object = {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}}
    (await kube.post(path("services", ns), body)).expect(201)
    headless: Object = {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}], "clusterIP": "None"}}
    refused = (await kube.put(path("services", ns, "s"), headless)).expect(422)
    assert "may not change once set" in refused["message"]
    headless["metadata"] = {"name": "none"}
    (await kube.post(path("services", ns), headless)).expect(201)
    body["metadata"] = {"name": "none"}
    kept = (await kube.put(path("services", ns, "none"), body)).expect(200)["spec"]
    assert (kept["clusterIP"], kept["clusterIPs"]) == ("None", ["None"])


async def test_a_headless_service_has_no_address(kube: Kube, ns: str) -> None:
    body = {"metadata": {"name": "s"}, "spec": {"clusterIP": "None", "selector": {"app": "x"}}}
    spec = (await kube.post(path("services", ns), body)).expect(201)["spec"]
    assert (spec["clusterIP"], spec["clusterIPs"]) == ("None", ["None"])


async def test_plain_text_of_a_secret_is_stored_encoded(kube: Kube, ns: str) -> None:
    body = {"metadata": {"name": "s"}, "stringData": {"password": "open"}}
    created = (await kube.post(path("secrets", ns), body)).expect(201)
    assert created["data"] == {"password": base64.b64encode(b"open").decode()}
    assert created["type"] == "Opaque"
    assert "stringData" not in created


async def test_an_immutable_configmap_stays_as_it_is(kube: Kube, ns: str) -> None:
    await kube.post(path("configmaps", ns), configmap(a="1") | {"immutable": True})
    refused = (await kube.patch(path("configmaps", ns, "one"), {"data": {"a": "2"}})).expect(422)
    assert refused["details"]["causes"][0]["field"] == "data"
    (await kube.patch(path("configmaps", ns, "one"), {"metadata": {"labels": {"x": "y"}}})).expect(200)


async def test_a_namespace_is_labelled_with_its_name_and_active(kube: Kube, ns: str) -> None:
    found = (await kube.get(f"/api/v1/namespaces/{ns}")).expect(200)
    assert found["metadata"]["labels"] == {"kubernetes.io/metadata.name": ns}
    assert found["status"] == {"phase": "Active"}
    await kube.until(path("serviceaccounts", ns, "default"), bool)
    await kube.until(path("configmaps", ns, "kube-root-ca.crt"), bool)


async def test_an_autoscaler_reads_the_same_in_both_versions(kube: Kube, ns: str) -> None:
    spec = {"maxReplicas": 4, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"}}
    created = (await kube.post(path("horizontalpodautoscalers", ns), {"metadata": {"name": "h"}, "spec": spec})).expect(
        201
    )
    assert created["spec"]["minReplicas"] == 1
    assert created["spec"]["metrics"][0]["resource"]["target"] == {"type": "Utilization", "averageUtilization": 80}
    older = (await kube.get(path("horizontalpodautoscalers", ns, "h", group="autoscaling/v1"))).expect(200)
    assert older["spec"]["targetCPUUtilizationPercentage"] == 80
    assert "metrics" not in older["spec"]


async def test_an_event_reads_the_same_in_both_groups(kube: Kube, ns: str) -> None:
    about = {"kind": "Canary", "name": "podinfo", "namespace": ns}
    body = {
        "metadata": {"name": "e"},
        "involvedObject": about,
        "reason": "Synced",
        "message": "done",
        "type": "Normal",
        "source": {"component": "canarybus"},
        "count": 1,
        "firstTimestamp": "2024-01-01T00:00:00Z",
    }
    (await kube.post(path("events", ns), body)).expect(201)
    other = (await kube.get(path("events", ns, "e", group="events.k8s.io"))).expect(200)
    assert other["apiVersion"] == "events.k8s.io/v1"
    assert (other["note"], other["regarding"]) == ("done", about)
    assert other["deprecatedSource"] == {"component": "canarybus"}
    assert other["deprecatedCount"] == 1


async def test_an_event_about_another_namespace_is_refused(kube: Kube, ns: str) -> None:
    body = {"metadata": {"name": "e"}, "involvedObject": {"kind": "Canary", "name": "x", "namespace": "other"}}
    refused = (await kube.post(path("events", ns), body)).expect(422)
    assert refused["details"]["causes"][0]["field"] == "involvedObject.namespace"


async def test_a_snapshot_of_anything_can_be_kept_in_a_controllerrevision(kube: Kube, ns: str) -> None:
    data = {"template": deployment()["spec"]["template"], "anything": [1, {"two": None}]}
    body = {"metadata": {"name": "r"}, "revision": 1, "data": data}
    (await kube.post(path("controllerrevisions", ns), body)).expect(201)
    stored = (await kube.get(path("controllerrevisions", ns, "r"))).expect(200)
    assert stored["data"]["template"] == data["template"]
    changed = {"data": {"other": 1}}
    refused = await kube.patch(path("controllerrevisions", ns, "r"), changed)
    assert refused.expect(422)["details"]["causes"][0]["message"].endswith("field is immutable")


async def test_a_lease_can_be_taken_and_renewed(kube: Kube, ns: str) -> None:
    body = {"metadata": {"name": "l"}, "spec": {"holderIdentity": "me", "renewTime": "2024-01-01T00:00:00.000000Z"}}
    created = (await kube.post(path("leases", ns), body)).expect(201)
    created["spec"]["holderIdentity"] = "you"
    assert (await kube.put(path("leases", ns, "l"), created)).expect(200)["spec"]["holderIdentity"] == "you"


async def test_a_pods_image_may_change_and_nothing_else(kube: Kube, ns: str) -> None:
    body = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i:1"}], "nodeName": "elsewhere"}}
    await kube.post(path("pods", ns), body)
    await kube.until(path("serviceaccounts", ns, "default"), bool)
    where, media = path("pods", ns, "p"), "application/strategic-merge-patch+json"
    (await kube.patch(where, {"spec": {"containers": [{"name": "c", "image": "i:2"}]}}, media)).expect(200)
    refused = await kube.patch(where, {"spec": {"containers": [{"name": "c", "command": ["x"]}]}}, media)
    assert "pod updates may not change fields other than" in refused.expect(422)["message"]
    await kube.delete(where, {"gracePeriodSeconds": 0})


async def test_a_pod_is_bound_to_a_node_once(kube: Kube, ns: str) -> None:
    body = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i:1"}], "nodeName": "elsewhere"}}
    await kube.until(path("serviceaccounts", ns, "default"), bool)
    await kube.post(path("pods", ns), body)
    binding = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": "p"},
        "target": {"kind": "Node", "name": "other"},
    }
    refused = (await kube.post(path("pods", ns, "p", "binding"), binding)).expect(409)
    assert 'pod p is already assigned to node "elsewhere"' in refused["message"]
    await kube.delete(path("pods", ns, "p"), {"gracePeriodSeconds": 0})
