"""A plain client for contract tests: requests, watches, and waiting for a state by watching for it."""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import yaml

Object = dict[str, Any]
# seconds that a test waits for a state before it fails; a real garbage collector learns of a new kind only now and then
PATIENCE = 90.0 if os.environ.get("CANARYBUS_TEST_CLUSTER") == "1" else 60.0
MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"
JSON_PATCH, APPLY = "application/json-patch+json", "application/apply-patch+yaml"
_GROUPS = {
    "deployments": "apps",
    "replicasets": "apps",
    "daemonsets": "apps",
    "controllerrevisions": "apps",
    "horizontalpodautoscalers": "autoscaling/v2",
    "endpointslices": "discovery.k8s.io",
    "leases": "coordination.k8s.io",
    "poddisruptionbudgets": "policy",
    "roles": "rbac.authorization.k8s.io",
    "rolebindings": "rbac.authorization.k8s.io",
    "customresourcedefinitions": "apiextensions.k8s.io",
}


def path(plural: str, namespace: str = "", name: str = "", subresource: str = "", group: str | None = None) -> str:
    """The path of a resource; `group` (with its version when that is not v1) for those not known here."""
    group = _GROUPS.get(plural, "") if group is None else group
    prefix = "/api/v1" if not group else f"/apis/{group}" if "/" in group else f"/apis/{group}/v1"
    parts = [prefix, *(("namespaces", namespace) if namespace else ()), plural, name, subresource]
    return "/".join(part for part in parts if part)


@dataclass(frozen=True)
class Answer:
    code: int
    body: Any
    headers: Any = field(repr=False)

    @property
    def rv(self) -> str:
        return str(self.body["metadata"]["resourceVersion"])

    def expect(self, code: int) -> Object:
        """The body, when the code is the expected one."""
        assert self.code == code, f"{self.code} instead of {code}: {self.body}"
        found: Object = self.body
        return found


class Events:
    """The events of one watch, in order."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def next(self) -> Object:
        async with asyncio.timeout(PATIENCE):
            line = await self._response.content.readline()
        if not line:
            raise EOFError("the watch has ended")
        event: Object = orjson.loads(line)
        return event

    async def named(self) -> tuple[str, str]:
        """Kind of event and name of the object."""
        event = await self.next()
        return event["type"], event["object"]["metadata"]["name"]

    async def rest(self) -> list[Object]:
        """Everything until the server ends the watch."""
        found: list[Object] = []
        while True:
            try:
                found.append(await self.next())
            except EOFError:
                return found


class Kube:
    """Speaks to one API server as one user agent."""

    def __init__(self, url: str, tls: ssl.SSLContext | None, agent: str = "contract/1.0") -> None:
        self.url, self._tls = url, tls
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=PATIENCE)
        self.session = aiohttp.ClientSession(timeout=timeout, headers={"User-Agent": agent}, read_bufsize=2**22)

    async def close(self) -> None:
        await self.session.close()

    async def call(
        self,
        method: str,
        where: str,
        body: Any = None,
        media: str = "application/json",
        accept: str = "",
        agent: str = "",
        **query: Any,
    ) -> Answer:
        headers = {"Accept": accept or "application/json"} | ({"User-Agent": agent} if agent else {})
        data: bytes | None = None
        if body is not None:
            headers["Content-Type"] = media
            data = body if isinstance(body, bytes) else orjson.dumps(body)
        async with (
            asyncio.timeout(PATIENCE),
            self.session.request(
                method, self.url + where, data=data, headers=headers, params=_texts(query), ssl=self._tls or False
            ) as response,
        ):
            text = await response.read()
            found = orjson.loads(text) if text.startswith((b"{", b"[")) else text.decode()
            return Answer(response.status, found, response.headers)

    async def get(self, where: str, **options: Any) -> Answer:
        return await self.call("GET", where, **options)

    async def post(self, where: str, body: Any, **options: Any) -> Answer:
        return await self.call("POST", where, body, **options)

    async def put(self, where: str, body: Any, **options: Any) -> Answer:
        return await self.call("PUT", where, body, **options)

    async def patch(self, where: str, body: Any, media: str = MERGE, **options: Any) -> Answer:
        return await self.call("PATCH", where, body, media, **options)

    async def apply(self, where: str, body: Object, manager: str, **options: Any) -> Answer:
        return await self.call("PATCH", where, body, APPLY, fieldManager=manager, **options)

    async def delete(self, where: str, body: Any = None, **options: Any) -> Answer:
        return await self.call("DELETE", where, body, **options)

    @asynccontextmanager
    async def watch(self, where: str, accept: str = "application/json", **query: Any) -> AsyncIterator[Events]:
        params = _texts({"watch": "true", **query})
        headers = {"Accept": accept}
        async with self.session.get(
            self.url + where, params=params, headers=headers, ssl=self._tls or False
        ) as response:
            assert response.status == 200, await response.text()
            try:
                yield Events(response)
            finally:
                # a farewell under TLS is answered later than a test that ends with it takes
                if response.connection is not None and response.connection.transport is not None:
                    response.connection.transport.abort()

    async def until(self, where: str, holds: Callable[[Object], Any]) -> Object:
        """The object as soon as `holds` of it; it must appear if it does not exist yet."""
        collection, _, name = where.rpartition("/")
        last: Object = {}
        try:
            async with asyncio.timeout(PATIENCE):
                listed = await self.get(collection, fieldSelector=f"metadata.name={name}")
                for last in listed.expect(200)["items"]:
                    if holds(last):
                        return last
                only = {"fieldSelector": f"metadata.name={name}", "resourceVersion": listed.rv}
                async with self.watch(collection, **only) as events:
                    while True:
                        event = await events.next()
                        last = event["object"]
                        if event["type"] in ("ADDED", "MODIFIED") and holds(last):
                            return last
        except TimeoutError:
            raise AssertionError(f"{where} never got there; last seen: {last}") from None

    async def gone(self, where: str) -> None:
        """Returns when the object does not exist any more."""
        collection, _, name = where.rpartition("/")
        async with asyncio.timeout(PATIENCE):
            while (await self.get(where)).code != 404:
                listed = await self.get(collection, fieldSelector=f"metadata.name={name}")
                if not listed.body["items"]:
                    continue
                async with self.watch(
                    collection, fieldSelector=f"metadata.name={name}", resourceVersion=listed.rv
                ) as events:
                    while (await events.next())["type"] != "DELETED":
                        pass


def _texts(query: Object) -> dict[str, str]:
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in query.items()}


def cluster_named_by_kubeconfig() -> tuple[str, ssl.SSLContext | None]:
    """URL and TLS settings of the current context of $KUBECONFIG (client certificates only)."""
    config = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())
    context = next(one["context"] for one in config["contexts"] if one["name"] == config["current-context"])
    cluster = next(one["cluster"] for one in config["clusters"] if one["name"] == context["cluster"])
    user = next(one["user"] for one in config["users"] if one["name"] == context["user"])
    if cluster["server"].startswith("http://"):
        return cluster["server"], None
    authority = _pem(cluster, "certificate-authority")
    tls = ssl.create_default_context(cadata=authority)
    with tempfile.TemporaryDirectory() as directory:
        files = [Path(directory, name) for name in ("crt", "key")]
        for file, name in zip(files, ("client-certificate", "client-key"), strict=True):
            file.write_text(_pem(user, name))
        tls.load_cert_chain(str(files[0]), str(files[1]))
    return cluster["server"], tls


def _pem(section: Object, name: str) -> str:
    if f"{name}-data" in section:
        return base64.b64decode(section[f"{name}-data"]).decode()
    return Path(section[name]).read_text()
