"""The webhook target that the tutorial's hooks speak to: gates, rollback gates and command tasks."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from deploy.sandbox.loadtester.gates import Gates
from deploy.sandbox.loadtester.tasks import Tasks
from deploy.sandbox.messages import Request, Response

_BLOCKING = {"bash": "", "helm": "helm ", "helmv3": "helm ", "kubectl": "kubectl "}
"""What is put in front of the command, for each type whose caller waits for the outcome."""


class _Payload(NamedTuple):
    name: str
    namespace: str
    metadata: dict[str, str]


class LoadTester:
    """``namespaces``: canaries of other namespaces get 403."""

    def __init__(self, tasks: Tasks, namespaces: re.Pattern[str]) -> None:
        self._tasks = tasks
        self._namespaces = namespaces
        self._gates = Gates()

    async def answer(self, request: Request) -> Response:
        match request.path.strip("/").split("/"):
            case ["healthz"]:
                return Response.text("OK")
            case ["metrics"]:
                return self._metrics()
            case ["gate", "approve"]:
                return Response.text("OK")
            case ["gate", "halt"]:
                return Response.text("Forbidden", 403)
            case [("gate" | "rollback") as kind, ("check" | "open" | "close") as verb]:
                return self._gate(kind, verb, request)
            case [""]:
                return await self._task(request)
            case _:
                return Response.text(f"not found: {request.path}", 404)

    def _gate(self, kind: str, verb: str, request: Request) -> Response:
        payload = self._payload(request)
        if isinstance(payload, Response):
            return payload
        canary = (payload.name, payload.namespace)
        match verb:
            case "open":
                self._gates.open(kind, *canary)
            case "close":
                self._gates.close(kind, *canary)
            case _:
                is_open = self._gates.is_open(kind, *canary)
                return Response.text("Approved") if is_open else Response.text("Forbidden", 403)
        print(f"{kind} of {payload.name}.{payload.namespace}: {verb}", flush=True)
        return Response(202)

    async def _task(self, request: Request) -> Response:
        payload = self._payload(request)
        if isinstance(payload, Response):
            return payload
        if not payload.metadata:
            return Response.text("metadata not found in payload", 400)
        kind, command = payload.metadata.get("type", "cmd"), payload.metadata.get("cmd", "")
        if kind != "cmd" and kind not in _BLOCKING:
            return Response.text(f"unknown task type {kind}", 400)
        if not command:
            return Response.text("cmd not found in metadata", 400)
        if kind == "cmd":
            log = payload.metadata.get("logCmdOutput") == "true"
            self._tasks.start(f"{payload.name}.{payload.namespace}", command, log_output=log)
            return Response(202)
        return await self._wait_for(_BLOCKING[kind] + command, payload)

    async def _wait_for(self, command: str, payload: _Payload) -> Response:
        code, output = await self._tasks.run(command)
        if payload.metadata.get("logCmdOutput") == "true" or code:
            print(f"{payload.name}.{payload.namespace}: command {command}: {code}: {output.strip()}", flush=True)
        if code:
            return Response.text(f"command {command} failed: {output.strip()}: exit status {code}", 500)
        return Response.text(output if payload.metadata.get("returnCmdOutput") == "true" else "")

    def _payload(self, request: Request) -> _Payload | Response:
        try:
            body: Any = json.loads(request.body)
            payload = _Payload(
                str(body.get("name", "")),
                str(body.get("namespace", "")),
                {str(key): str(value) for key, value in (body.get("metadata") or {}).items()},
            )
        except (ValueError, AttributeError) as error:
            return Response.text(f"decoding the request body failed: {error}", 400)
        if not self._namespaces.search(payload.namespace):
            return Response.text("Forbidden", 403)
        return payload

    def _metrics(self) -> Response:
        lines = [
            "# TYPE loadtester_tasks_total counter",
            f"loadtester_tasks_total {self._tasks.started}",
            "# TYPE loadtester_tasks_failed_total counter",
            f"loadtester_tasks_failed_total {self._tasks.failed}",
            "# TYPE loadtester_tasks_running gauge",
            f"loadtester_tasks_running {self._tasks.running}",
        ]
        return Response(200, ("\n".join(lines) + "\n").encode(), {"Content-Type": "text/plain; version=0.0.4"})
