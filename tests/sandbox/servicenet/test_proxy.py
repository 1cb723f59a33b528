from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest
from aiohttp import web

from deploy.sandbox.network import free_port
from deploy.sandbox.servicenet.names import Names
from deploy.sandbox.servicenet.proxy import serving
from tests.sandbox.backends import Handler, Network, backend, saying
from tests.sandbox.gateway.objects import by_ref, endpoint_slice, service


@asynccontextmanager
async def canary(*answers: Handler) -> AsyncIterator[str]:
    """The Service ``podinfo-canary`` with a pod for each handler; gives the proxy's address."""
    network, port = Network(), free_port()
    pods = [network.published(number) for number in range(1, len(answers) + 1)]
    names = Names(by_ref([service("canary")]), by_ref([endpoint_slice("canary", *pods)]), {})
    async with AsyncExitStack() as stack:
        for number, answer in enumerate(answers, 1):
            await stack.enter_async_context(backend(network.real(number), answer))
        await stack.enter_async_context(serving(names, port))
        yield f"127.0.0.1:{port}"


def client(proxy: str, namespace: str = "test") -> httpx.AsyncClient:
    return httpx.AsyncClient(proxy=f"http://{namespace}:@{proxy}", trust_env=False)


async def curl(proxy: str, *arguments: str) -> tuple[int, str]:
    """As a hook's command does: the proxy comes from the environment."""
    environment = {"http_proxy": f"http://test:@{proxy}", "no_proxy": "127.0.0.1,localhost"}
    process = await asyncio.create_subprocess_exec(
        "/usr/bin/env", "curl", "-sS", "--max-time", "10", *arguments, env=environment, stdout=subprocess.PIPE
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


async def echo(request: web.Request) -> web.Response:
    body = (await request.read()).decode()
    text = f"{request.method} {request.host} {request.rel_url} {body}"
    return web.Response(text=text, headers={"X-Seen": request.headers.get("Proxy-Authorization", "nothing")})


async def test_curl_reaches_a_service_by_its_short_name() -> None:
    async with canary(echo) as proxy:
        code, answer = await curl(proxy, "-d", "test", "http://podinfo-canary:9898/token?a=b%20c")
    assert (code, answer) == (0, "POST podinfo-canary:9898 /token?a=b%20c test")


async def test_httpx_reaches_it_by_its_full_name_and_the_credentials_stay_with_the_proxy() -> None:
    async with canary(echo) as proxy, client(proxy, "elsewhere") as http:
        answer = await http.get("http://podinfo-canary.test.svc.cluster.local:9898/version")
    assert answer.text == "GET podinfo-canary.test.svc.cluster.local:9898 /version "
    assert answer.headers["X-Seen"] == "nothing"


async def test_ready_pods_take_turns() -> None:
    async with canary(saying("a"), saying("b")) as proxy, client(proxy) as http:
        answers = [(await http.get("http://podinfo-canary:9898/")).text for _ in range(4)]
    assert answers == ["a", "b", "a", "b"]


async def test_an_unknown_name_is_a_502_with_a_sentence() -> None:
    async with canary(echo) as proxy, client(proxy, "prod") as http:
        answer = await http.get("http://podinfo-canary:9898/")
    assert answer.status_code == 502
    assert answer.text == "podinfo-canary: there is no Service podinfo-canary in namespace prod\n"


async def test_a_pod_that_refuses_the_connection_is_a_502_with_a_sentence() -> None:
    network, port = Network(), free_port()
    names = Names(by_ref([service("canary")]), by_ref([endpoint_slice("canary", network.published(1))]), {})
    async with serving(names, port), client(f"127.0.0.1:{port}") as http:
        answer = await http.get("http://podinfo-canary:9898/")
    assert answer.status_code == 502
    assert f"podinfo-canary:9898 at {network.real(1)}:9898 does not answer" in answer.text


async def test_an_answer_is_passed_on_while_it_is_being_written() -> None:
    first_read = asyncio.Event()

    async def slowly(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first")
        await first_read.wait()
        await response.write(b"second")
        return response

    async with (
        canary(slowly) as proxy,
        client(proxy) as http,
        http.stream("GET", "http://podinfo-canary:9898/") as answer,
    ):
        parts = answer.aiter_raw()
        assert await anext(parts) == b"first"
        first_read.set()
        assert await anext(parts) == b"second"


async def test_a_body_of_unknown_length_arrives_whole() -> None:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield b"x" * 10_000

    async def length(request: web.Request) -> web.Response:
        return web.Response(text=str(len(await request.read())))

    async with canary(length) as proxy, client(proxy) as http:
        answer = await http.post("http://podinfo-canary:9898/", content=body())
    assert answer.text == "500000"


async def test_half_an_answer_does_not_look_like_a_whole_one() -> None:
    async def breaks_off(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.abort()
        return response

    async with canary(breaks_off) as proxy, client(proxy) as http:
        with pytest.raises(httpx.RemoteProtocolError):
            await http.get("http://podinfo-canary:9898/")


async def test_redirects_and_errors_are_the_callers_own_business() -> None:
    async def redirect(request: web.Request) -> web.Response:
        return web.Response(status=503 if request.path == "/b" else 302, headers={"Location": "/b"})

    async with canary(redirect) as proxy, client(proxy) as http:
        assert (await http.get("http://podinfo-canary:9898/a")).status_code == 302
        assert (await http.get("http://podinfo-canary:9898/b")).status_code == 503


async def test_a_compressed_answer_is_not_touched() -> None:
    async def compressed(_: web.Request) -> web.Response:
        response = web.Response(text="a" * 1000)
        response.enable_compression()
        return response

    async with canary(compressed) as proxy, client(proxy) as http:
        answer = await http.get("http://podinfo-canary:9898/", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.text == "a" * 1000


async def test_a_head_request_gets_headers_only() -> None:
    async with canary(saying("four")) as proxy, client(proxy) as http:
        answer = await http.head("http://podinfo-canary:9898/")
    assert (answer.headers["Content-Length"], answer.content) == ("4", b"")


async def test_a_tunnel_is_refused_and_says_why() -> None:
    async with canary(echo) as proxy, client(proxy) as http:
        with pytest.raises(httpx.ProxyError, match="501"):
            await http.get("https://podinfo-canary:9898/")


async def test_the_proxy_itself_tells_that_it_is_there_and_what_it_is() -> None:
    async with canary(echo) as proxy, httpx.AsyncClient(trust_env=False) as http:
        assert (await http.get(f"http://{proxy}/healthz")).text == "ok\n"
        refused = await http.get(f"http://{proxy}/anything")
    assert (refused.status_code, refused.text) == (400, "this is a proxy: ask for an absolute URL\n")
