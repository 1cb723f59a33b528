"""A real Envoy, configured through files: it starts, takes a configuration, and says whether it did.

Envoy sees a file only when it is renamed into place. A cluster must be known before a route names it and a route must
be gone before its cluster is; so the order is endpoints, clusters old and new, routes, clusters without the old.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import quote

import aiohttp

from deploy.sandbox import binaries
from deploy.sandbox.children import die_with_parent
from deploy.sandbox.gateway.bootstrap import bootstrap, listener
from deploy.sandbox.gateway.clusters import endpoint_file
from deploy.sandbox.gateway.snapshot import Translation
from deploy.sandbox.gateway.translate import ROUTE_CONFIGURATION
from handlers.adapters.kube import Object

_STARTED = 15.0
_CLUSTERS_TAKEN = 3.0
_ROUTES_TAKEN = 15.0
"""Seconds within which Envoy starts and takes a configuration, on a machine that is busy. A cluster may never be taken
(a name that does not resolve) and must not hold up the routes of the others for long."""
_POLL = 0.005


class EnvoyError(Exception):
    """Envoy does not start, has ended, or does not answer."""


class _Routes(NamedTuple):
    """The version of the routes in use, and how many configurations of routes Envoy has refused since it started."""

    version: str
    refused: int


class Envoy:
    """Use as an async context manager; ``apply`` may be called again and again, one call at a time."""

    def __init__(self, port: int, admin_port: int, directory: Path) -> None:
        self._port = port
        self._admin = f"http://127.0.0.1:{admin_port}"
        self._admin_port = admin_port
        self._directory = directory
        self._written: dict[Path, str] = {}
        self._clusters: dict[str, Object] = {}
        self._version = 0
        self._routes_version = ""
        self._log = directory / "envoy.log"

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15))
        try:
            await self._start()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()
        process = getattr(self, "_process", None)
        if process is not None and process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 5)
            except TimeoutError:
                process.kill()
                await process.wait()

    async def ended(self) -> None:
        """Returns only by raising :class:`EnvoyError`, when the process has ended by itself."""
        code = await self._process.wait()
        raise EnvoyError(f"Envoy ended with code {code}; its last words are in {self._log}")

    async def apply(self, translation: Translation) -> bool:
        """Hands over the configuration; False if Envoy refused the routes and goes on with those it had."""
        for name, endpoints in translation.assignments.items():
            self._write(endpoint_file(self._directory, name), [endpoints])
        await self._apply_clusters({**self._clusters, **translation.clusters})
        taken = await self._apply_routes(translation.routes)
        if taken:
            # Routes that Envoy kept may still name clusters that are gone from the new configuration.
            await self._apply_clusters(translation.clusters)
            self._forget_endpoints(set(translation.assignments))
        return taken

    async def refused_routes(self) -> int:
        """How many route configurations Envoy has refused so far."""
        return (await self._known_routes()).refused

    async def _apply_clusters(self, clusters: Mapping[str, Object]) -> None:
        path = self._directory / "cds" / "clusters.json"
        if not self._write(path, list(clusters.values())):
            return
        self._clusters = dict(clusters)
        deadline = time.monotonic() + _CLUSTERS_TAKEN
        while await self._known_clusters() != set(clusters):
            if time.monotonic() > deadline:
                print(f"envoy: not all clusters were taken; see {self._log}", file=sys.stderr, flush=True)
                return
            await asyncio.sleep(_POLL)

    async def _apply_routes(self, routes: Object) -> bool:
        before = await self._known_routes()
        if not self._write(self._directory / "rds" / "routes.json", [routes]):
            return before.version == self._routes_version
        self._routes_version = str(self._version)
        deadline = time.monotonic() + _ROUTES_TAKEN
        while (now := await self._known_routes()).version != self._routes_version:
            if now.refused > before.refused:
                return False
            if time.monotonic() > deadline:
                raise EnvoyError(f"Envoy did not look at its new routes within {_ROUTES_TAKEN:.0f} s; see {self._log}")
            await asyncio.sleep(_POLL)
        return True

    def _forget_endpoints(self, kept: set[str]) -> None:
        for path in [path for path in self._written if path.parent.name == "eds" and path.stem not in kept]:
            path.unlink()
            del self._written[path]

    def _write(self, path: Path, resources: list[Object]) -> bool:
        """Whether there was anything new to write."""
        content = json.dumps(resources)
        if self._written.get(path) == content:
            return False
        self._version += 1
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps({"version_info": str(self._version), "resources": resources}))
        temporary.rename(path)
        self._written[path] = content
        return True

    async def _start(self) -> None:
        self._write(self._directory / "cds" / "clusters.json", [])
        self._write(self._directory / "rds" / "routes.json", [{**_EMPTY, "virtual_hosts": []}])
        self._write(self._directory / "lds" / "listeners.json", [listener(self._port, self._directory)])
        configuration = self._directory / "bootstrap.json"
        configuration.write_text(json.dumps(bootstrap(self._admin_port, self._directory)))
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                binaries.find("envoy"),
                *("-c", str(configuration), "--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"),
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,
            )
        await self._ready()
        if not (await self._ask("/listeners?format=json")).get("listener_statuses"):
            raise EnvoyError(f"Envoy cannot listen on 127.0.0.1:{self._port}; see {self._log}")

    async def _ready(self) -> None:
        deadline = time.monotonic() + _STARTED
        while True:
            if self._process.returncode is not None:
                raise EnvoyError(f"Envoy ended with code {self._process.returncode}: {self._log.read_text()[-2000:]}")
            with suppress(aiohttp.ClientConnectionError):  # it has not opened its admin port yet
                async with self._session.get(f"{self._admin}/ready") as answer:
                    if answer.status == 200:
                        return
            if time.monotonic() > deadline:
                raise EnvoyError(f"Envoy was not ready within {_STARTED:.0f} s; see {self._log}")
            await asyncio.sleep(_POLL)

    async def _known_clusters(self) -> set[str]:
        answer = await self._ask("/clusters?format=json")
        return {status["name"] for status in answer.get("cluster_statuses", [])}

    async def _known_routes(self) -> _Routes:
        answer = await self._ask("/stats?format=json&filter=" + quote(r"\.rds\..*(version_text|update_rejected)$"))
        found = {stat["name"].rsplit(".", 1)[1]: stat["value"] for stat in answer["stats"] if "name" in stat}
        return _Routes(str(found.get("version_text", "")), int(found.get("update_rejected", 0)))

    async def _ask(self, path: str) -> Any:
        try:
            async with self._session.get(self._admin + path) as answer:
                return await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise EnvoyError(f"Envoy's admin interface does not answer {path}: {error}") from error


_EMPTY = {"@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration", "name": ROUTE_CONFIGURATION}
