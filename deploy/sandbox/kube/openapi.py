"""`/openapi/v3`: schemas for `kubectl explain` and apply, and the sign that fields are validated here.

`/openapi/v2` is an empty document: kubectl then knows no schema and leaves validation to the server.
"""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web

from . import shapes
from .resources import Resource, Resources

Object = dict[str, Any]
_PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"


def _field(number: int, payload: bytes) -> bytes:
    return bytes([number << 3 | 2, len(payload)]) + payload


def _empty_v2() -> bytes:
    """`{swagger: "2.0", info: {title, version}, paths: {}}` in the protobuf form that kubectl asks for."""
    info = _field(1, b"Kubernetes") + _field(2, b"v1.36.0")
    return _field(1, b"2.0") + _field(2, info) + _field(8, b"")


class Schemas:
    """OpenAPI documents of the resources that exist at the moment."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources
        self._made: dict[tuple[str, int], bytes] = {}

    def answer(self, path: str, accept: str) -> web.Response:
        if path == "/openapi/v2":
            if "protobuf" in accept:
                return web.Response(body=_empty_v2(), headers={"Content-Type": _PROTOBUF})
            info = {"title": "Kubernetes", "version": "v1.36.0"}
            return self._json(orjson.dumps({"swagger": "2.0", "info": info, "paths": {}, "definitions": {}}))
        name = path.removeprefix("/openapi/v3").strip("/")
        if not name:
            return self._json(orjson.dumps({"paths": self._index()}))
        if name not in self._index():
            return web.Response(text="404 page not found\n", status=404)
        key = (name, self.resources.generation)
        if key not in self._made:
            self._made[key] = orjson.dumps(self._document(name))
        return self._json(self._made[key])

    def _json(self, body: bytes) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    def _index(self) -> Object:
        found: Object = {}
        for group, versions in self.resources.group_versions().items():
            for version in versions:
                name = f"apis/{group}/{version}" if group else f"api/{version}"
                found[name] = {"serverRelativeURL": f"/openapi/v3/{name}?hash={self.resources.generation}"}
        return found

    def _document(self, name: str) -> Object:
        _, _, rest = name.partition("/")
        group, _, version = rest.rpartition("/")
        schemas: Object = {}
        paths: Object = {}
        for resource in self.resources.in_version(group, version):
            kind = {"group": group, "version": version, "kind": resource.kind}
            own = self._add_schema(schemas, resource, version, kind)
            where = f"/{name}/namespaces/{{namespace}}" if resource.namespaced else f"/{name}"
            paths[f"{where}/{resource.plural}"] = {"post": _operation(kind, "post", own)}
            paths[f"{where}/{resource.plural}/{{name}}"] = {
                method: _operation(kind, method, own) for method in ("get", "put", "patch", "delete")
            }
        return {
            "openapi": "3.0.0",
            "info": {"title": "Kubernetes", "version": "v1.36.0"},
            "paths": paths,
            "components": {"schemas": schemas},
        }

    def _add_schema(self, schemas: Object, resource: Resource, version: str, kind: Object) -> str:
        served = resource.version(version)
        name = shapes.published()["kinds"].get(f"{resource.group}/{version}/{resource.kind}")
        own = name or ".".join([*reversed((resource.group or "core").split(".")), version, resource.kind])
        schema = served.schema if served else None
        waiting = [(own, (schema or {"type": "object"}) | {"x-kubernetes-group-version-kind": [kind]})]
        while waiting:
            current, found = waiting.pop()
            schemas[current] = _pointing(found)
            definitions = shapes.published()["definitions"]
            waiting += [(name, definitions[name]) for name in shapes.references(found) if name not in schemas]
        return own


def _pointing(schema: Any) -> Any:
    """The schema with references as OpenAPI writes them."""
    if isinstance(schema, list):
        return [_pointing(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if isinstance(schema.get("$ref"), str):
        return {"allOf": [{"$ref": f"#/components/schemas/{schema['$ref']}"}]}
    return {name: _pointing(value) for name, value in schema.items()}


def _operation(kind: Object, method: str, schema: str) -> Object:
    names = ["dryRun", "fieldManager", "fieldValidation"] if method in ("post", "put", "patch") else []
    reference = {"$ref": f"#/components/schemas/{schema}"}
    return {
        "x-kubernetes-action": method,
        "x-kubernetes-group-version-kind": kind,
        "parameters": [{"name": name, "in": "query", "schema": {"type": "string"}} for name in names],
        "responses": {"200": {"description": "OK", "content": {"application/json": {"schema": reference}}}},
    }
