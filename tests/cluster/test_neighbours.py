"""Services, upstreams and the RouteTable on a real control plane: what was there before, and what others add."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.resources import CANARY, ROUTE_TABLE, SERVICE, UPSTREAM
from tests.cluster.world import NEW, World

pytestmark = [pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module")]


async def test_a_service_that_was_there_keeps_its_address_kind_and_node_port(world: World) -> None:
    ports = [{"name": "web", "port": 9898, "targetPort": 9898}]
    body: dict[str, Any] = {
        "metadata": {"name": "podinfo", "namespace": world.namespace, "labels": {"team": "a"}},
        "spec": {"type": "NodePort", "selector": {"app": "podinfo"}, "ports": ports},
    }
    before = await world.kube.create(SERVICE, body)
    await world.install_podinfo()
    await world.until("Initialized")
    after = await world.kube.get(SERVICE, world.namespace, "podinfo")
    for field in ("clusterIP", "type"):
        assert after["spec"][field] == before["spec"][field]
    assert after["spec"]["selector"] == {"app": "podinfo-primary"}
    (was,), (port,) = before["spec"]["ports"], after["spec"]["ports"]
    assert (port["name"], port["nodePort"]) == ("http", was["nodePort"])
    assert after["metadata"]["labels"] == {"team": "a"}
    assert after["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/reconcile"] == "disabled"


async def test_what_others_add_survives_and_what_was_copied_follows(world: World) -> None:
    kube, namespace = world.kube, world.namespace
    await world.install_podinfo()
    await world.until("Initialized")
    settings = {"connectionConfig": {"connectTimeout": "1s", "tcpKeepalive": {"keepaliveProbes": 3}}}
    spec = {"kube": {"serviceName": "theirs", "serviceNamespace": namespace, "servicePort": 80}, **settings}
    await kube.create(UPSTREAM, {"metadata": {"name": "theirs", "namespace": namespace}, "spec": spec})
    ref = {"apiVersion": "gloo.solo.io/v1", "kind": "Upstream", "name": "theirs"}
    service = {"apex": {"labels": {"team": "a"}}}
    await kube.patch(CANARY, namespace, "podinfo", {"spec": {"upstreamRef": ref, "service": service}})
    primary = f"{namespace}-podinfo-primaryupstream-9898"
    await world.sees(
        UPSTREAM, primary, lambda item: item["spec"].get("connectionConfig") == settings["connectionConfig"]
    )
    await world.sees(ROUTE_TABLE, "podinfo", lambda item: item["metadata"].get("labels") == {"team": "a"})

    await kube.patch(UPSTREAM, namespace, "theirs", {"spec": {"connectionConfig": {"tcpKeepalive": None}}})
    await world.sees(UPSTREAM, primary, lambda item: item["spec"].get("connectionConfig") == {"connectTimeout": "1s"})

    table = await kube.get(ROUTE_TABLE, namespace, "podinfo")
    table["spec"]["routes"][0] |= {"name": "mine", "options": {"timeout": "5s"}}
    added = {"metadata": {"labels": {"theirs": "kept"}}, "spec": {"weight": 7, "routes": table["spec"]["routes"]}}
    await kube.patch(ROUTE_TABLE, namespace, "podinfo", added)
    await world.set_image(NEW)
    await world.until("Progressing", "Succeeded")
    table = await kube.get(ROUTE_TABLE, namespace, "podinfo")
    (route,) = table["spec"]["routes"]
    assert (route["name"], route["options"], table["spec"]["weight"]) == ("mine", {"timeout": "5s"}, 7)
    assert table["metadata"]["labels"] == {"team": "a", "theirs": "kept"}
    assert world.gloo.weights == [0, 25, 50, 0]
    assert await world.dead_letters() == []
