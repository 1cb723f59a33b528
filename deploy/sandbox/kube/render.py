"""An object, or a list of them, in the form that the client asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from . import table, views
from .request import Target
from .store import Record

Object = dict[str, Any]
_META = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}


def one(target: Target, record: Record, form: str, include: str = "Metadata", headers: bool = True) -> bytes:
    """A single object as JSON text. `headers` false leaves a table's column definitions out (in a watch)."""
    if form == "json":
        return views.raw(target.resource, target.version.name, record)
    if form == "metadata":
        return orjson.dumps(_META | {"metadata": record.load()["metadata"]})
    return orjson.dumps(table.of_records(target, [record], include, headers, str(record.version)))


def many(target: Target, records: Sequence[Record], metadata: Object, form: str, include: str = "Metadata") -> bytes:
    """A list as JSON text; `metadata` is that of the list."""
    if form == "table":
        found = table.of_records(target, records, include, True, metadata["resourceVersion"])
        found["metadata"] |= metadata
        return orjson.dumps(found)
    if form == "metadata":
        items = [_META | {"metadata": record.load()["metadata"]} for record in records]
        return orjson.dumps(
            {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": metadata, "items": items}
        )
    resource, version = target.resource, target.version.name
    head = {"kind": resource.list_kind, "apiVersion": resource.api_version(version), "metadata": metadata}
    texts = [views.raw(resource, version, record) for record in records]
    if not resource.custom:  # items of a built-in list do not say what they are
        texts = [_bare(text) for text in texts]
    return orjson.dumps(head)[:-1] + b',"items":[' + b",".join(texts) + b"]}"


def _bare(text: bytes) -> bytes:
    """The object without apiVersion and kind, which its text begins with."""
    start = text.index(b'"metadata"') if text.startswith(b'{"apiVersion"') else 1
    return b"{" + text[start:]
