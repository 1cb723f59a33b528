"""The neighbours of a house: a Kubernetes API at whose calls the process may die, and a server that answers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from handlers.adapters.kube import Access, Kube


class Crash(BaseException):
    """The process dies here: nothing catches it, nothing after it runs."""


class CountingKube(Kube):
    """Counts calls, and dies at the one that a test chooses: before it is sent, or after it was done."""

    def __init__(self, access: Access, **options: Any) -> None:
        super().__init__(access, **options)
        self.calls: Counter[str] = Counter()
        self.made: list[str] = []
        self.die_before = self.die_after = -1
        self.before: Callable[[str, str], Awaitable[None]] | None = None
        self._number = 0

    async def _ask(self, call: Any) -> Any:
        number, self._number = self._number, self._number + 1
        if number == self.die_before:
            raise Crash
        if self.before is not None:
            await self.before(call.method, call.path)
        answer = await super()._ask(call)
        self.calls[call.method] += 1
        self.made.append(f"{call.method} {call.path}")
        if number == self.die_after:
            raise Crash
        return answer

    def reset(self) -> None:
        self.calls.clear()
        self.made.clear()
        self.die_before = self.die_after = -1
        self._number = 0

    @property
    def total(self) -> int:
        return sum(self.calls.values())


class Answering:
    """One HTTP server that is gate, load tester and Prometheus at once; a test says what it answers."""

    def __init__(self) -> None:
        self.gates: dict[str, int] = {}
        self.asked: list[str] = []
        self.bodies: list[tuple[str, dict[str, Any]]] = []
        """What hooks were sent, with their names."""
        self.authorisations: list[str] = []
        self.value: str | None = "100"
        self.status = 200
        self.meanwhile: Callable[[str], Awaitable[None]] | None = None
        """What happens while a hook is being answered."""
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/hook/{name}", self._hook)
        app.router.add_get("/api/v1/query", self._query)
        app.router.add_get("/apis/external.metrics.k8s.io/{rest:.*}", self._external)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _hook(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        self.asked.append(name)
        self.bodies.append((name, json.loads(await request.read())))
        if self.meanwhile is not None:
            await self.meanwhile(name)
        return web.Response(status=self.gates.get(name, 200), text=f"answer of {name}")

    async def _query(self, request: web.Request) -> web.Response:
        query = request.query["query"]
        self.authorisations.append(request.headers.get("Authorization", ""))
        self.asked.append("vector" if query == "vector(1)" else "query")
        if self.status != 200:
            return web.Response(status=self.status, text="down on purpose")
        value = "1" if query == "vector(1)" else self.value
        result = [] if value is None else [{"metric": {}, "value": [0, value]}]
        answer = {"status": "success", "data": {"resultType": "vector", "result": result}}
        return web.Response(text=json.dumps(answer), content_type="application/json")

    async def _external(self, _request: web.Request) -> web.Response:
        """A server that speaks the external metrics API of Kubernetes."""
        return web.json_response({"items": [{"value": "1"}]})
