"""The routes of podinfo that the tutorial, its probes and a load client use."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Awaitable, Callable, Mapping

from deploy.sandbox.podinfo.faults import Faults
from deploy.sandbox.podinfo.metrics import CONTENT_TYPE, RequestMetrics
from deploy.sandbox.webserver import Request, Response

VERSION_HEADER = "X-Podinfo-Version"
_LONGEST_DELAY = 60.0


class Podinfo:
    """One replica. ``version`` is its image's tag; every answer carries it in a header, whatever the status."""

    def __init__(self, *, version: str, hostname: str, message: str, color: str, faults: Faults) -> None:
        self.version = version
        self.hostname = hostname
        self.message = message
        self.color = color
        self.faults = faults
        self.ready = not faults.never_ready
        self.metrics = RequestMetrics()
        self._routes: dict[str, Callable[[Request], Awaitable[Response]]] = {
            "": self._index,
            "api": self._index,
            "version": self._version,
            "status": self._status,
            "delay": self._delay,
            "token": self._token,
            "headers": self._headers,
            "echo": self._echo,
        }
        self._own: dict[str, Callable[[Request], Response]] = {
            "healthz": lambda _: Response.json({"status": "OK"}),
            "readyz": self._readyz,
            "metrics": lambda _: Response(200, self.metrics.text().encode(), {"Content-Type": CONTENT_TYPE}),
        }

    async def answer(self, request: Request) -> Response:
        route = request.path.strip("/").split("/")[0]
        started = time.monotonic()
        if own := self._own.get(route):
            response = own(request)
        else:
            response = await self._application(route, request)
        known = route in self._own or route in self._routes
        self.metrics.observe(
            request.method, (route or "root") if known else "other", response.status, time.monotonic() - started
        )
        return response._replace(headers={**response.headers, VERSION_HEADER: self.version})

    async def _application(self, route: str, request: Request) -> Response:
        if self.faults.latency:
            await asyncio.sleep(self.faults.latency)
        if self.faults.error_rate and random.random() < self.faults.error_rate:
            return Response.json({"code": 500, "message": "fault"}, 500)
        handler = self._routes.get(route)
        return await handler(request) if handler else Response.json({"code": 404, "message": "not found"}, 404)

    async def _index(self, _: Request) -> Response:
        return Response.json(
            {"hostname": self.hostname, "version": self.version, "color": self.color, "message": self.message}
        )

    async def _version(self, _: Request) -> Response:
        return Response.json({"version": self.version})

    async def _status(self, request: Request) -> Response:
        text = _argument(request)
        code = int(text) if text.isdecimal() else 0
        if not 200 <= code <= 599:
            return Response.json({"code": 400, "message": f"no such status: {text}"}, 400)
        return Response.json({"status": code}, code)

    async def _delay(self, request: Request) -> Response:
        try:
            seconds = min(max(float(_argument(request)), 0.0), _LONGEST_DELAY)
        except ValueError:
            return Response.json({"code": 400, "message": "seconds are a number"}, 400)
        await asyncio.sleep(seconds)
        return Response.json({"delay": seconds})

    async def _token(self, request: Request) -> Response:
        if request.method != "POST":
            return Response.json({"code": 405, "message": "use POST"}, 405)
        expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60))
        return Response.json({"token": os.urandom(24).hex(), "expires_at": expires})

    async def _headers(self, request: Request) -> Response:
        return Response.json({name.title(): [value] for name, value in request.headers.items()})

    async def _echo(self, request: Request) -> Response:
        return Response(202, request.body, {"Content-Type": "application/json; charset=utf-8"})

    def _readyz(self, request: Request) -> Response:
        match _argument(request):
            case "":
                ready = self.ready
                return Response.json({"status": "OK" if ready else "not ready"}, 200 if ready else 503)
            case "enable":
                self.ready = not self.faults.never_ready
                return Response.json({"status": "OK"}, 202)
            case "disable":
                self.ready = False
                return Response.json({"status": "OK"}, 202)
            case other:
                return Response.json({"code": 404, "message": f"not found: {other}"}, 404)


def from_environment(environment: Mapping[str, str], faults: Faults) -> Podinfo:
    """The kubelet says which image and pod this is; PODINFO_UI_* are podinfo's own variables."""
    version = environment.get("IMAGE", "").rpartition(":")[2] or "0.0.0"
    return Podinfo(
        version=version,
        hostname=environment.get("POD_NAME", "podinfo"),
        message=environment.get("PODINFO_UI_MESSAGE", f"greetings from podinfo v{version}"),
        color=environment.get("PODINFO_UI_COLOR", "#34577c"),
        faults=faults,
    )


def _argument(request: Request) -> str:
    return "/".join(request.path.strip("/").split("/")[1:])
