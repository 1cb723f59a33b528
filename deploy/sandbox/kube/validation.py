"""Judges an object by its structural schema, in the words of the real API server."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import re
import uuid
from collections.abc import Callable
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import re2

from .errors import Cause, duplicate, invalid_value, required, shown, unsupported_value

Schema = dict[str, Any]


@lru_cache(maxsize=4096)
def _pattern(text: str) -> Any:
    return re2.compile(text)


def type_name(value: Any) -> str:
    """The JSON type of a value."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "integer" if value.is_integer() else "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def _has_type(value: Any, wanted: str) -> bool:
    actual = type_name(value)
    return actual == wanted or (wanted == "number" and actual == "integer")


def check(value: Any, schema: Schema | None, path: str = "") -> list[Cause]:
    """Everything that is wrong with `value`; an empty list when it is valid."""
    if schema is None:
        return []
    causes: list[Cause] = []
    if value is None:
        if schema.get("nullable") or not schema.get("type"):
            return causes
        return [_wrong_type(path, value, schema["type"])]
    if schema.get("x-kubernetes-int-or-string") and type_name(value) not in ("integer", "string"):
        return [_wrong_type(path, value, "integer,string")]
    if (wanted := schema.get("type")) and not _has_type(value, wanted):
        return [_wrong_type(path, value, wanted)]
    if "enum" in schema and value not in schema["enum"]:
        causes.append(unsupported_value(path, value, schema["enum"]))
    return causes + _content(value, schema, path) + _combined(value, schema, path)


def _content(value: Any, schema: Schema, path: str) -> list[Cause]:
    match value:
        case dict():
            return _object(value, schema, path)
        case list():
            return _array(value, schema, path)
        case str():
            return _string(value, schema, path)
        case bool():
            return []
        case _:
            return _number(value, schema, path)


def _wrong_type(path: str, value: Any, wanted: str) -> Cause:
    actual = type_name(value)
    where = f"{path} in body" if path else "in body"
    return Cause(
        "FieldValueTypeInvalid", f'Invalid value: "{actual}": {where} must be of type {wanted}: "{actual}"', path
    )


def _object(value: dict[str, Any], schema: Schema, path: str) -> list[Cause]:
    properties, additional = schema.get("properties") or {}, schema.get("additionalProperties")
    causes = [required(_join(path, name)) for name in schema.get("required", ()) if name not in value]
    for name in sorted(value):
        if name in properties:
            causes += check(value[name], properties[name], _join(path, name))
        elif isinstance(additional, dict):
            causes += check(value[name], additional, _join(path, name))
    count = len(value)
    if (least := schema.get("minProperties")) is not None and count < least:
        causes.append(invalid_value(path, count, f"{path} in body should have at least {least} properties"))
    if (most := schema.get("maxProperties")) is not None and count > most:
        causes.append(_too_many(path, count, most))
    return causes


def _array(value: list[Any], schema: Schema, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, item in enumerate(value):
        causes += check(item, schema.get("items"), f"{path}[{index}]")
    if (least := schema.get("minItems")) is not None and len(value) < least:
        causes.append(invalid_value(path, len(value), f"{path} in body should have at least {least} items"))
    if (most := schema.get("maxItems")) is not None and len(value) > most:
        causes.append(_too_many(path, len(value), most))
    keys = schema.get("x-kubernetes-list-map-keys") or ()
    kind = schema.get("x-kubernetes-list-type")
    if kind in ("map", "set") or schema.get("uniqueItems"):
        causes += _repeated(value, keys, schema, path)
    return causes


def _repeated(value: list[Any], keys: list[str] | tuple[()], schema: Schema, path: str) -> list[Cause]:
    seen: list[Any] = []
    causes: list[Cause] = []
    defaults = {key: ((schema.get("items") or {}).get("properties") or {}).get(key, {}).get("default") for key in keys}
    for index, item in enumerate(value):
        own = {key: item.get(key, defaults[key]) for key in keys} if keys and isinstance(item, dict) else item
        if own in seen:
            causes.append(duplicate(f"{path}[{index}]", own))
        seen.append(own)
    return causes


def _too_many(path: str, count: int, most: int) -> Cause:
    return Cause("FieldValueTooMany", f"Too many: {count}: must have at most {most} items", path)


def _string(value: str, schema: Schema, path: str) -> list[Cause]:
    causes: list[Cause] = []
    if (most := schema.get("maxLength")) is not None and len(value) > most:
        causes.append(Cause("FieldValueTooLong", f"Too long: may not be more than {most} bytes", path))
    if (least := schema.get("minLength")) is not None and len(value) < least:
        causes.append(invalid_value(path, value, f"{path} in body should be at least {least} chars long"))
    if (pattern := schema.get("pattern")) and not _pattern(pattern).search(value):
        causes.append(invalid_value(path, value, f"{path} in body should match '{pattern}'"))
    known = _FORMATS.get(schema.get("format", ""))
    if known is not None and not known(value):
        why = f"{path} in body must be of type {schema['format']}: {shown(value)}"
        causes.append(Cause("FieldValueTypeInvalid", f"Invalid value: {shown(value)}: {why}", path))
    return causes


def _number(value: float, schema: Schema, path: str) -> list[Cause]:
    causes: list[Cause] = []
    if (least := schema.get("minimum")) is not None:
        exclusive = bool(schema.get("exclusiveMinimum"))
        if value < least or (exclusive and value == least):
            word = "greater than" if exclusive else "greater than or equal to"
            causes.append(invalid_value(path, value, f"{path} in body should be {word} {_plain(least)}"))
    if (most := schema.get("maximum")) is not None:
        exclusive = bool(schema.get("exclusiveMaximum"))
        if value > most or (exclusive and value == most):
            word = "less than" if exclusive else "less than or equal to"
            causes.append(invalid_value(path, value, f"{path} in body should be {word} {_plain(most)}"))
    if (step := schema.get("multipleOf")) and value % step:
        causes.append(invalid_value(path, value, f"{path} in body should be a multiple of {_plain(step)}"))
    limits = {"int32": 2**31, "int64": 2**63}.get(schema.get("format", ""))
    if limits and not -limits <= value < limits:
        causes.append(invalid_value(path, value, f"{path} in body must be of type {schema['format']}: {shown(value)}"))
    return causes


def _plain(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else str(number)


def _combined(value: Any, schema: Schema, path: str) -> list[Cause]:
    """allOf, anyOf, oneOf, not: the branches may only narrow, so their own causes follow the verdict."""
    causes: list[Cause] = []
    for branch in schema.get("allOf", ()):
        causes += check(value, branch, path)
    if branches := schema.get("anyOf"):
        tried = [check(value, branch, path) for branch in branches]
        if all(tried):
            causes += [_verdict(path, "must validate at least one schema (anyOf)"), *tried[0]]
    if branches := schema.get("oneOf"):
        tried = [check(value, branch, path) for branch in branches]
        valid = sum(1 for found in tried if not found)
        if valid == 0:
            closest = min(tried, key=len)
            causes += [_verdict(path, "must validate one and only one schema (oneOf). Found none valid"), *closest]
        elif valid > 1:
            said = f"must validate one and only one schema (oneOf). Found {valid} valid alternatives"
            causes.append(_verdict(path, said))
    if (branch := schema.get("not")) and not check(value, branch, path):
        causes.append(_verdict(path, "must not validate the schema (not)"))
    return causes


def _verdict(path: str, said: str) -> Cause:
    return Cause("FieldValueInvalid", f'Invalid value: "": "{path}" {said}', "<nil>")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _date_time(text: str) -> bool:
    if not re.match(r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}", text):
        return False
    return _parses(datetime.datetime.fromisoformat, text.upper().replace(" ", "T"))


def _parses(parse: Callable[[str], Any], text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


_DURATION = re.compile(r"^[+-]?(\d+(\.\d*)?|\.\d+)\s*(ns|us|µs|ms|s|m|h|d|w|[a-z]*)([\d.\sa-zµ]*)$")
_HOST = re.compile(r"^([a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)*[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.?$")
_FORMATS: dict[str, Callable[[str], bool]] = {
    "date-time": _date_time,
    "date": lambda text: _parses(datetime.date.fromisoformat, text),
    "duration": lambda text: bool(_DURATION.match(text)),
    "ipv4": lambda text: _parses(ipaddress.IPv4Address, text),
    "ipv6": lambda text: _parses(ipaddress.IPv6Address, text),
    "cidr": lambda text: _parses(lambda value: ipaddress.ip_network(value, strict=False), text),
    "uuid": lambda text: _parses(uuid.UUID, text),
    "hostname": lambda text: bool(_HOST.match(text)),
    "email": lambda text: bool(re.match(r"^[^@\s]+@[^@\s]+$", text)),
    "uri": lambda text: bool(urlsplit(text).scheme),
    "byte": lambda text: _parses(lambda value: base64.b64decode(value, validate=True), text),
}
