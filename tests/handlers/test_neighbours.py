"""Services, upstreams and the RouteTable on the Kubernetes API: what is kept in step, and what is left alone."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.events import ChangeReason
from schemas.resources import CANARY, DEPLOYMENT, ROUTE_TABLE, SERVICE, UPSTREAM
from schemas.status import Phase
from tests.handlers.house import NAMESPACE, House

PRIMARY = "default-podinfo-primaryupstream-9898"
SETTINGS: dict[str, Any] = {
    "connectionConfig": {"connectTimeout": "1s", "tcpKeepalive": {"keepaliveProbes": 3, "keepaliveTime": "9s"}},
    "loadBalancerConfig": {"ringHash": {"ringHashConfig": {"minimumRingSize": 8}}},
}


async def with_source(house: House, **ref: str) -> None:
    await house.definitions()
    spec = {"kube": {"serviceName": "theirs", "serviceNamespace": NAMESPACE, "servicePort": 80}, **SETTINGS}
    await house.admin.create(UPSTREAM, {"metadata": {"name": "theirs", "namespace": NAMESPACE}, "spec": spec})
    named = {"apiVersion": "gloo.solo.io/v1", "kind": "Upstream", "name": "theirs", **ref}
    await house.prepare(upstreamRef=named)
    await house.initialized()


def written(house: House) -> list[str]:
    return [call for call in house.kube.made if call.startswith("PATCH") and "/canaries/" not in call]


async def settings(house: House, name: str = PRIMARY) -> dict[str, Any]:
    spec = dict((await house.object(UPSTREAM, name))["spec"])
    return {key: value for key, value in spec.items() if key != "kube"}


# ---- upstreams


@pytest.mark.parametrize("namespace", ["", NAMESPACE], ids=["the Canary's own namespace", "named"])
async def test_the_settings_of_upstream_ref_are_followed_removal_included(house: House, namespace: str) -> None:
    await with_source(house, **({"namespace": namespace} if namespace else {}))
    assert await settings(house) == SETTINGS
    await house.admin.patch(UPSTREAM, NAMESPACE, PRIMARY, {"spec": {"healthChecks": [{"timeout": "1s"}]}})
    edit = {"connectionConfig": {"tcpKeepalive": {"keepaliveTime": None}}, "loadBalancerConfig": None}
    await house.admin.patch(UPSTREAM, NAMESPACE, "theirs", {"spec": edit})
    await house.change(ChangeReason.DRIFT)
    for name in (PRIMARY, "default-podinfo-canaryupstream-9898"):
        theirs = {"healthChecks": [{"timeout": "1s"}]} if name == PRIMARY else {}
        ours = {"connectionConfig": {"connectTimeout": "1s", "tcpKeepalive": {"keepaliveProbes": 3}}}
        assert await settings(house, name) == ours | theirs
    house.kube.reset()
    await house.change(ChangeReason.RESYNC)
    assert written(house) == [], "what is in step is not written"


async def test_without_upstream_ref_what_it_copied_is_taken_back(house: House) -> None:
    await with_source(house)
    await house.admin.patch(UPSTREAM, NAMESPACE, PRIMARY, {"spec": {"useHttp2": True}})
    await house.admin.patch(CANARY, NAMESPACE, "podinfo", {"spec": {"upstreamRef": None}})
    await house.change(ChangeReason.SPEC)
    assert await settings(house) == {"useHttp2": True}


async def test_an_upstream_whose_source_is_gone_is_made_again_when_somebody_deletes_it(house: House) -> None:
    await with_source(house)
    await house.admin.delete(UPSTREAM, NAMESPACE, "theirs")
    await house.change(ChangeReason.DRIFT)
    assert await settings(house) == SETTINGS
    await house.admin.delete(UPSTREAM, NAMESPACE, PRIMARY)
    await house.change(ChangeReason.DRIFT)
    found = await house.object(UPSTREAM, PRIMARY)
    assert found["spec"]["kube"]["serviceName"] == "podinfo-primary"


# ---- the RouteTable


async def test_nothing_that_users_add_to_the_route_table_resets_its_weights_or_gets_lost(house: House) -> None:
    await house.prepare()
    await house.initialized()
    await house.push("podinfo:2")
    await house.tick()
    assert await house.weight() == 25
    table = await house.object(ROUTE_TABLE, "podinfo")
    table["spec"]["routes"][0] |= {"name": "mine", "options": {"timeout": "5s"}}
    body = {
        "metadata": {"labels": {"team": "a"}, "annotations": {"argocd.argoproj.io/sync-wave": "1"}},
        "spec": {"weight": 7, "routes": table["spec"]["routes"]},
    }
    await house.admin.patch(ROUTE_TABLE, NAMESPACE, "podinfo", body)
    weights = [await house.weight()]
    while (await house.status()).phase is not Phase.SUCCEEDED:
        await house.tick()
        weights.append(await house.weight())
    assert [weight for weight, before in zip(weights[1:], weights, strict=False) if weight != before] == [50, 0]
    table = await house.object(ROUTE_TABLE, "podinfo")
    (route,) = table["spec"]["routes"]
    assert (route["name"], route["options"], table["spec"]["weight"]) == ("mine", {"timeout": "5s"}, 7)
    assert table["metadata"]["labels"] == {"team": "a"}
    assert table["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"] == "1"


async def test_the_apexs_metadata_is_followed_on_the_route_table_and_leaves_its_verdict_alone(house: House) -> None:
    await house.prepare(service={"port": 9898, "apex": {"labels": {"team": "a", "tier": "web"}}})
    await house.initialized()
    await house.admin.patch(ROUTE_TABLE, NAMESPACE, "podinfo", {"metadata": {"labels": {"theirs": "kept"}}})
    apex = {"labels": {"team": "b", "tier": None}}
    await house.admin.patch(CANARY, NAMESPACE, "podinfo", {"spec": {"service": {"apex": apex}}})
    await house.change(ChangeReason.SPEC)
    table = await house.object(ROUTE_TABLE, "podinfo")
    assert table["metadata"]["labels"] == {"team": "b", "theirs": "kept"}
    assert table["status"]["statuses"], "the routes are the same: nobody has to report again"
    service = await house.object(SERVICE, "podinfo")
    assert service["metadata"]["labels"] == {"team": "b", "app": "podinfo"}


async def test_options_survive_a_change_from_weights_to_users_and_back(house: House) -> None:
    await house.prepare()
    await house.initialized()
    table = await house.object(ROUTE_TABLE, "podinfo")
    table["spec"]["routes"][0]["options"] = {"timeout": "5s"}
    await house.admin.patch(ROUTE_TABLE, NAMESPACE, "podinfo", {"spec": table["spec"]})
    users = {"iterations": 2, "match": [{"headers": {"x-canary": {"exact": "insider"}}}]}
    weights = {"stepWeight": 25, "maxWeight": 50}
    for add, drop, routes in ((users, weights, 2), (weights, users, 1)):
        analysis = {**dict.fromkeys(drop), **add}
        await house.admin.patch(CANARY, NAMESPACE, "podinfo", {"spec": {"analysis": analysis}})
        await house.change(ChangeReason.SPEC)
        table = await house.object(ROUTE_TABLE, "podinfo")
        assert [route["options"] for route in table["spec"]["routes"]] == [{"timeout": "5s"}] * routes


async def test_a_route_of_somebody_else_is_taken_out_with_a_word_and_the_weight_stays(house: House) -> None:
    await house.prepare()
    await house.initialized()
    table = await house.object(ROUTE_TABLE, "podinfo")
    theirs = {"matchers": [{"prefix": "/old"}], "redirectAction": {"hostRedirect": "elsewhere"}}
    body = {"spec": {"routes": [theirs, *table["spec"]["routes"]]}}
    await house.admin.patch(ROUTE_TABLE, NAMESPACE, "podinfo", body)
    await house.change(ChangeReason.DRIFT)
    found = await house.object(ROUTE_TABLE, "podinfo")
    assert found["spec"] == table["spec"]
    assert "Drift" in [notice.reason for result in await house.results() for notice in result.notices]


# ---- Services


async def test_ports_and_metadata_of_the_three_services_follow_the_spec(house: House) -> None:
    service = {"port": 9898, "portName": "web", "canary": {"annotations": {"scrape": "yes"}}}
    await house.prepare(service=service)
    await house.initialized()
    edit = {"portName": "http", "appProtocol": "http", "canary": None, "primary": {"labels": {"side": "old"}}}
    await house.admin.patch(CANARY, NAMESPACE, "podinfo", {"spec": {"service": edit}})
    await house.change(ChangeReason.SPEC)
    for name in ("podinfo", "podinfo-primary", "podinfo-canary"):
        found = await house.object(SERVICE, name)
        (port,) = found["spec"]["ports"]
        assert (port["name"], port["appProtocol"], port["targetPort"]) == ("http", "http", 9898)
    canary, primary = await house.object(SERVICE, "podinfo-canary"), await house.object(SERVICE, "podinfo-primary")
    assert "scrape" not in canary["metadata"]["annotations"]
    assert primary["metadata"]["labels"] == {"side": "old", "app": "podinfo-primary"}
    house.kube.reset()
    await house.change(ChangeReason.RESYNC)
    assert written(house) == []


async def test_an_adopted_service_keeps_its_kind_and_node_ports_and_flux_lets_go_of_it(house: House) -> None:
    await house.definitions()
    body: dict[str, Any] = {
        "metadata": {"name": "podinfo", "namespace": NAMESPACE, "labels": {"team": "a"}},
        "spec": {
            "type": "NodePort",
            "selector": {"app": "podinfo"},
            "ports": [{"name": "web", "port": 9898, "nodePort": 30123}],
        },
    }
    await house.admin.create(SERVICE, body)
    await house.prepare()
    await house.initialized()
    found = await house.object(SERVICE, "podinfo")
    assert (found["spec"]["type"], found["spec"]["ports"][0]["nodePort"]) == ("NodePort", 30123)
    assert found["spec"]["selector"] == {"app": "podinfo-primary"}
    assert found["metadata"]["annotations"] == {
        "kustomize.toolkit.fluxcd.io/reconcile": "disabled",
        "helm.toolkit.fluxcd.io/driftDetection": "disabled",
    }
    assert found["metadata"]["labels"] == {"team": "a"}


async def test_a_service_that_was_applied_again_leads_to_the_primary(house: House) -> None:
    """Together with the push, or amid the rollout: whoever edits it wakes its Canary."""
    await house.prepare(replicas=2)
    await house.initialized()
    await house.admin.patch(SERVICE, NAMESPACE, "podinfo", {"spec": {"selector": {"app": "podinfo"}}})
    await house.push("podinfo:2")
    assert await house.selector("podinfo") == {"app": "podinfo-primary"}
    await house.tick()
    for name in ("podinfo", "podinfo-primary"):
        await house.admin.patch(SERVICE, NAMESPACE, name, {"spec": {"selector": {"app": "podinfo"}}})
    await house.change(ChangeReason.DRIFT)
    for name in ("podinfo", "podinfo-primary"):
        assert await house.selector(name) == {"app": "podinfo-primary"}


async def test_ports_that_a_new_revision_brings_are_there_while_it_is_analysed(house: House) -> None:
    await house.prepare(service={"port": 9898, "portDiscovery": True})
    await house.initialized()
    container = (await house.object(DEPLOYMENT, "podinfo"))["spec"]["template"]["spec"]["containers"][0]
    ports = [{"containerPort": 9898, "name": "http"}, {"containerPort": 9999, "name": "grpc"}]
    template = {"spec": {"containers": [{"name": container["name"], "image": "podinfo:2", "ports": ports}]}}
    await house.admin.patch(DEPLOYMENT, NAMESPACE, "podinfo", {"spec": {"template": template}}, type="strategic")
    await house.change(ChangeReason.REVISION)
    found = (await house.object(SERVICE, "podinfo-canary"))["spec"]["ports"]
    assert [item["port"] for item in found] == [9898, 9999]
