"""The HTTP side: one handler, which counts, meets faults, and asks the cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from aiohttp import web

from . import discovery, errors, faultpages, lists, openapi, render, request, scale, subresources
from .admission import Options
from .cluster import Cluster
from .faults import Fault, Faults
from .request import Target
from .store import Record
from .streams import Stream

Object = dict[str, Any]
_PATCHES = (request.JSON_PATCH, request.MERGE, request.STRATEGIC, request.APPLY)
_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
Handler = Callable[[web.BaseRequest, Target], Awaitable[web.StreamResponse]]


def _json(body: bytes | Object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    text = body if isinstance(body, bytes) else orjson.dumps(body)
    return web.Response(body=text, status=status, content_type="application/json", headers=headers)


def _verb(method: str, target: Target, query: Any) -> str:
    """The API verb, as audit logs and RBAC name it."""
    if method == "GET":
        if request.is_true(query.get("watch", "")):
            return "watch"
        return "get" if target.name else "list"
    if method == "DELETE":
        return "delete" if target.name else "deletecollection"
    return {"POST": "create", "PUT": "update", "PATCH": "patch"}.get(method, method.lower())


class Server:
    """Serves one cluster. `handle` is a low-level aiohttp handler."""

    def __init__(self, cluster: Cluster, faults: Faults) -> None:
        self.cluster, self.faults = cluster, faults
        self.documents = discovery.Documents(cluster.resources)
        self.schemas = openapi.Schemas(cluster.resources)
        self.streams: set[Stream] = set()
        faults.drop_watches = self.drop_watches
        faults.compact = cluster.store.compact
        self._verbs: dict[str, Handler] = {
            "get": self._get, "list": self._list, "watch": self._watch, "create": self._create, "update": self._update,
            "patch": self._patch, "delete": self._delete, "deletecollection": self._delete_collection,
        }  # fmt: skip

    def drop_watches(self) -> None:
        """End every watch at once, as a restarting server or a broken network does."""
        for stream in list(self.streams):
            stream.close()

    async def handle(self, asked: web.BaseRequest) -> web.StreamResponse:
        try:
            target = request.locate(self.cluster.resources, asked.path)
            if target is None:
                return await self._document(asked)
            return await self._resource(asked, target)
        except errors.StatusError as refusal:
            return _json(refusal.body(), refusal.code, refusal.headers)

    async def _document(self, asked: web.BaseRequest) -> web.StreamResponse:
        path = asked.path.rstrip("/") or "/"
        if path.startswith("/faults"):
            return await faultpages.handle(asked, path, self.faults)
        if path.startswith("/apis/authorization.k8s.io/v1/") and asked.method == "POST":
            return _json(subresources.review(path, await asked.read()), 201)
        if asked.method == "GET":
            if path in ("/healthz", "/readyz", "/livez"):
                return web.Response(text="ok")
            if path.startswith("/openapi/"):
                return self.schemas.answer(path, asked.headers.get("Accept", ""))
            form = request.form(asked.headers.get("Accept", ""))
            if (found := self.documents.find(path, form)) is not None:
                kind = _AGGREGATED if found.get("kind") == "APIGroupDiscoveryList" else "application/json"
                return web.Response(body=orjson.dumps(found), headers={"Content-Type": kind})
        return web.Response(text="404 page not found\n", status=404)

    async def _resource(self, asked: web.BaseRequest, target: Target) -> web.StreamResponse:
        verb = _verb(asked.method, target, asked.query)
        met = self.faults.take(verb, target.resource.name, target.name, asked.headers.get("User-Agent", ""))
        for fault in met:
            await self._meet(fault, target)
        if verb == "get" and any(fault.kind == "stale" for fault in met):
            back = max(fault.versions for fault in met)
            return self._answer(asked, target, self._older(target, back))
        if target.subresource and target.subresource not in ("status", "scale"):
            made = subresources.create(
                self.cluster, target, asked.method, await self._body(asked, target), self._options(asked)
            )
            return _json(made.body, made.code)
        handler = self._verbs.get(verb)
        if handler is None or (not target.name) is (verb in ("get", "update", "patch", "delete")):
            raise errors.method_not_allowed()
        if target.subresource == "status" and not target.version.status:
            return web.Response(text="404 page not found\n", status=404)
        return await handler(asked, target)

    async def _meet(self, fault: Fault, target: Target) -> None:
        if fault.kind in ("latency", "timeout"):
            await asyncio.sleep(fault.seconds)
        if fault.kind == "timeout":
            raise errors.StatusError(504, "Timeout", "Timeout: request did not complete within the allotted timeout")
        if refusal := fault.refusal(target.resource.group, target.resource.plural, target.name):
            raise refusal

    def _older(self, target: Target, versions: int) -> Record:
        """What the object was some of its versions ago (or as far back as is known)."""
        record = self.cluster.find(target.resource, target.key)
        past = [
            change.record
            for change in self.cluster.store.history(target.resource.key)
            if change.record.key == target.key and change.record.version < record.version
        ]
        return past[-min(versions, len(past))] if past else record

    # answers

    def _options(self, asked: web.BaseRequest, kind: str = "PatchOptions") -> Options:
        return request.options(asked.query, asked.headers.get("User-Agent", ""), kind)

    def _answer(
        self,
        asked: web.BaseRequest,
        target: Target,
        record: Record,
        status: int = 200,
        options: Options | None = None,
    ) -> web.Response:
        form = request.form(asked.headers.get("Accept", ""))
        response = _json(render.one(target, record, form, asked.query.get("includeObject", "Metadata")), status)
        for warning in options.warnings if options is not None else ():
            response.headers.add("Warning", f'299 - "{warning.replace(chr(34), chr(92) + chr(34))}"')
        return response

    async def _body(self, asked: web.BaseRequest, target: Target) -> Any:
        body = await asked.read()
        if not body:
            return {}
        return request.decode(body, asked.headers.get("Content-Type", ""), target.resource.kind)

    # verbs

    async def _get(self, asked: web.BaseRequest, target: Target) -> web.StreamResponse:
        record = self.cluster.find(target.resource, target.key)
        if target.subresource == "scale":
            return _json(scale.of(target, record))
        return self._answer(asked, target, record)

    async def _list(self, asked: web.BaseRequest, target: Target) -> web.StreamResponse:
        form = request.form(asked.headers.get("Accept", ""))
        records, metadata = lists.page(self.cluster.store, target, asked.query)
        return _json(render.many(target, records, metadata, form, asked.query.get("includeObject", "Metadata")))

    async def _watch(self, asked: web.BaseRequest, target: Target) -> web.StreamResponse:
        form = request.form(asked.headers.get("Accept", ""))
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        try:
            stream = Stream(self.cluster, target, asked.query, form, asked.query.get("includeObject", "Metadata"))
        except errors.StatusError as refusal:
            if refusal.code != 410:
                raise
            await response.prepare(asked)
            await response.write(b'{"type":"ERROR","object":' + orjson.dumps(refusal.body()) + b"}\n")
            return response
        self.streams.add(stream)
        try:
            await response.prepare(asked)
            await stream.send(response)
        except ConnectionError:
            return response
        finally:
            stream.stop()
            self.streams.discard(stream)
        return response

    async def _create(self, asked: web.BaseRequest, target: Target) -> web.StreamResponse:
        if target.name:
            raise errors.method_not_allowed()
        options = self._options(asked, "CreateOptions")
        obj = request.decode(await asked.read(), asked.headers.get("Content-Type", ""), target.resource.kind)
        record = self.cluster.create(target.resource, target.version.name, target.namespace, obj, options)
        return self._answer(asked, target, record, 201, options)

    async def _update(self, asked: web.BaseRequest, target: Target) -> web.StreamResponse:
        options = self._options(asked, "UpdateOptions")
        obj = request.decode(await asked.read(), asked.headers.get("Content-Type", ""), target.resource.kind)
        if target.subresource == "scale":
            return self._scale(target, lambda _: obj, options)
        record = self.cluster.update(target.resource, target.version.name, target.key, obj, options, target.subresource)
        return self._answer(asked, target, record, 200, options)

    async def _patch(self, asked: web.BaseRequest, target: Target) -> web.StreamResponse:
        options = self._options(asked)
        media = asked.headers.get("Content-Type", "").partition(";")[0].strip()
        accepted = tuple(one for one in _PATCHES if not (target.resource.custom and one == request.STRATEGIC))
        if media not in accepted:
            raise errors.unsupported_media(accepted)
        patch = request.decode_patch(await asked.read(), media)
        if media == request.APPLY and target.subresource != "scale":
            if not asked.query.get("fieldManager"):
                cause = errors.required("fieldManager", "is required for apply patch")
                raise errors.invalid("meta.k8s.io", "PatchOptions", "", [cause])
            record, created = self.cluster.apply(
                target.resource, target.version.name, target.key, patch, options, target.subresource
            )
            return self._answer(asked, target, record, 201 if created else 200, options)
        change = subresources.patcher(media, patch, target)
        if target.subresource == "scale":
            return self._scale(target, change, options)
        record = self.cluster.patch(
            target.resource, target.version.name, target.key, change, options, target.subresource
        )
        return self._answer(asked, target, record, 200, options)

    def _scale(self, target: Target, change: Callable[[Object], Any], options: Options) -> web.Response:
        before = scale.of(target, self.cluster.find(target.resource, target.key))
        wanted = change(before)
        record = self.cluster.patch(
            target.resource,
            target.version.name,
            target.key,
            lambda obj: scale.with_replicas(target, obj, wanted),
            options,
        )
        return _json(scale.of(target, record))

    async def _delete(self, asked: web.BaseRequest, target: Target) -> web.StreamResponse:
        wanted, options = await self._delete_options(asked, target)
        record, gone = self.cluster.delete(target.resource, target.key, wanted, options)
        if not gone or (target.resource.kind in lists.RETURNED and not target.resource.custom):
            return self._answer(asked, target, record)
        return _json(lists.deleted(target, record))

    async def _delete_collection(self, asked: web.BaseRequest, target: Target) -> web.StreamResponse:
        wanted, options = await self._delete_options(asked, target)
        records, metadata = lists.page(self.cluster.store, target, asked.query)
        for record in records:
            self.cluster.delete(target.resource, record.key, wanted, options)
        return _json(render.many(target, records, metadata, "json"))

    async def _delete_options(self, asked: web.BaseRequest, target: Target) -> tuple[Object, Options]:
        wanted = dict(await self._body(asked, target) or {})
        for name in ("propagationPolicy", "gracePeriodSeconds", "orphanDependents"):
            if name in asked.query:
                text = asked.query[name]
                wanted[name] = text if name == "propagationPolicy" else orjson.loads(text)
        dry_run = "".join(wanted.get("dryRun") or ()) or asked.query.get("dryRun", "")
        query = {"dryRun": dry_run}
        return wanted, request.options(query, asked.headers.get("User-Agent", ""), "DeleteOptions")
