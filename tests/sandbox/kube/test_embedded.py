"""What only the embedded API can do, for the sake of tests: fail on purpose, count, and wait for a kubelet."""

from __future__ import annotations

import asyncio
import sys
import time
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.sandbox.kube import EmbeddedKubernetes
from tests.contract.client import Kube, path
from tests.contract.conftest import configmap, deployment, serve, widget_definition
from tests.contract.rollouts import complete
from tests.patience import PATIENCE

HOME = "default"


@pytest.fixture
async def api() -> AsyncIterator[EmbeddedKubernetes]:
    async with EmbeddedKubernetes() as api:
        yield api


@pytest.fixture
async def kube(api: EmbeddedKubernetes) -> AsyncIterator[Kube]:
    kube = Kube(api.url, None, agent="canarybus-handlers/0.1")
    yield kube
    await kube.close()


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (409, "Conflict"),
        (410, "Expired"),
        (429, "TooManyRequests"),
        (500, "InternalError"),
        (503, "ServiceUnavailable"),
    ],
)
async def test_the_next_requests_are_refused_as_asked_and_then_no_more(
    api: EmbeddedKubernetes, kube: Kube, kind: int, reason: str
) -> None:
    await kube.post(path("configmaps", HOME), configmap())
    api.faults.add(kind, verb="patch", resource="configmaps", name="one", agent="canarybus", times=2)
    where = path("configmaps", HOME, "one")
    for _ in range(2):
        assert (await kube.patch(where, {"data": {"a": "1"}})).expect(kind)["reason"] == reason
    assert (await kube.get(where)).code == 200
    assert (await kube.patch(where, {"data": {"a": "1"}})).code == 200


async def test_a_throttled_request_is_told_when_to_come_back(api: EmbeddedKubernetes, kube: Kube) -> None:
    api.faults.add(429, seconds=3)
    refused = await kube.get(path("configmaps", HOME))
    assert refused.headers["Retry-After"] == "3"
    assert refused.body["details"]["retryAfterSeconds"] == 3


async def test_a_fault_meets_only_what_it_names(api: EmbeddedKubernetes, kube: Kube) -> None:
    api.faults.add(500, verb="get", resource="secrets", times=-1)
    api.faults.add(500, agent="somebody-else", times=-1)
    assert (await kube.get(path("configmaps", HOME))).code == 200
    assert (await kube.get(path("secrets", HOME))).code == 200
    assert (await kube.get(path("secrets", HOME, "x"))).code == 500
    api.faults.clear()
    assert (await kube.get(path("secrets", HOME, "x"))).code == 404


async def test_an_unknown_fault_is_a_mistake_of_the_test(api: EmbeddedKubernetes) -> None:
    with pytest.raises(ValueError, match="unknown fault 418"):
        api.faults.add(418)


async def test_answers_come_late_when_asked_to(api: EmbeddedKubernetes, kube: Kube) -> None:
    api.faults.add("latency", verb="get", seconds=0.2)
    begun = time.monotonic()
    await kube.get(path("configmaps", HOME, "x"))
    assert time.monotonic() - begun >= 0.2
    api.faults.add("timeout", verb="get", seconds=0.1)
    assert (await kube.get(path("configmaps", HOME, "x"))).expect(504)["reason"] == "Timeout"


async def test_a_stale_read_shows_an_older_version(api: EmbeddedKubernetes, kube: Kube) -> None:
    where = path("configmaps", HOME, "one")
    await kube.post(path("configmaps", HOME), configmap(a="1"))
    for value in ("2", "3"):
        await kube.patch(where, {"data": {"a": value}})
    api.faults.add("stale", verb="get", name="one", versions=2)
    assert (await kube.get(where)).body["data"] == {"a": "1"}
    assert (await kube.get(where)).body["data"] == {"a": "3"}


async def test_all_watches_can_be_dropped(api: EmbeddedKubernetes, kube: Kube) -> None:
    listed = await kube.get(path("configmaps", HOME), labelSelector="w=1")
    async with kube.watch(path("configmaps", HOME), resourceVersion=listed.rv, labelSelector="w=1") as events:
        api.faults.drop_watches()
        assert await events.rest() == []


async def test_a_forgotten_past_is_410_for_a_watch_and_for_a_page(api: EmbeddedKubernetes, kube: Kube) -> None:
    for name in ("a", "b", "c"):
        await kube.post(path("configmaps", HOME), configmap(name, {"w": "1"}))
    page = await kube.get(path("configmaps", HOME), limit=1, labelSelector="w=1")
    await kube.patch(path("configmaps", HOME, "a"), {"data": {"x": "1"}})
    api.faults.compact()
    async with kube.watch(path("configmaps", HOME), resourceVersion=page.rv) as events:
        assert (await events.next())["object"]["code"] == 410
    token = {"continue": page.body["metadata"]["continue"]}
    assert (await kube.get(path("configmaps", HOME), limit=1, **token)).expect(410)["reason"] == "Expired"


async def test_requests_are_counted_by_agent_verb_and_resource(api: EmbeddedKubernetes, kube: Kube) -> None:
    await kube.get(path("configmaps", HOME))
    await kube.get(path("configmaps", HOME), agent="other/1.0")
    await kube.post(path("configmaps", HOME), configmap())
    assert api.faults.counted() == 3
    assert api.faults.counted(agent="canarybus") == 2
    assert api.faults.counted(verb="list", resource="configmaps") == 2
    assert api.faults.requests["canarybus-handlers/0.1", "create", "configmaps"] == 1


async def test_faults_can_be_set_over_http(kube: Kube) -> None:
    (await kube.post("/faults", {"kind": "500", "verb": "list", "times": 1})).expect(200)
    assert (await kube.get(path("configmaps", HOME))).code == 500
    found = (await kube.get("/faults")).expect(200)
    assert found["pending"] == []
    assert found["requests"] == [
        {"agent": "canarybus-handlers/0.1", "verb": "list", "resource": "configmaps", "count": 1}
    ]
    assert (await kube.post("/faults", {"kind": "418"})).code == 400
    assert (await kube.delete("/faults")).expect(200)["requests"] == []


async def test_a_watch_may_ask_where_the_beginning_ends(kube: Kube) -> None:
    await kube.post(path("configmaps", HOME), configmap("x", {"w": "1"}))
    query = {"labelSelector": "w=1", "sendInitialEvents": "true", "allowWatchBookmarks": "true"}
    async with kube.watch(path("configmaps", HOME), **query) as events:
        assert await events.named() == ("ADDED", "x")
        bookmark = await events.next()
    assert bookmark["type"] == "BOOKMARK"
    assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_in_process_mode_pods_wait_for_a_kubelet_that_binds_runs_and_lets_go() -> None:
    async with EmbeddedKubernetes(pods="process") as api:
        kube = Kube(api.url, None)
        await kube.post("/api/v1/nodes", {"metadata": {"name": "sandbox"}})
        async with kube.watch(path("pods", HOME)) as events:
            await kube.post(path("deployments", HOME), deployment(replicas=1))
            pod = (await events.next())["object"]
            assert pod["status"]["phase"] == "Pending"
            assert "nodeName" not in pod["spec"]
            where = path("pods", HOME, pod["metadata"]["name"])
            target = {"metadata": {"name": pod["metadata"]["name"]}, "target": {"kind": "Node", "name": "sandbox"}}
            (await kube.post(f"{where}/binding", target)).expect(201)
            ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2024-01-01T00:00:00Z"}
            status = {"phase": "Running", "podIP": "127.0.0.9", "conditions": [ready]}
            (await kube.patch(f"{where}/status", {"status": status}, "application/strategic-merge-patch+json")).expect(
                200
            )
            await kube.until(path("deployments", HOME, "podinfo"), complete)
            marked = (await kube.delete(where, {"gracePeriodSeconds": 7})).expect(200)
            assert marked["metadata"]["deletionGracePeriodSeconds"] == 7
            assert (await kube.get(where)).code == 200
            (await kube.delete(where, {"gracePeriodSeconds": 0})).expect(200)
            assert (await kube.get(where)).code == 404
        await kube.close()


async def test_an_unbound_pod_goes_at_once() -> None:
    async with EmbeddedKubernetes(pods="process") as api:
        kube = Kube(api.url, None)
        await kube.post(
            path("pods", HOME), {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
        )
        (await kube.delete(path("pods", HOME, "p"))).expect(200)
        assert (await kube.get(path("pods", HOME, "p"))).code == 404
        await kube.close()


async def test_the_command_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    config = tmp_path / "kubeconfig"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "deploy.sandbox.kube", "--port", "0", "--kubeconfig", str(config), "--pods", "instant",
        stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        line = (await process.stdout.readline()).decode()
        kube = Kube(line.split()[2].rstrip(","), None)
        assert (await kube.get("/readyz")).body == "ok"
        assert config.read_text().startswith("apiVersion: v1")
        await kube.close()
        process.terminate()
        await process.communicate()  # asyncio keeps a pipe that was not read to its end
        assert process.returncode == 0


async def test_a_restarted_server_goes_on_where_it_stopped(tmp_path: Path) -> None:
    state, where = tmp_path / "state", path("deployments", HOME, "podinfo")
    async with EmbeddedKubernetes(state=state) as api:
        kube = Kube(api.url, None)
        crd = widget_definition("restart.example.com", schema={"openAPIV3Schema": {"type": "object"}})
        widgets = await serve(kube, HOME, crd)
        await kube.post(widgets.path(), widgets.obj())
        await kube.post(path("services", HOME), {"metadata": {"name": "one"}, "spec": {"ports": [{"port": 80}]}})
        await kube.post(path("deployments", HOME), deployment(replicas=1))
        before = await kube.until(where, complete)
        old = (await kube.get(path("services", HOME, "one"))).body
        await kube.close()
    async with EmbeddedKubernetes(state=state) as api:
        kube = Kube(api.url, None)
        assert (await kube.get(where)).body == before
        assert (await kube.get(widgets.path("w"))).code == 200
        async with kube.watch(path("deployments", HOME), resourceVersion=str(api.cluster.store.version)) as events:
            await kube.patch(where, {"spec": {"replicas": 3}})
            assert await events.named() == ("MODIFIED", "podinfo")
        await kube.until(where, lambda obj: complete(obj) and obj["status"]["replicas"] == 3)
        pods = (await kube.get(path("pods", HOME))).body["items"]
        assert len({pod["status"]["podIP"] for pod in pods}) == 3
        new = await kube.post(path("services", HOME), {"metadata": {"name": "two"}, "spec": {"ports": [{"port": 80}]}})
        assert new.expect(201)["spec"]["clusterIP"] != old["spec"]["clusterIP"]
        await kube.close()


async def test_ten_thousand_objects_stay_below_100_mb(api: EmbeddedKubernetes) -> None:
    """A Deployment of 3.6 kB each; the store alone, without HTTP."""
    store = api.cluster.store
    body = deployment()
    body["metadata"] |= {"uid": "u", "annotations": {"filler": "x" * 3000}}
    tracemalloc.start()
    for number in range(10_000):
        body["metadata"] |= {"name": f"d{number}", "uid": f"u{number}"}
        store.put("statefulsets.apps", (HOME, f"d{number}"), body)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert store.count("statefulsets.apps") == 10_000
    assert used < 100e6
