"""An application that runs and serves already is taken over without a moment in which nobody serves."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.events import ChangeReason
from schemas.resources import CANARY, DEPLOYMENT, HORIZONTAL_POD_AUTOSCALER, ROUTE_TABLE, SERVICE, UPSTREAM
from schemas.status import Phase
from tests.handlers.house import NAMESPACE, House
from tests.handlers.neighbours import Crash


async def _service_of_the_user(house: House) -> None:
    ports = [{"name": "web", "port": 9898, "targetPort": 9898}, {"name": "old", "port": 81}]
    body: dict[str, Any] = {
        "metadata": {"name": "podinfo", "namespace": NAMESPACE, "labels": {"team": "a"}},
        "spec": {"selector": {"app": "podinfo"}, "ports": ports},
    }
    await house.admin.create(SERVICE, body)


async def test_an_existing_service_points_at_the_target_until_the_primary_can_serve(house: House) -> None:
    house.settings = house.settings.model_copy(update={"drain": 5.0})
    house.advance = house.worker()
    await house.prepare(replicas=2)
    await _service_of_the_user(house)
    await house.change(ChangeReason.SPEC)
    assert (await house.status()).phase is Phase.INITIALIZING
    assert await house.selector("podinfo") == {"app": "podinfo"}, "its pods are the only ones that serve"
    await house.change()
    assert (await house.status()).phase is Phase.INITIALIZED
    assert await house.selector("podinfo") == {"app": "podinfo-primary"}
    assert await house.replicas() == 2, "requests in flight drain first"


async def _services(house: House) -> list[str]:
    found, _ = await house.admin.list(SERVICE, NAMESPACE)
    return sorted(item["metadata"]["name"] for item in found)


async def test_no_service_leads_users_to_a_primary_that_nobody_has_seen_ready(house: House) -> None:
    await house.prepare()
    await house.change(ChangeReason.SPEC)
    assert (await house.status()).phase is Phase.INITIALIZING
    assert await _services(house) == ["podinfo-canary", "podinfo-primary"]
    await house.change(ChangeReason.DRIFT)
    assert (await house.status()).phase is Phase.INITIALIZED
    assert await house.selector("podinfo") == {"app": "podinfo-primary"}


async def test_users_inside_the_cluster_do_not_wait_for_a_gateway(house: House) -> None:
    house.gateway = "Warning"
    await house.prepare()
    await house.change(ChangeReason.SPEC)
    await house.tick(2)
    assert (await house.status()).phase is Phase.INITIALIZING
    assert await house.selector("podinfo") == {"app": "podinfo-primary"}


async def test_a_worker_that_dies_before_it_makes_the_service_is_followed_by_one_that_makes_it(house: House) -> None:
    await house.prepare()
    await house.change(ChangeReason.SPEC)
    place = f"/api/v1/namespaces/{NAMESPACE}/services"

    async def die(method: str, path: str) -> None:
        if (method, path) == ("POST", place):
            raise Crash

    house.kube.before = die
    with pytest.raises(Crash):
        await house.change()
    house.kube.before = None
    assert (await house.status()).phase is Phase.INITIALIZED
    assert "podinfo" not in await _services(house)
    await house.tick()
    assert await house.selector("podinfo") == {"app": "podinfo-primary"}
    await house.until(Phase.INITIALIZED)


async def test_under_a_new_name_there_is_a_second_service_and_the_first_serves_on(house: House) -> None:
    house.settings = house.settings.model_copy(update={"drain": 5.0})
    house.advance = house.worker()
    await house.prepare()
    await house.initialized()
    house.delegated.add("web")
    await house.admin.patch(CANARY, NAMESPACE, "podinfo", {"spec": {"service": {"name": "web"}}})
    await house.change(ChangeReason.SPEC)
    assert (await house.status()).phase is Phase.INITIALIZING
    assert await house.selector("podinfo") == {"app": "podinfo-primary"}
    await house.tick()
    assert {"podinfo", "web", "web-primary", "web-canary"} <= {*await _services(house)}
    assert await house.selector("web") == await house.selector("podinfo") == {"app": "podinfo-primary"}


async def test_an_adopted_service_keeps_what_is_not_ours(house: House) -> None:
    await house.prepare()
    await _service_of_the_user(house)
    await house.initialized()
    found = await house.object(SERVICE, "podinfo")
    assert found["metadata"]["labels"] == {"team": "a"}
    assert "ownerReferences" not in found["metadata"]
    assert [port["port"] for port in found["spec"]["ports"]] == [9898]


async def test_the_target_is_parked_only_after_the_drain(house: House) -> None:
    house.settings = house.settings.model_copy(update={"drain": 15.0})
    house.advance = house.worker()
    await house.prepare()
    await house.change(ChangeReason.SPEC)
    await house.change()
    assert (await house.status()).phase is Phase.INITIALIZED
    await house.tick()
    assert await house.replicas() == 1
    await house.tick()
    assert await house.replicas() == 0


async def test_a_route_table_of_the_user_is_left_alone_until_the_primary_is_ready(house: House) -> None:
    await house.prepare()
    upstream = {"upstream": {"name": "mine", "namespace": NAMESPACE}}
    routes = [{"matchers": [{"prefix": "/"}], "routeAction": {"single": upstream}, "options": {"timeout": "3s"}}]
    metadata = {"name": "podinfo", "namespace": NAMESPACE}
    await house.admin.create(ROUTE_TABLE, {"metadata": metadata, "spec": {"routes": routes}})
    await house.change(ChangeReason.SPEC)
    assert (await house.object(ROUTE_TABLE, "podinfo"))["spec"]["routes"] == routes
    await house.until(Phase.INITIALIZED)
    found = (await house.object(ROUTE_TABLE, "podinfo"))["spec"]["routes"]
    names = [item["destination"]["upstream"]["name"] for item in found[0]["routeAction"]["multi"]["destinations"]]
    assert names == ["default-podinfo-primaryupstream-9898", "default-podinfo-canaryupstream-9898"]
    assert found[0]["options"] == {"timeout": "3s"}


async def test_the_autoscaler_is_cloned_for_the_primary_and_follows_at_promotion(house: House) -> None:
    ref = {"apiVersion": "autoscaling/v2beta2", "kind": "HorizontalPodAutoscaler", "name": "podinfo"}
    await house.prepare(autoscalerRef=ref)
    resource = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 90}}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
        "minReplicas": 1,
        "maxReplicas": 4,
        "metrics": [{"type": "Resource", "resource": resource}],
    }
    await house.admin.create(
        HORIZONTAL_POD_AUTOSCALER, {"metadata": {"name": "podinfo", "namespace": NAMESPACE}, "spec": spec}
    )
    await house.initialized()
    clone = await house.object(HORIZONTAL_POD_AUTOSCALER, "podinfo-primary")
    assert clone["spec"]["scaleTargetRef"]["name"] == "podinfo-primary"
    assert clone["spec"]["maxReplicas"] == 4
    await house.admin.patch(HORIZONTAL_POD_AUTOSCALER, NAMESPACE, "podinfo", {"spec": {"maxReplicas": 6}})
    await house.push("podinfo:2")
    await house.until(Phase.SUCCEEDED)
    clone = await house.object(HORIZONTAL_POD_AUTOSCALER, "podinfo-primary")
    assert clone["spec"]["maxReplicas"] == 6


async def test_the_canary_starts_with_as_many_replicas_as_the_primary_has(house: House) -> None:
    await house.prepare(replicas=1)
    await house.initialized()
    await house.admin.patch(DEPLOYMENT, NAMESPACE, "podinfo-primary", {"spec": {"replicas": 3}})
    await house.ready("podinfo-primary")
    await house.push("podinfo:2")
    assert await house.replicas() == 3


async def test_the_upstreams_take_the_settings_of_the_referenced_one_and_give_them_back(house: House) -> None:
    ref = {"apiVersion": "gloo.solo.io/v1", "kind": "Upstream", "name": "mine"}
    await house.prepare(upstreamRef=ref)
    settings = {"connectionConfig": {"connectTimeout": "3s"}, "healthChecks": [{"timeout": "1s"}]}
    kube = {"serviceName": "podinfo", "serviceNamespace": NAMESPACE, "servicePort": 9898}
    metadata = {"name": "mine", "namespace": NAMESPACE}
    await house.admin.create(UPSTREAM, {"metadata": metadata, "spec": {"kube": kube, **settings}})
    await house.initialized()
    made = (await house.object(UPSTREAM, "default-podinfo-canaryupstream-9898"))["spec"]
    assert made["connectionConfig"] == {"connectTimeout": "3s"}
    assert "healthChecks" not in made
    await house.admin.patch(UPSTREAM, NAMESPACE, "mine", {"spec": {"connectionConfig": None}})
    await house.change(ChangeReason.DRIFT)
    made = (await house.object(UPSTREAM, "default-podinfo-canaryupstream-9898"))["spec"]
    assert "connectionConfig" not in made


async def test_a_command_that_comes_before_the_first_look_touches_nothing(house: House) -> None:
    await house.prepare()
    await _service_of_the_user(house)
    reply = await house.command("abort")
    assert not reply.accepted
    assert await house.selector("podinfo") == {"app": "podinfo"}
    assert await house.admin.find(ROUTE_TABLE, NAMESPACE, "podinfo") is None
    await house.initialized()
