"""From a request's object to one that may be stored: decode, prune, fill in, judge."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from . import errors, kinds, rules, shapes, structural, validation
from .ownership import Schema
from .resources import Resource, Version

Object = dict[str, Any]
OBJECT_META = {"$ref": "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}
_GO_TYPES = {
    "integer": ("int32", "int64"),
    "boolean": ("bool", "bool"),
    "string": ("string", "string"),
    "number": ("float64", "float64"),
}


@dataclass
class Options:
    """How a write was asked for: by whom, for real or not, how strict."""

    manager: str = "unknown"
    dry_run: bool = False
    strict: str = "Warn"  # Ignore, Warn or Strict, for unknown fields
    force: bool = False
    warnings: list[str] = field(default_factory=list)


def ownership_schema(resource: Resource, version: Version) -> Schema | None:
    """The schema that says which lists are keyed, metadata included."""
    return version.ownership if resource.custom else version.schema


def check_identity(resource: Resource, version: str, obj: Any, namespace: str, name: str | None) -> Object:
    """The decoded object, when it is what the path says. Raises StatusError 400 or 422 otherwise."""
    if not isinstance(obj, dict):
        raise errors.bad_request(f"the object provided is unrecognized (must be of type {resource.kind})")
    expected = resource.api_version(version)
    given = obj.setdefault("apiVersion", expected)
    kind = obj.setdefault("kind", resource.kind)
    if given != expected:
        if not resource.custom and (kind != resource.kind or not resource.version(given.rpartition("/")[2])):
            why = f'no kind "{kind}" is registered for version "{given}"'
            raise errors.bad_request(f'{kind} in version "{given}" cannot be handled as a {resource.kind}: {why}')
        why = f"the API version in the data ({given}) does not match the expected API version ({expected})"
        raise errors.bad_request(why)
    metadata = obj.get("metadata")
    metadata = obj["metadata"] = {} if metadata is None else metadata
    if not isinstance(metadata, dict):
        raise errors.bad_request(
            f'{kind} in version "{version}" cannot be handled as a {resource.kind}: metadata is no object'
        )
    if kind != resource.kind:
        if resource.custom:
            cause = errors.invalid_value("kind", kind, f"must be {resource.kind}")
            raise errors.invalid(resource.group, kind, metadata.get("name", ""), [cause])
        raise errors.bad_request(
            f'{kind} in version "{version}" cannot be handled as a {resource.kind}: unknown conversion'
        )
    if resource.namespaced:
        if metadata.setdefault("namespace", namespace) != namespace:
            raise errors.bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
    else:
        metadata.pop("namespace", None)
    if name is not None and metadata.setdefault("name", name) != name:
        why = f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})"
        raise errors.bad_request(why)
    return obj


def admit(resource: Resource, version: Version, obj: Object, options: Options, known: Object | None = None) -> Object:
    """The object pruned and with defaults, in the version of the request; `known` is the one it replaces.

    Raises StatusError 400 for a wrong type in a built-in kind and, with `fieldValidation=Strict`,
    for unknown fields.
    """
    unknown: list[str] = []
    _clean_metadata(obj)
    if resource.custom:
        structural.drop_nulls(obj, version.schema)
        obj = structural.prune(obj, version.schema, "", unknown, root=True)
        metadata = structural.prune_built_in(obj["metadata"], OBJECT_META, "metadata", unknown)
        _typed(metadata, OBJECT_META, "metadata", resource.kind, version.name)
        obj["metadata"] = metadata
        structural.fill_defaults(obj, version.schema)
    elif version.schema is not None:
        obj = structural.prune_built_in(obj, version.schema, "", unknown, known)
        _typed(obj, version.schema, "", resource.kind, version.name, known)
    if unknown and options.strict == "Strict":
        listed = ", ".join(f'unknown field "{path}"' for path in unknown)
        shown = f'{resource.kind} in version "{version.name}" cannot be handled as a {resource.kind}'
        raise errors.bad_request(f"{shown}: strict decoding error: {listed}")
    if unknown and options.strict == "Warn":
        options.warnings += [f'unknown field "{path}"' for path in unknown]
    return obj


def _clean_metadata(obj: Object) -> None:
    metadata = obj["metadata"]
    for name in [
        name for name, value in metadata.items() if value is None or (value in ({}, []) and name != "managedFields")
    ]:
        del metadata[name]
    metadata.pop("selfLink", None)


def fill_in(resource: Resource, obj: Object) -> None:
    """Defaults of the built-in kinds, in place, on the stored version."""
    if not resource.custom and (fill := kinds.DEFAULTS.get(resource.kind)) is not None:
        fill(obj)


def judge(resource: Resource, version: Version, obj: Object, old: Object | None) -> None:
    """Raises StatusError 422 with every cause when the object is invalid.

    On an update of a custom resource a value that was invalid before and has not changed is let through.
    """
    causes = rules.metadata_causes(obj, resource.kind) + _late_finalizers(obj, old)
    if resource.custom:
        found = validation.check({name: value for name, value in obj.items() if name != "metadata"}, version.schema)
        causes += found if old is None else [cause for cause in found if not _unchanged(cause.field, obj, old)]
    elif (rule := rules.RULES.get(resource.kind)) is not None:
        causes += rule(obj, old)
    if causes:
        raise errors.invalid(resource.group, resource.kind, obj["metadata"].get("name", ""), causes)


def _late_finalizers(obj: Object, old: Object | None) -> list[errors.Cause]:
    if old is None or "deletionTimestamp" not in old["metadata"]:
        return []
    known = old["metadata"].get("finalizers") or []
    late = [one for one in obj["metadata"].get("finalizers") or () if one not in known]
    if not late:
        return []
    shown = ", ".join(f'"{one}"' for one in late)
    why = f"no new finalizers can be added if the object is being deleted, found new finalizers []string{{{shown}}}"
    return [errors.Cause("FieldValueForbidden", f"Forbidden: {why}", "metadata.finalizers")]


_STEP = re.compile(r"[^.\[\]]+")


def _at(obj: Any, path: str) -> Any:
    for step in _STEP.findall(path):
        if isinstance(obj, list) and step.isdigit() and int(step) < len(obj):
            obj = obj[int(step)]
        elif isinstance(obj, dict):
            obj = obj.get(step)
        else:
            return None
    return obj


def _unchanged(path: str, obj: Object, old: Object) -> bool:
    value = _at(obj, path)
    if value is None:  # a missing field is judged with its parent
        parent = path.rpartition(".")[0]
        return bool(parent) and _at(obj, parent) is not None and _at(obj, parent) == _at(old, parent)
    return bool(value == _at(old, path))


def _typed(value: Any, schema: Schema | None, path: str, kind: str, version: str, known: Any = None) -> None:
    """Refuse values that the built-in shape cannot hold, as a decoder would."""
    schema = shapes.resolve(schema)
    if schema is None or value is None or value == known or schema.get("x-kubernetes-int-or-string"):
        return
    wanted = schema.get("type")
    actual = validation.type_name(value)
    if wanted and actual != wanted and not (wanted == "number" and actual == "integer"):
        go = "object" if actual == "object" else {"boolean": "bool", "integer": "number"}.get(actual, actual)
        into = _GO_TYPES.get(wanted, (wanted, wanted))[schema.get("format") == "int64"]
        where = f"{kind}.{path}"
        raise errors.bad_request(
            f'{kind} in version "{version}" cannot be handled as a {kind}: '
            f"json: cannot unmarshal {go} into Go struct field {where} of type {into}"
        )
    if isinstance(value, list):
        for item in value:
            _typed(item, schema.get("items"), path, kind, version)
    elif isinstance(value, dict):
        properties, additional = schema.get("properties") or {}, schema.get("additionalProperties")
        for name, child in value.items():
            if name == "managedFields":
                continue
            nested = properties.get(name, additional if isinstance(additional, dict) else None)
            if nested is not None:
                before = known.get(name) if isinstance(known, dict) else None
                _typed(child, nested, f"{path}.{name}" if path else name, kind, version, before)
