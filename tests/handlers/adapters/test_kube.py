"""Calls of the Kubernetes adapter, against servers that answer well and badly."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from handlers.adapters.errors import (
    AdapterError,
    AlreadyExists,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    PermanentError,
    Throttled,
    TransientError,
    Unavailable,
    Unserved,
)
from handlers.adapters.kube import Access, Kube
from schemas.resources import CANARY, CONFIG_MAP, DEPLOYMENT, ROUTE_TABLE, Resource
from tests.handlers.adapters.apiserver import connected, everything, item, lines, refusing, serving


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (400, "BadRequest", Invalid),
        (401, "Unauthorized", Forbidden),
        (403, "Forbidden", Forbidden),
        (404, "NotFound", NotFound),
        (409, "Conflict", Conflict),
        (409, "AlreadyExists", AlreadyExists),
        (410, "Expired", Gone),
        (422, "Invalid", Invalid),
        (429, "TooManyRequests", Throttled),
        (500, "InternalError", Unavailable),
        (503, "ServiceUnavailable", Unavailable),
        (504, "Timeout", Unavailable),
    ],
)
async def test_every_refusal_is_the_error_of_its_kind_with_the_servers_words(
    code: int, reason: str, kind: type[AdapterError]
) -> None:
    async with connected(refusing(code, reason, "because")) as kube:
        with pytest.raises(AdapterError) as raised:
            await kube.get(DEPLOYMENT, "test", "podinfo")
    assert type(raised.value) is kind
    assert str(raised.value) == f"Kubernetes API: {code} {reason}: because"


@pytest.mark.parametrize(
    ("resource", "said", "remedy"),
    [
        (
            ROUTE_TABLE,
            "404 page not found",
            "; install the CustomResourceDefinition routetables.gateway.solo.io, it comes with Gloo Edge",
        ),
        (ROUTE_TABLE, 'namespaces "test" not found', ""),
        (CONFIG_MAP, 'namespaces "test" not found', ""),
    ],
)
async def test_what_cannot_be_created_because_its_kind_is_missing_names_what_to_install(
    resource: Resource, said: str, remedy: str
) -> None:
    async with connected(refusing(404, "NotFound", said)) as kube:
        with pytest.raises(Unserved) as raised:
            await kube.create(resource, {"metadata": {"namespace": "test", "name": "podinfo"}})
    words = f"{resource.kind} podinfo cannot be created: Kubernetes API: 404 NotFound: {said}"
    assert str(raised.value) == words + remedy


async def test_retry_after_is_the_delay() -> None:
    for code in (429, 503):
        async with connected(refusing(code, "x", Retry_After="7")) as kube:
            with pytest.raises(TransientError) as raised:
                await kube.get(DEPLOYMENT, "test", "podinfo")
        assert raised.value.delay == 7


async def test_an_answer_of_a_proxy_on_the_way_keeps_its_beginning() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=502, text="<html>no upstream</html>")

    async with connected(answer) as kube:
        with pytest.raises(Unavailable, match="no upstream"):
            await kube.get(DEPLOYMENT, "test", "podinfo")


async def test_a_connection_that_is_closed_without_an_answer_is_transient() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.transport
        request.transport.abort()
        return web.Response()

    async with connected(answer) as kube:
        with pytest.raises(Unavailable):
            await kube.patch(DEPLOYMENT, "test", "podinfo", {"spec": {}})


async def test_a_server_that_is_not_there_or_says_nothing_is_transient() -> None:
    hanging = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        await hanging.wait()
        return web.Response()

    async with serving(answer) as url:
        async with Kube(Access(url), user_agent="test", timeout=0.1) as kube:
            with pytest.raises(Unavailable):
                await kube.get(DEPLOYMENT, "test", "podinfo")
        hanging.set()
    async with Kube(Access(url), user_agent="test") as kube:
        with pytest.raises(Unavailable):
            await kube.get(DEPLOYMENT, "test", "podinfo")


async def test_a_401_loads_the_credentials_again_once_and_repeats() -> None:
    token = "old"
    refreshed = 0
    asked = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.headers["Authorization"])
        if request.headers["Authorization"] != "Bearer new":
            return web.json_response({"code": 401, "reason": "Unauthorized"}, status=401)
        if "watch" in request.query:
            return await lines({"type": "ADDED", "object": item("a")})(request)
        return web.json_response(item("podinfo"))

    async def headers() -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"}

    async def refresh() -> None:
        nonlocal token, refreshed
        token, refreshed = "new", refreshed + 1

    async with serving(answer) as url, Kube(Access(url, headers=headers, refresh=refresh), user_agent="t") as kube:
        assert (await kube.get(DEPLOYMENT, "test", "podinfo"))["metadata"]["name"] == "podinfo"
        token = "old again"
        assert len(await everything(kube)) == 1
    assert asked == ["Bearer old", "Bearer new", "Bearer old again", "Bearer new"]
    assert refreshed == 2


async def test_credentials_that_stay_refused_are_refused_after_one_repetition() -> None:
    asked = 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        return web.json_response({"code": 401, "reason": "Unauthorized"}, status=401)

    async with connected(answer) as kube:
        with pytest.raises(Forbidden):
            await kube.get(DEPLOYMENT, "test", "podinfo")
    assert asked == 2


async def test_writes_say_what_they_are() -> None:
    seen = []

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append((request.method, request.path_qs, request.content_type, await request.json()))
        return web.json_response(item("a"))

    body = {"metadata": {"name": "a", "namespace": "test"}, "data": {}}
    whole = {"apiVersion": "v1", "kind": "ConfigMap", **body}
    path = "/api/v1/namespaces/test/configmaps"
    async with connected(answer) as kube:
        await kube.create(CONFIG_MAP, body)
        await kube.patch(CONFIG_MAP, "test", "a", {"data": {"k": "v"}})
        await kube.patch(CANARY, "test", "a", [{"op": "test"}], subresource="status", type="json")
        await kube.apply(CONFIG_MAP, body, manager="canarybus")
        await kube.replace(CONFIG_MAP, body)
        await kube.delete(CONFIG_MAP, "test", "a", uid="u", grace_seconds=0)
    status_path = "/apis/flagger.app/v1beta1/namespaces/test/canaries/a/status"
    assert seen == [
        ("POST", path, "application/json", whole),
        ("PATCH", f"{path}/a", "application/merge-patch+json", {"data": {"k": "v"}}),
        ("PATCH", status_path, "application/json-patch+json", [{"op": "test"}]),
        ("PATCH", f"{path}/a?fieldManager=canarybus&force=true", "application/apply-patch+yaml", whole),
        ("PUT", f"{path}/a", "application/json", whole),
        (
            "DELETE",
            f"{path}/a",
            "application/json",
            {
                "kind": "DeleteOptions",
                "apiVersion": "v1",
                "propagationPolicy": "Background",
                "preconditions": {"uid": "u"},
                "gracePeriodSeconds": 0,
            },
        ),
    ]


async def test_a_missing_object_is_none_when_looked_for_and_fine_when_deleted() -> None:
    async with connected(refusing(404, "NotFound")) as kube:
        assert await kube.find(CONFIG_MAP, "test", "a") is None
        await kube.delete(CONFIG_MAP, "test", "a")
        with pytest.raises(PermanentError):
            await kube.get(CONFIG_MAP, "test", "a")


async def test_every_call_is_told_with_verb_resource_and_status() -> None:
    told: list[tuple[str, str, int]] = []
    async with connected(refusing(404, "NotFound"), tell=lambda *call: told.append(call), impersonate="eve") as kube:
        await kube.find(CONFIG_MAP, "test", "a")
        with pytest.raises(NotFound):
            await everything(kube)
        with pytest.raises(NotFound):
            await kube.raw("/version")
    assert told == [("get", "configmaps", 404), ("watch", "configmaps", 404), ("get", "raw", 404)]


async def test_requests_carry_the_user_agent_and_whom_to_act_as() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response({name: request.headers[name] for name in ("User-Agent", "Impersonate-User")})

    async with connected(answer, impersonate="system:serviceaccount:a:b") as kube:
        assert await kube.raw("/version") == {"User-Agent": "test/1", "Impersonate-User": "system:serviceaccount:a:b"}
