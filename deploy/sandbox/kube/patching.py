"""JSON merge patch (RFC 7386) and JSON patch (RFC 6902)."""

from __future__ import annotations

import copy
from typing import Any

from . import errors


def merge_patch(target: Any, patch: Any) -> Any:
    """The target with a merge patch laid over it; null removes. The target's parts may be shared."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def _refused(why: str) -> errors.StatusError:
    return errors.StatusError(422, "Invalid", "the server rejected our request due to an error in our request", {
        "causes": [{"message": why}],
    })  # fmt: skip


def _pointer(path: Any) -> list[str]:
    if not isinstance(path, str) or (path and not path.startswith("/")):
        raise _refused(f"no JSON pointer: {path!r}")
    return [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]


def _index(parent: list[Any], part: str, insert: bool = False) -> int:
    if insert and part == "-":
        return len(parent)
    if not part.lstrip("-").isdigit() or not 0 <= int(part) < len(parent) + insert:
        raise _refused(f"index out of range: {part}")
    return int(part)


def _read(document: Any, parts: list[str]) -> Any:
    for part in parts:
        if isinstance(document, list):
            document = document[_index(document, part)]
        elif isinstance(document, dict) and part in document:
            document = document[part]
        else:
            raise _refused(f"missing path: /{'/'.join(parts)}")
    return document


def _add(document: Any, parts: list[str], value: Any) -> Any:
    if not parts:
        return value
    parent = _read(document, parts[:-1])
    if isinstance(parent, list):
        parent.insert(_index(parent, parts[-1], insert=True), value)
    elif isinstance(parent, dict):
        parent[parts[-1]] = value
    else:
        raise _refused(f"no such parent: /{'/'.join(parts)}")
    return document


def _remove(document: Any, parts: list[str]) -> Any:
    _read(document, parts)
    parent = _read(document, parts[:-1])
    if isinstance(parent, list):
        parent.pop(_index(parent, parts[-1]))
    else:
        del parent[parts[-1]]
    return document


def json_patch(document: Any, operations: Any) -> Any:
    """The patched document. Raises StatusError 422 when a test fails or a path does not exist."""
    if not isinstance(operations, list):
        raise errors.bad_request(
            "error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch"
        )
    document = copy.deepcopy(document)
    for operation in operations:
        document = _operate(document, operation)
    return document


def _operate(document: Any, operation: dict[str, Any]) -> Any:
    parts = _pointer(operation.get("path"))
    match operation.get("op"):
        case "add":
            return _add(document, parts, copy.deepcopy(operation.get("value")))
        case "remove":
            return _remove(document, parts)
        case "replace":
            if not parts:
                return copy.deepcopy(operation.get("value"))
            return _add(_remove(document, parts), parts, copy.deepcopy(operation.get("value")))
        case "move":
            origin = _pointer(operation.get("from"))
            value = _read(document, origin)
            return _add(_remove(document, origin), parts, value)
        case "copy":
            return _add(document, parts, copy.deepcopy(_read(document, _pointer(operation.get("from")))))
        case "test":
            if _read(document, parts) != operation.get("value"):
                raise _refused(f"testing path {operation.get('path')} failed")
            return document
        case unknown:
            raise _refused(f"unknown operation: {unknown}")
