"""The Kubernetes API: plain JSON over aiohttp; the `kubernetes` package finds and refreshes the credentials.

Objects are plain dictionaries as the API returns them; ``schemas`` turns them into values where that helps.
Every failure is one of :mod:`handlers.adapters.errors`.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Self

import aiohttp
import orjson
from kubernetes.aio import config as credentials
from kubernetes.aio.client import Configuration

from handlers.adapters.errors import (
    AlreadyExists,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    PermanentError,
    Throttled,
    TransientError,
    Unavailable,
)
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


async def _no_headers() -> Mapping[str, str]:
    return {}


@dataclass(frozen=True)
class Access:
    """Where the API server is and how to speak to it. ``headers`` is asked for before each call: tokens expire."""

    url: str
    ssl: ssl.SSLContext | bool = True
    headers: Callable[[], Awaitable[Mapping[str, str]]] = field(default=_no_headers)


async def find_access(kubeconfig: str | None = None, context: str | None = None) -> Access:
    """``kubeconfig``, else ``$KUBECONFIG`` or ``~/.kube/config``, else the pod's own ServiceAccount.

    Raises :class:`PermanentError` that names what was looked at when there is none of them.
    """
    found = Configuration()
    try:
        await credentials.load_config(config_file=kubeconfig, context=context, client_configuration=found)
    except (credentials.ConfigException, OSError) as error:
        raise PermanentError(f"no access to Kubernetes: set KUBECONFIG or run in a pod ({error})") from error
    return Access(found.host.rstrip("/"), _tls(found), lambda: _authorisation(found))


def _tls(found: Configuration) -> ssl.SSLContext | bool:
    if not found.host.startswith("https"):
        return True
    context = ssl.create_default_context(cafile=found.ssl_ca_cert or None)
    if not found.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if found.cert_file:
        context.load_cert_chain(found.cert_file, found.key_file)
    return context


async def _authorisation(found: Configuration) -> Mapping[str, str]:
    token = await found.get_api_key_with_prefix("BearerToken")  # refreshes it first, if it is of the kind that expires
    if not token and found.username:
        token = found.get_basic_auth_token()
    return {"Authorization": token} if token else {}


class Kube:
    """A connection to one API server; use as an async context manager."""

    def __init__(self, access: Access, *, user_agent: str, impersonate: str | None = None, timeout: float = 15) -> None:
        """``impersonate`` acts as that user (tests of RBAC); ``timeout`` in seconds for every call but watches."""
        self._access = access
        self._timeout = aiohttp.ClientTimeout(total=timeout, sock_connect=5)
        headers = {"User-Agent": user_agent, "Accept": "application/json"}
        if impersonate:
            headers["Impersonate-User"] = impersonate
        connector = aiohttp.TCPConnector(ssl=access.ssl, limit=100, keepalive_timeout=60)
        self._session = aiohttp.ClientSession(
            connector=connector, headers=headers, json_serialize=lambda value: orjson.dumps(value).decode()
        )

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
        return await self._call("GET", resource.path(namespace, name, subresource), headers=headers)

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
            page = await self._call("GET", resource.path(namespace), query=query, headers=headers)
            items += page["items"] or []  # null when a metadata-only list of custom resources is empty
            if not page["metadata"].get("continue"):
                return items, str(page["metadata"]["resourceVersion"])
            query["continue"] = page["metadata"]["continue"]

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
        try:
            async with self._session.get(
                self._access.url + resource.path(namespace),
                params=query,
                headers={"Accept": accept, **await self._access.headers()},
                timeout=timeout,
            ) as response:
                if response.status >= 400:
                    raise _failure(response, await response.read())
                async for line in _lines(response.content):
                    event = orjson.loads(line)
                    if event["type"] == "ERROR":
                        raise _status_failure(int(event["object"].get("code", 500)), event["object"])
                    yield WatchEvent(event["type"], event["object"])
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(f"watch of {resource.plural} broke: {_words(error)}") from error

    async def create(self, resource: Resource, body: Mapping[str, Any]) -> Object:
        """Raises :class:`AlreadyExists`."""
        namespace = body["metadata"].get("namespace")
        return await self._call("POST", resource.path(namespace), body=_typed(resource, body))

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
        return await self._call("PATCH", resource.path(namespace, name, subresource), body=body, headers=headers)

    async def apply(self, resource: Resource, body: Mapping[str, Any], *, manager: str, force: bool = True) -> Object:
        """Server-side apply: create, or own exactly these fields."""
        metadata = body["metadata"]
        return await self._call(
            "PATCH",
            resource.path(metadata.get("namespace"), metadata["name"]),
            body=_typed(resource, body),
            headers={"Content-Type": type_of_patch["apply"]},
            query={"fieldManager": manager, "force": str(force).lower()},
        )

    async def replace(self, resource: Resource, body: Mapping[str, Any], *, subresource: str | None = None) -> Object:
        metadata = body["metadata"]
        path = resource.path(metadata.get("namespace"), metadata["name"], subresource)
        return await self._call("PUT", path, body=_typed(resource, body))

    async def delete(
        self, resource: Resource, namespace: str, name: str, *, uid: str | None = None, grace_seconds: int | None = None
    ) -> None:
        """``uid`` guards against deleting a namesake. A missing object is fine: it is gone."""
        options: Object = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        if uid:
            options["preconditions"] = {"uid": uid}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        try:
            await self._call("DELETE", resource.path(namespace, name), body=options)
        except NotFound:
            return

    async def raw(self, path: str) -> Any:
        """Any other path, such as ``/version``."""
        return await self._call("GET", path)

    async def _call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Any:
        content = {"Content-Type": "application/json"} if body is not None else {}
        try:
            async with self._session.request(
                method,
                self._access.url + path,
                params=query,
                data=None if body is None else orjson.dumps(body),
                headers={**content, **(headers or {}), **await self._access.headers()},
                timeout=self._timeout,
            ) as response:
                answer = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(f"Kubernetes API: {method} {path}: {_words(error)}") from error
        if response.status >= 400:
            raise _failure(response, answer)
        return orjson.loads(answer)


def _typed(resource: Resource, body: Mapping[str, Any]) -> Object:
    return {"apiVersion": resource.api_version, "kind": resource.kind, **body}


def _selection(labels: str | None, fields: str | None) -> dict[str, str]:
    chosen = {"labelSelector": labels, "fieldSelector": fields}
    return {key: value for key, value in chosen.items() if value}


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Lines of any length: the reader's own line iterator refuses those over 64 KiB."""
    rest = b""
    async for chunk in content.iter_any():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            if line.strip():
                yield line


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _failure(response: aiohttp.ClientResponse, answer: bytes) -> Exception:
    try:
        status = json.loads(answer)
    except ValueError:
        status = {"message": answer[:300].decode(errors="replace")}
    return _status_failure(response.status, status, response.headers.get("Retry-After"))


def _status_failure(code: int, status: Mapping[str, Any], retry_after: str | None = None) -> Exception:
    text = f"Kubernetes API: {code} {status.get('reason', '')}: {status.get('message', '')}"
    delay = float(retry_after) if retry_after and retry_after.isdigit() else None
    if code == 409 and status.get("reason") == "AlreadyExists":
        return AlreadyExists(text)
    if code == 429:
        return Throttled(text, delay)
    kinds: dict[int, type[Exception]] = {401: Forbidden, 403: Forbidden, 404: NotFound, 409: Conflict, 410: Gone}
    if kind := kinds.get(code):
        return kind(text)
    return Invalid(text) if code < 500 else Unavailable(text, delay)


__all__ = ["Access", "Kube", "Object", "PatchType", "TransientError", "WatchEvent", "find_access"]
