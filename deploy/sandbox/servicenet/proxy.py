"""The forward proxy: takes a request for an absolute URL, sends it to a pod, streams the answer back."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import aiohttp
from aiohttp import hdrs, web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from deploy.sandbox.servicenet.names import Names, UnreachableError

_OF_THE_HOP = {
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
_ADDED = (hdrs.USER_AGENT, hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.CONTENT_TYPE)
"""Headers that the client library would add to a request that has none of them."""
_CONNECT = 5.0
"""Seconds to wait for a pod to take the connection; the answer itself may take as long as the caller waits."""


@asynccontextmanager
async def serving(names: Names, port: int) -> AsyncIterator[None]:
    """The proxy on 127.0.0.1:``port``, for as long as the context lasts."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT)
    # A connection for each request: one that a pod closed meanwhile would fail a POST for no fault of its sender.
    connector = aiohttp.TCPConnector(force_close=True, limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as session:
        proxy = Proxy(names, session)
        runner = web.ServerRunner(web.Server(proxy.handle, access_log=None, handler_cancellation=True))
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
            yield
        finally:
            await runner.cleanup()


class Proxy:
    def __init__(self, names: Names, session: aiohttp.ClientSession) -> None:
        self._names = names
        self._session = session

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method == hdrs.METH_CONNECT or request.raw_path.startswith("https:"):
            return _sentence(HTTPStatus.NOT_IMPLEMENTED, "this proxy does not tunnel: pods are reached over plain http")
        url = URL(request.raw_path, encoded=True)
        if not url.absolute:
            if url.path == "/healthz":
                return web.Response(text="ok\n")
            return _sentence(HTTPStatus.BAD_REQUEST, "this is a proxy: ask for an absolute URL")
        try:
            address, port = self._names.resolve(url.host or "", url.port or 80, namespace_of(request.headers))
        except UnreachableError as error:
            return _sentence(error.status, str(error))
        return await self._forward(request, url, address, port)

    async def _forward(self, request: web.BaseRequest, url: URL, address: str, port: int) -> web.StreamResponse:
        target = URL.build(scheme="http", host=address, port=port, path=url.raw_path_qs, encoded=True)
        response: web.StreamResponse | None = None
        try:
            async with self._session.request(
                request.method,
                target,
                headers=_passed_on(request.headers),
                data=request.content if request.body_exists else None,
                allow_redirects=False,
                skip_auto_headers=_ADDED,
            ) as answer:
                response = web.StreamResponse(
                    status=answer.status, reason=answer.reason, headers=_passed_on(answer.headers)
                )
                await response.prepare(request)
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
        except (aiohttp.ClientError, TimeoutError) as error:
            if response is None:
                sentence = f"{url.authority} at {address}:{port} does not answer: {error or type(error).__name__}"
                return _sentence(HTTPStatus.BAD_GATEWAY, sentence)
            if request.transport is not None:  # half an answer must not look like a whole one
                request.transport.abort()
        return response


def namespace_of(headers: CIMultiDictProxy[str]) -> str:
    """The user name of the proxy's URL; ``default`` without one, as for any client of a cluster."""
    scheme, _, credentials = headers.get(hdrs.PROXY_AUTHORIZATION, "").partition(" ")
    if scheme.lower() != "basic":
        return "default"
    try:
        return base64.b64decode(credentials).decode().partition(":")[0] or "default"
    except (binascii.Error, UnicodeDecodeError):
        return "default"


def _passed_on(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    named = {name.strip().lower() for name in headers.get(hdrs.CONNECTION, "").split(",")}
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in _OF_THE_HOP | named)


def _sentence(status: HTTPStatus, text: str) -> web.Response:
    return web.Response(status=status, text=f"{text}\n")
