"""The routes of podinfo that the tutorial, its probes and a load client use."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Mapping

from deploy.sandbox.messages import Request, Response
from deploy.sandbox.podinfo.faults import Faults
from deploy.sandbox.podinfo.metrics import CONTENT_TYPE, RequestMetrics
from deploy.sandbox.podinfo.server import Plan

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
        self._greeting = Response.json({"hostname": hostname, "version": version, "color": color, "message": message})
        self._routes: dict[str, Callable[[Request], Response]] = {
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

    def plan(self, request: Request) -> Plan:
        """When and how ``request`` is answered; it is measured until then."""
        route = request.path.strip("/").split("/")[0]
        started = time.monotonic()
        delay, respond = (0.0, self._own[route]) if route in self._own else self._application(route, request)

        def answer() -> Response:
            response = respond(request)
            known = route in self._own or route in self._routes
            label = (route or "root") if known else "other"
            self.metrics.observe(request.method, label, response.status, time.monotonic() - started)
            return response._replace(headers={**response.headers, VERSION_HEADER: self.version})

        return Plan(answer, delay)

    def _application(self, route: str, request: Request) -> tuple[float, Callable[[Request], Response]]:
        delay = self.faults.latency + (_seconds(request) or 0.0 if route == "delay" else 0.0)
        if self.faults.error_rate and random.random() < self.faults.error_rate:
            return self.faults.latency, lambda _: Response.json({"code": 500, "message": "fault"}, 500)
        return delay, self._routes.get(route, _not_found)

    def _index(self, _: Request) -> Response:
        return self._greeting

    def _version(self, _: Request) -> Response:
        return Response.json({"version": self.version})

    def _status(self, request: Request) -> Response:
        text = _argument(request)
        code = int(text) if text.isdecimal() else 0
        if not 200 <= code <= 599:
            return Response.json({"code": 400, "message": f"no such status: {text}"}, 400)
        return Response.json({"status": code}, code)

    def _delay(self, request: Request) -> Response:
        seconds = _seconds(request)
        if seconds is None:
            return Response.json({"code": 400, "message": "seconds are a number"}, 400)
        return Response.json({"delay": seconds})

    def _token(self, request: Request) -> Response:
        if request.method != "POST":
            return Response.json({"code": 405, "message": "use POST"}, 405)
        expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60))
        return Response.json({"token": os.urandom(24).hex(), "expires_at": expires})

    def _headers(self, request: Request) -> Response:
        return Response.json({name.title(): [value] for name, value in request.headers.items()})

    def _echo(self, request: Request) -> Response:
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


def _seconds(request: Request) -> float | None:
    try:
        return min(max(float(_argument(request)), 0.0), _LONGEST_DELAY)
    except ValueError:
        return None


def _not_found(_: Request) -> Response:
    return Response.json({"code": 404, "message": "not found"}, 404)
