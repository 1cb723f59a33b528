"""Lists and watches of the Kubernetes adapter, against servers that answer well and badly."""

from __future__ import annotations

import json

import pytest
from aiohttp import web

from handlers.adapters.errors import (
    Gone,
    TransientError,
    Unavailable,
)
from schemas.resources import CANARY, CONFIG_MAP, DEPLOYMENT
from tests.handlers.adapters.apiserver import connected, everything, item, lines, refusing


async def test_a_list_is_put_together_from_its_pages() -> None:
    pages = {None: (["a", "b"], "next"), "next": (["c"], "")}

    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.path == "/apis/apps/v1/namespaces/test/deployments"
        assert request.query["labelSelector"] == "app=podinfo"
        names, further = pages[request.query.get("continue")]
        body = {"metadata": {"resourceVersion": "9", "continue": further}, "items": [item(name) for name in names]}
        return web.json_response(body)

    async with connected(answer) as kube:
        items, version = await kube.list(DEPLOYMENT, "test", labels="app=podinfo")
    assert [found["metadata"]["name"] for found in items] == ["a", "b", "c"]
    assert version == "9"


async def test_a_list_that_grows_old_between_two_pages_is_read_again_at_once() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if "continue" in request.query:
            return web.json_response({"code": 410, "reason": "Expired"}, status=410)
        further = "next" if "limit" in request.query else ""
        names = ["a"] if further else ["a", "b"]
        body = {"metadata": {"resourceVersion": "9", "continue": further}, "items": [item(name) for name in names]}
        return web.json_response(body)

    async with connected(answer) as kube:
        items, _ = await kube.list(DEPLOYMENT)
    assert [found["metadata"]["name"] for found in items] == ["a", "b"]


async def test_an_empty_list_may_have_null_for_items() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        assert "as=PartialObjectMetadataList" in request.headers["Accept"]
        return web.json_response({"metadata": {"resourceVersion": "3"}, "items": None})

    async with connected(answer) as kube:
        assert await kube.list(CANARY, metadata_only=True) == ([], "3")


async def test_a_watch_yields_lines_of_any_length_however_they_are_cut() -> None:
    long = {"type": "MODIFIED", "object": item("big", "8", data={"text": "x" * 1_000_000})}
    text = json.dumps({"type": "ADDED", "object": item("small", "9")}).encode()
    halves = (
        text[:10],
        text[10:] + b"\n\n" + json.dumps({"type": "BOOKMARK", "object": item("", "10")}).encode() + b"\n",
    )
    async with connected(lines(long, *halves)) as kube:
        events = await everything(kube)
    assert [(event.type, event.resource_version) for event in events] == [
        ("MODIFIED", "8"),
        ("ADDED", "9"),
        ("BOOKMARK", "10"),
    ]
    assert len(events[0].object["data"]["text"]) == 1_000_000


async def test_a_watch_from_a_forgotten_version_is_gone_as_an_answer_and_as_a_line() -> None:
    status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
    for answer in (refusing(410, "Expired"), lines({"type": "ERROR", "object": status})):
        async with connected(answer) as kube:
            with pytest.raises(Gone):
                await everything(kube)


async def test_a_watch_line_that_breaks_off_is_transient() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(json.dumps({"type": "ADDED", "object": item("a")}).encode() + b'\n{"type": "MODI')
        assert request.transport
        request.transport.abort()
        return response

    async with connected(answer) as kube:
        watch = kube.watch(CONFIG_MAP, resource_version="1")
        assert (await anext(watch)).type == "ADDED"
        with pytest.raises(TransientError, match="watch of configmaps broke"):
            await anext(watch)


async def test_a_watch_line_that_is_no_json_is_transient() -> None:
    async with connected(lines(b"<html>bad gateway</html>\n")) as kube:
        with pytest.raises(Unavailable):
            await everything(kube)
