"""Calls to the API server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Self

import aiohttp
import orjson

from handlers.adapters.errors import Gone, NotFound, Unavailable
from handlers.adapters.kube import failures
from handlers.adapters.kube.access import Access
from schemas.resources import Resource

type_of_patch = {
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "json": "application/json-patch+json",
    "apply": "application/apply-patch+yaml",
}
PatchType = Literal["merge", "strategic", "json", "apply"]
_METADATA = "application/json;as={};g=meta.k8s.io;v=v1"
_PAGE = 500
_WATCH_SECONDS = 290
"""Shorter than the idle timeouts of usual load balancers (300 s and more)."""

Object = dict[str, Any]


class WatchEvent(NamedTuple):
    """One line of a watch. ``type`` is ADDED, MODIFIED, DELETED or BOOKMARK (then only the resource version counts)."""

    type: str
    object: Object

    @property
    def resource_version(self) -> str:
        return str(self.object["metadata"]["resourceVersion"])


def _tell_nobody(_verb: str, _resource: str, _status: int) -> None:
    """For those who do not count."""


@dataclass(frozen=True)
class _Call:
    verb: str
    plural: str
    method: str
    path: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)


class Kube:
    """A connection to one API server; use as an async context manager."""

    def __init__(
        self,
        access: Access,
        *,
        user_agent: str,
        impersonate: str | None = None,
        timeout: float = 15,
        tell: Callable[[str, str, int], None] = _tell_nobody,
    ) -> None:
        """``impersonate`` acts as that user (tests of RBAC); ``timeout`` in seconds for every call but watches.

        ``tell`` hears of every call: verb, plural of the resource, HTTP status (0 for no answer).
        """
        self._access = access
        self._timeout = aiohttp.ClientTimeout(total=timeout, sock_connect=5)
        self._tell = tell
        headers = {"User-Agent": user_agent, "Accept": "application/json"}
        if impersonate:
            headers["Impersonate-User"] = impersonate
        connector = aiohttp.TCPConnector(ssl=access.ssl, limit=100, keepalive_timeout=60)
        self._session = aiohttp.ClientSession(connector=connector, headers=headers)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._session.close()

    async def get(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        *,
        subresource: str | None = None,
        metadata_only: bool = False,
    ) -> Object:
        headers = {"Accept": _METADATA.format("PartialObjectMetadata")} if metadata_only else {}
        path = resource.path(namespace, name, subresource)
        return await self._object(_Call("get", resource.plural, "GET", path, headers=headers))

    async def find(self, resource: Resource, namespace: str, name: str) -> Object | None:
        """Like :meth:`get`, but a missing object is None."""
        try:
            return await self.get(resource, namespace, name)
        except NotFound:
            return None

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: str | None = None,
        fields: str | None = None,
        metadata_only: bool = False,
    ) -> tuple[list[Object], str]:
        """All objects (``namespace=None``: of all namespaces) and the resource version from which to watch on."""
        query = _selection(labels, fields) | {"limit": str(_PAGE)}
        headers = {"Accept": _METADATA.format("PartialObjectMetadataList")} if metadata_only else {}
        items: list[Object] = []
        while True:
            call = _Call("list", resource.plural, "GET", resource.path(namespace), query=query, headers=headers)
            try:
                page = await self._object(call)
            except Gone:
                if "continue" not in query:
                    raise
                query = _selection(labels, fields)  # the list grew old between two pages: all of it at once
                items = []
                continue
            items += page["items"] or []  # null when a metadata-only list of custom resources is empty
            if not page["metadata"].get("continue"):
                return items, str(page["metadata"]["resourceVersion"])
            query = query | {"continue": page["metadata"]["continue"]}

    async def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        resource_version: str,
        labels: str | None = None,
        fields: str | None = None,
        metadata_only: bool = False,
    ) -> AsyncIterator[WatchEvent]:
        """Changes after ``resource_version``, until the server ends the watch (then watch on from the last version).

        Raises :class:`Gone` when that version is too old (list again), :class:`TransientError` when the line breaks.
        """
        query = _selection(labels, fields) | {
            "watch": "true",
            "resourceVersion": resource_version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(_WATCH_SECONDS),
        }
        accept = _METADATA.format("PartialObjectMetadata") if metadata_only else "application/json"
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=_WATCH_SECONDS + 30)
        call = _Call("watch", resource.plural, "GET", resource.path(namespace), query=query, headers={"Accept": accept})
        try:
            async with await self._open(call, timeout) as response:
                async for line in _lines(response.content):
                    event = orjson.loads(line)
                    if event["type"] == "ERROR":
                        raise failures.of_status(int(event["object"].get("code", 500)), event["object"])
                    yield WatchEvent(event["type"], event["object"])
        except (aiohttp.ClientError, TimeoutError, OSError, orjson.JSONDecodeError) as error:
            raise Unavailable(f"watch of {resource.plural} broke: {failures.words(error)}") from error

    async def create(self, resource: Resource, body: Mapping[str, Any]) -> Object:
        """Raises :class:`AlreadyExists`, and :class:`Unserved` when the server does not know the kind."""
        metadata = body["metadata"]
        path = resource.path(metadata.get("namespace"))
        try:
            return await self._object(_Call("create", resource.plural, "POST", path, _typed(resource, body)))
        except NotFound as error:
            raise failures.unserved(resource, metadata.get("name", ""), error) from error

    async def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        body: Any,
        *,
        subresource: str | None = None,
        type: PatchType = "merge",  # noqa: A002 - the API's own word
    ) -> Object:
        """A guarded patch carries ``metadata.resourceVersion``; then :class:`Conflict` when the object has moved on."""
        headers = {"Content-Type": type_of_patch[type]}
        path = resource.path(namespace, name, subresource)
        return await self._object(_Call("patch", resource.plural, "PATCH", path, body, headers))

    async def apply(self, resource: Resource, body: Mapping[str, Any], *, manager: str, force: bool = True) -> Object:
        """Server-side apply: create, or own exactly these fields."""
        metadata = body["metadata"]
        path = resource.path(metadata.get("namespace"), metadata["name"])
        headers = {"Content-Type": type_of_patch["apply"]}
        query = {"fieldManager": manager, "force": str(force).lower()}
        call = _Call("apply", resource.plural, "PATCH", path, _typed(resource, body), headers, query)
        return await self._object(call)

    async def replace(self, resource: Resource, body: Mapping[str, Any], *, subresource: str | None = None) -> Object:
        metadata = body["metadata"]
        path = resource.path(metadata.get("namespace"), metadata["name"], subresource)
        return await self._object(_Call("update", resource.plural, "PUT", path, _typed(resource, body)))

    async def delete(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        *,
        uid: str | None = None,
        grace_seconds: int | None = None,
        policy: Literal["Background", "Foreground", "Orphan"] = "Background",
    ) -> None:
        """``uid`` guards against deleting a namesake. A missing object is fine: it is gone."""
        options: Object = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": policy}
        if uid:
            options["preconditions"] = {"uid": uid}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        try:
            await self._ask(_Call("delete", resource.plural, "DELETE", resource.path(namespace, name), options))
        except NotFound:
            return

    async def raw(self, path: str) -> Any:
        """Any other path, such as ``/version``."""
        return await self._ask(_Call("get", "raw", "GET", path))

    async def _ask(self, call: _Call) -> Any:
        try:
            async with await self._open(call, self._timeout) as response:
                return orjson.loads(await response.read())
        except (aiohttp.ClientError, TimeoutError, OSError, orjson.JSONDecodeError) as error:
            raise Unavailable(f"Kubernetes API: {call.method} {call.path}: {failures.words(error)}") from error

    async def _object(self, call: _Call) -> Object:
        answer = await self._ask(call)
        if not isinstance(answer, dict):
            raise Unavailable(f"Kubernetes API: {call.method} {call.path}: the answer is no object")
        return answer

    async def _open(self, call: _Call, limits: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        """A response that is no failure. A 401 means stale credentials: they are loaded again, once."""
        response = await self._send(call, limits)
        if response.status == 401:
            response.release()
            await self._access.refresh()
            response = await self._send(call, limits)
        if response.status < 400:
            return response
        async with response:
            raise failures.of_response(response, await response.read())

    async def _send(self, call: _Call, limits: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        status = 0
        content = {} if call.body is None else {"Content-Type": "application/json"}
        try:
            response = await self._session.request(
                call.method,
                self._access.url + call.path,
                params=call.query,
                data=None if call.body is None else orjson.dumps(call.body),
                headers={**content, **call.headers, **await self._access.headers()},
                timeout=limits,
                server_hostname=self._access.server_hostname,
                proxy=self._access.proxy,
            )
            status = response.status
        finally:
            self._tell(call.verb, call.plural, status)
        return response


def _typed(resource: Resource, body: Mapping[str, Any]) -> Object:
    return {"apiVersion": resource.api_version, "kind": resource.kind, **body}


def _selection(labels: str | None, fields: str | None) -> dict[str, str]:
    chosen = {"labelSelector": labels, "fieldSelector": fields}
    return {key: value for key, value in chosen.items() if value}


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Lines of any length: the reader's own line iterator refuses those over 64 KiB."""
    rest = bytearray()
    async for chunk in content.iter_any():
        searched = len(rest)
        rest += chunk
        while (end := rest.find(b"\n", searched)) >= 0:
            if line := bytes(rest[:end]).strip():
                yield line
            del rest[: end + 1]
            searched = 0
