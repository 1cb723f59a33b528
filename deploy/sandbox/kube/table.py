"""Tables: what `kubectl get` shows of each kind, as the server describes it."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Sequence
from typing import Any

from .columns import BUILT_IN, Column, age
from .request import Target
from .store import Record

Object = dict[str, Any]
_FILTER = re.compile(r"""\[\?\(@\.(?P<field>[\w.]+)\s*==\s*["'](?P<value>[^"']*)["']\)\]""")
_INDEX = re.compile(r"\[(\d+|\*)\]")


def of_records(target: Target, records: Sequence[Record], include: str, headers: bool, version: str) -> Object:
    """A Table of some records. `include` is Metadata, Object or None."""
    columns = _columns(target)
    now = datetime.datetime.now(datetime.UTC)
    table: Object = {
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": version},
        "columnDefinitions": [column.definition() for column in columns] if headers else None,
        "rows": [_row(columns, record, include, now) for record in records],
    }  # fmt: skip
    return table


def _row(columns: Sequence[Column], record: Record, include: str, now: datetime.datetime) -> Object:
    obj = record.load()
    row: Object = {"cells": [column.cell(obj, now) for column in columns]}
    if include == "Object":
        row["object"] = obj
    elif include != "None":
        row["object"] = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}
    return row


def _columns(target: Target) -> Sequence[Column]:
    name = Column("Name", "string", lambda obj, _: obj["metadata"]["name"], format="name")
    if not target.resource.custom:
        own = BUILT_IN.get(target.resource.kind)
        if own is not None:
            return (name, *own)
    elif target.version.columns:
        return (name, *(_custom(column) for column in target.version.columns))
    created = Column("Age", "string" if not target.resource.custom else "date", age)
    return (name, created)


def _custom(column: Object) -> Column:
    read = path_reader(column["jsonPath"])
    kind = column["type"]

    def cell(obj: Object, now: datetime.datetime) -> Any:
        found = read(obj)
        if not found:
            return None
        if kind == "date":
            return age({"metadata": {"creationTimestamp": found[0]}}, now)
        if kind == "string":
            return ",".join(_text(value) for value in found)
        return found[0]

    return Column(
        column["name"], kind, cell, column.get("format", ""), column.get("priority", 0), column.get("description", "")
    )


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def path_reader(path: str) -> Callable[[Object], list[Any]]:
    """A reader of the JSONPath that printer columns use: fields, `[0]`, `[*]` and `[?(@.type=="Ready")]`."""
    steps = re.findall(r"""\[\?\([^)]*\)\]|\[(?:\d+|\*)\]|\[['"][^'"]+['"]\]|(?:\\.|[^.\[\]])+""", path)

    def read(obj: Object) -> list[Any]:
        values: list[Any] = [obj]
        for step in steps:
            values = [found for value in values for found in _step(value, step)]
        return values

    return read


def _step(value: Any, step: str) -> list[Any]:
    if found := _FILTER.fullmatch(step):
        items = value if isinstance(value, list) else []
        return [item for item in items if isinstance(item, dict) and str(item.get(found["field"])) == found["value"]]
    if found := _INDEX.fullmatch(step):
        items = value if isinstance(value, list) else []
        return items if found[1] == "*" else items[int(found[1]) : int(found[1]) + 1]
    name = step.strip("[]'\"").replace("\\.", ".")
    return [value[name]] if isinstance(value, dict) and value.get(name) is not None else []
