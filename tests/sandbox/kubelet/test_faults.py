"""The kubelet and an API server that fails: always the embedded one, which can be told to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.sandbox.kube import EmbeddedKubernetes
from schemas.resources import POD
from tests.sandbox.kubelet.conftest import House, ask, container_status, house_on, is_ready, until_refused


@pytest.fixture
async def broken(embedded: EmbeddedKubernetes, tmp_path: Path) -> AsyncIterator[House]:
    async with house_on(embedded.kubeconfig, tmp_path) as made:
        yield made


async def test_a_binding_that_fails_is_made_again(embedded: EmbeddedKubernetes, broken: House) -> None:
    embedded.faults.add(500, verb="create", resource="pods", name="podinfo", times=2)
    pod = broken.pod()
    del pod["spec"]["nodeName"]
    async with broken.kubelet():
        ready = await broken.started(pod)
    assert embedded.faults.pending == [], "the faults were met"
    assert ready["spec"]["nodeName"] == broken.node


async def test_a_status_that_could_not_be_written_is_written_later(embedded: EmbeddedKubernetes, broken: House) -> None:
    embedded.faults.add(503, verb="patch", resource="pods", times=2)
    async with broken.kubelet():
        await broken.started(broken.pod())
    assert embedded.faults.pending == []


async def test_a_pod_that_could_not_be_removed_is_removed_later(embedded: EmbeddedKubernetes, broken: House) -> None:
    async with broken.kubelet():
        await broken.started(broken.pod())
        await broken.kube.delete(POD, broken.namespace, "podinfo")
        embedded.faults.add(500, verb="delete", resource="pods", times=2)
        await broken.gone("podinfo")
    assert embedded.faults.pending == []


async def test_a_node_that_could_not_be_registered_is_registered_later(
    embedded: EmbeddedKubernetes, broken: House
) -> None:
    embedded.faults.add(503, verb="create", resource="nodes", times=2)
    async with broken.kubelet():
        await broken.started(broken.pod())
    assert embedded.faults.pending == []


async def test_a_broken_watch_and_a_forgotten_history_lose_no_pod(embedded: EmbeddedKubernetes, broken: House) -> None:
    async with broken.kubelet():
        await broken.started(broken.pod("first"))
        embedded.faults.compact()
        embedded.faults.drop_watches()
        second = await broken.started(broken.pod("second"))
        assert (await ask(second)).status == 200
        first = await broken.kube.get(POD, broken.namespace, "first")
        assert is_ready(first)
        assert container_status(first)["restartCount"] == 0


async def test_a_pod_that_vanished_while_the_watch_was_broken_leaves_no_process(
    embedded: EmbeddedKubernetes, broken: House
) -> None:
    async with broken.kubelet():
        pod = await broken.started(broken.pod())
        embedded.faults.add(503, verb="watch", resource="pods")
        embedded.faults.drop_watches()
        await broken.kube.delete(POD, broken.namespace, "podinfo", grace_seconds=0)
        await until_refused(pod)
    assert embedded.faults.pending == [], "so it was the list that told"


async def test_an_idle_kubelet_asks_the_api_server_nothing(embedded: EmbeddedKubernetes, broken: House) -> None:
    async with broken.kubelet():
        pod = await broken.started(broken.pod())
        before = embedded.faults.counted("kubelet")
        for _ in range(3):
            await ask(pod, "/delay/0.5")
        assert embedded.faults.counted("kubelet") == before
