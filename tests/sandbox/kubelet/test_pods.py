"""What a kubelet does with pods, seen through the API and on the pods' ports."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import orjson

from deploy.sandbox.metrics import TARGETS
from handlers.adapters.kube import Object
from schemas.resources import CONFIG_MAP, DEPLOYMENT, NODE, POD, SECRET
from tests.sandbox.kubelet.conftest import (
    House,
    ask,
    condition,
    container_status,
    is_ready,
    until_refused,
    url,
    waits_for,
)
from tests.sandbox.processes import program


def with_environment(**variables: str) -> dict[str, Any]:
    return {"env": [{"name": name, "value": value} for name, value in variables.items()]}


async def test_a_pod_is_run_on_the_loopback_twin_of_its_address(house: House) -> None:
    async with house.kubelet():
        pod = await house.started(house.pod())
        assert pod["status"]["phase"] == "Running"
        assert pod["status"]["podIP"].startswith(f"10.{house.network}.")
        assert {condition(pod, kind) for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")} == {
            "True"
        }
        assert (await ask(pod)).version == "6.0.1"


async def test_the_pods_of_a_deployment_are_bound_and_the_rollout_completes(house: House) -> None:
    template = house.pod()["spec"] | {"nodeName": None}
    labels = {"app": "podinfo"}
    deployment = {
        "metadata": {"name": "podinfo", "namespace": house.namespace},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": template},
        },
    }
    async with house.kubelet():
        await house.kube.create(DEPLOYMENT, deployment)
        await house.until("podinfo", lambda found: found.get("status", {}).get("availableReplicas") == 2, DEPLOYMENT)
        pods, _ = await house.kube.list(POD, house.namespace, labels="app=podinfo")
        assert {pod["spec"]["nodeName"] for pod in pods} == {house.node}
        assert len({pod["status"]["podIP"] for pod in pods}) == 2
        await house.kube.patch(DEPLOYMENT, house.namespace, "podinfo", {"spec": {"replicas": 0}})
        for pod in pods:
            await house.gone(pod["metadata"]["name"])


async def test_the_node_is_ready_and_without_taints(house: House) -> None:
    async with house.kubelet():
        node = await house.kube.get(NODE, "", house.node)
        assert condition(node, "Ready") == "True"
        assert not node["spec"].get("taints")
        assert int(node["status"]["capacity"]["pods"]) > 0


async def test_an_image_without_a_program_is_reported_as_one_that_cannot_be_pulled(house: House) -> None:
    async with house.kubelet(backoff=0.2):
        await house.kube.create(POD, house.pod(image="stefanprodan/podinfo:does-not-exist"))
        pod = await house.until("podinfo", lambda found: waits_for(found) == "ErrImagePull")
        assert "does-not-exist" in container_status(pod)["state"]["waiting"]["message"]
        assert (pod["status"]["phase"], condition(pod, "Ready")) == ("Pending", "False")
        await house.until("podinfo", lambda found: waits_for(found) == "ImagePullBackOff")
        await house.kube.delete(POD, house.namespace, "podinfo")
        await house.gone("podinfo")


async def test_a_crashing_container_is_restarted_with_a_pause_that_grows(house: House) -> None:
    async with house.kubelet(backoff=0.3):
        await house.kube.create(POD, house.pod(container=with_environment(FAULT_CRASH="0")))
        pod = await house.until("podinfo", lambda found: waits_for(found) == "CrashLoopBackOff")
        assert container_status(pod)["restartCount"] == 1
        assert container_status(pod)["lastState"]["terminated"]["exitCode"] == 1
        assert "back-off 0.3s" in container_status(pod)["state"]["waiting"]["message"]
        pod = await house.until("podinfo", lambda found: container_status(found).get("restartCount", 0) >= 2)
        await house.until("podinfo", lambda found: "back-off 0.6s" in json.dumps(container_status(found)))


async def test_a_pod_that_is_not_to_be_restarted_fails(house: House) -> None:
    async with house.kubelet():
        await house.kube.create(POD, house.pod(container=with_environment(FAULT_CRASH="0"), restartPolicy="Never"))
        pod = await house.until("podinfo", lambda found: found["status"].get("phase") == "Failed")
        assert container_status(pod)["state"]["terminated"]["exitCode"] == 1


async def test_readiness_follows_the_probe_in_both_directions(house: House) -> None:
    async with house.kubelet():
        pod = await house.started(house.pod())
        await ask(pod, "/readyz/disable", "POST")
        pod = await house.until("podinfo", lambda found: not is_ready(found))
        assert container_status(pod)["restartCount"] == 0
        assert pod["status"]["phase"] == "Running"
        await ask(pod, "/readyz/enable", "POST")
        await house.until("podinfo", is_ready)


async def test_a_failing_liveness_probe_restarts_the_container(house: House) -> None:
    probe = {"httpGet": {"path": "/status/500", "port": 9898}, "periodSeconds": 1, "failureThreshold": 1}
    up = {"tcpSocket": {"port": 9898}, "periodSeconds": 1, "failureThreshold": 100}  # it ends as one that was asked to
    async with house.kubelet():
        await house.kube.create(POD, house.pod(container={"livenessProbe": probe, "startupProbe": up}))
        pod = await house.until("podinfo", lambda found: container_status(found).get("restartCount", 0) >= 1)
        assert container_status(pod)["lastState"]["terminated"]["exitCode"] == 0, "it was asked to end, and did"


async def test_a_deleted_pod_leaves_in_order(house: House) -> None:
    async with house.kubelet():
        pod = await house.started(house.pod(container=with_environment(DRAIN_SECONDS="3")))
        await house.kube.delete(POD, house.namespace, "podinfo")
        left = await house.until("podinfo", lambda found: not is_ready(found))
        assert left["metadata"]["deletionTimestamp"]
        assert (await ask(pod)).status == 200, "it serves those who do not know yet"
        await house.gone("podinfo")
        assert (await ask(pod)).cause == "refused"


async def test_a_process_that_does_not_end_is_killed_after_the_grace_period(house: House) -> None:
    stubborn = house.pod(container=with_environment(DRAIN_SECONDS="1000"), terminationGracePeriodSeconds=1)
    async with house.kubelet():
        pod = await house.started(stubborn)
        await house.kube.delete(POD, house.namespace, "podinfo")
        await house.gone("podinfo")
        assert (await ask(pod)).cause == "refused"


async def test_a_pod_that_is_deleted_by_force_leaves_no_process(house: House) -> None:
    async with house.kubelet():
        pod = await house.started(house.pod(container=with_environment(DRAIN_SECONDS="1000")))
        await house.kube.delete(POD, house.namespace, "podinfo", grace_seconds=0)
        await until_refused(pod)


async def test_a_prestop_hook_runs_before_the_process_is_asked_to_end(house: House, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    ready = f"exec 3<>/dev/tcp/$POD_IP/9898; printf 'GET /readyz HTTP/1.0\\r\\n\\r\\n' >&3; head -1 <&3 > {seen}"
    hook = {"preStop": {"exec": {"command": ["bash", "-c", ready]}}}
    async with house.kubelet():
        await house.started(house.pod(container={"lifecycle": hook}))
        await house.kube.delete(POD, house.namespace, "podinfo")
        await house.gone("podinfo")
    assert seen.read_text().startswith("HTTP/1.1 200"), "not yet unready by SIGTERM"


async def test_a_container_waits_for_its_configuration_and_then_has_it(house: House) -> None:
    container = {
        "env": [
            {"name": "PODINFO_UI_COLOR", "valueFrom": {"configMapKeyRef": {"name": "colors", "key": "color"}}},
            {"name": "PODINFO_UI_MESSAGE", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "message"}}},
        ]
    }
    async with house.kubelet():
        await house.kube.create(POD, house.pod(container=container))
        pod = await house.until("podinfo", lambda found: waits_for(found) == "CreateContainerConfigError")
        assert container_status(pod)["state"]["waiting"]["message"] == 'configmap "colors" not found'
        metadata = {"namespace": house.namespace}
        await house.kube.create(CONFIG_MAP, {"metadata": metadata | {"name": "colors"}, "data": {"color": "red"}})
        await house.kube.create(SECRET, {"metadata": metadata | {"name": "keys"}, "stringData": {"message": "hi"}})
        pod = await house.until("podinfo", is_ready)
        assert {"color": "red", "message": "hi"}.items() <= (await index(pod)).items()


async def test_a_command_of_the_load_tester_finds_the_proxy_of_its_namespace(house: House) -> None:
    tester = {"image": "fluxcd/flagger-loadtester:0.36.0", "command": ["./loadtester", "-port=8080"]}
    probes = {"ports": [{"containerPort": 8080}], "readinessProbe": None}
    task = {"type": "bash", "cmd": "echo $http_proxy $POD_NAMESPACE", "returnCmdOutput": "true"}
    async with house.kubelet(proxy="127.0.0.1:3128"):
        pod = await house.started(house.pod(container=tester | probes))
        body = json.dumps({"name": "podinfo", "namespace": house.namespace, "metadata": task}).encode()
        reader, writer = await asyncio.open_connection(url(pod)[7:].partition(":")[0], 8080)
        writer.write(b"POST / HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        answer = (await reader.read()).decode()
        writer.close()
    assert answer.endswith(f"http://{house.namespace}:@127.0.0.1:3128 {house.namespace}\n")


async def test_prometheus_is_told_which_pods_there_are(house: House) -> None:
    async with house.kubelet():
        pod = await house.started(house.pod())
        (group,) = orjson.loads((house.state / TARGETS).read_bytes())
        assert group["targets"] == [f"{pod['status']['podIP']}:9898"]
        assert group["labels"]["__meta_kubernetes_pod_name"] == "podinfo"
        await house.kube.delete(POD, house.namespace, "podinfo")
        await house.gone("podinfo")
    assert orjson.loads((house.state / TARGETS).read_bytes()) == []


async def test_a_kubelet_that_leaves_ends_its_processes_and_its_successor_starts_them_again(house: House) -> None:
    async with house.kubelet():
        before = await house.started(house.pod())
    assert (await ask(before)).cause == "refused"
    async with house.kubelet():
        after = await house.until("podinfo", lambda found: container_status(found)["restartCount"] == 1)
        await house.until("podinfo", is_ready)
        assert after["status"]["podIP"] == before["status"]["podIP"]
        assert (await ask(after)).status == 200


async def test_a_pod_deleted_while_the_kubelet_was_away_is_finished_by_its_successor(house: House) -> None:
    async with house.kubelet():
        await house.started(house.pod())
    await house.kube.delete(POD, house.namespace, "podinfo")
    async with house.kubelet():
        await house.gone("podinfo")


async def test_no_pod_outlives_a_kubelet_that_is_killed(house: House) -> None:
    arguments = ("--node", house.node, "--state", str(house.state), "--network", str(house.network))
    environment = {"KUBECONFIG": str(house.kubeconfig)}
    async with program("-m", "deploy.sandbox.kubelet", *arguments, environment=environment) as kubelet:
        await kubelet.says("kubelet is ready")
        pod = await house.started(house.pod(container=with_environment(DRAIN_SECONDS="1000")))
        kubelet.process.kill()
        await kubelet.ends()
        await until_refused(pod)


async def test_a_kubelet_that_is_asked_to_leave_ends_at_once_with_its_pods(house: House) -> None:
    arguments = ("--node", house.node, "--state", str(house.state), "--network", str(house.network))
    environment = {"KUBECONFIG": str(house.kubeconfig)}
    async with program("-m", "deploy.sandbox.kubelet", *arguments, environment=environment) as kubelet:
        await kubelet.says("kubelet is ready")
        pod = await house.started(house.pod(container=with_environment(DRAIN_SECONDS="1000")))
        kubelet.process.send_signal(signal.SIGTERM)
        assert await kubelet.ends() == 0
        assert (await ask(pod)).cause == "refused"


async def index(pod: Object) -> dict[str, Any]:
    reader, writer = await asyncio.open_connection(url(pod)[7:].partition(":")[0], 9898)
    writer.write(b"GET / HTTP/1.0\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return dict(json.loads(answer.partition(b"\r\n\r\n")[2]))
