"""From a pydantic model to a structural schema (apiextensions.k8s.io/v1).

The API server wants every reference written out, no alternatives with null, no titles, and a type at each node.
A field that is not nullable drops its nulls before it is judged, so an optional field is simply not required.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.base import Wire

Schema = dict[str, Any]
_KEPT = ("type", "format", "pattern", "enum", "minimum", "maximum", "minItems", "maxItems")
"""What is taken over as it is. Defaults are not: a stored default outlives the code that chose it."""


def structural_schema(model: type[Wire]) -> Schema:
    """The schema of what ``model`` reads. ``Any`` becomes an empty schema: the constraints have to say what it is."""
    whole = model.model_json_schema(by_alias=True)
    return _inline(whole, whole.get("$defs", {}))


def _inline(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> Schema:
    if "$ref" in node:
        return _inline(definitions[node["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in node:
        return _alternatives([branch for branch in node["anyOf"] if branch != {"type": "null"}], definitions)
    found: Schema = {key: node[key] for key in _KEPT if key in node}
    if node.get("required"):
        found["required"] = list(node["required"])
    if isinstance(node.get("additionalProperties"), Mapping):
        found["additionalProperties"] = _inline(node["additionalProperties"], definitions)
    if "items" in node:
        found["items"] = _inline(node["items"], definitions)
    if "properties" in node:
        found["properties"] = {name: _inline(child, definitions) for name, child in node["properties"].items()}
    return found


def _alternatives(branches: list[Mapping[str, Any]], definitions: Mapping[str, Any]) -> Schema:
    if len(branches) == 1:
        return _inline(branches[0], definitions)
    if {branch.get("type") for branch in branches} == {"integer", "string"}:
        return {"x-kubernetes-int-or-string": True}
    raise ValueError(f"a structural schema has no alternatives: {branches}")


def loosened(schema: Schema) -> Schema:
    """Without enums and required fields, all the way down.

    A status is written by programs, newer ones among them: a stricter definition would refuse their words.
    """
    found = {key: value for key, value in schema.items() if key not in ("enum", "required")}
    for key in ("items", "additionalProperties"):
        if key in found:
            found[key] = loosened(found[key])
    if "properties" in found:
        found["properties"] = {name: loosened(child) for name, child in found["properties"].items()}
    return found


def constrain(schema: Schema, constraints: Mapping[str, Mapping[str, Any]]) -> None:
    """Lay ``constraints`` over ``schema``, in place. A path is ``a.b[].c``: ``[]`` is an item, ``{}`` a value of a map.

    Raises KeyError that names the path when there is no such field: the model was renamed, or the table is wrong.
    """
    for path, words in constraints.items():
        _find(schema, path).update(words)


def _find(schema: Schema, path: str) -> Schema:
    node = schema
    for part in path.split(".") if path else ():
        name = part.rstrip("[]{}")
        try:
            node = node["properties"][name]
            for ending, key in (("[]", "items"), ("{}", "additionalProperties")):
                if part.endswith(ending):
                    node = node[key]
        except KeyError as error:
            raise KeyError(f"the model has no field {path!r}") from error
    return node
