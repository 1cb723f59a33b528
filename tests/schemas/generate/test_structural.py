"""Models become structural schemas; constraints find their place or say that it is gone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import pytest

from schemas.base import Moment, Wire
from schemas.canary import CanarySpec
from schemas.generate import definitions
from schemas.generate.structural import constrain, loosened, structural_schema


class Leaf(Wire):
    """Never described to a user."""

    kind: Literal["oak", "ash"]
    age: int | None = None


class Tree(Wire):
    leaf: Leaf | None = None
    leaves: tuple[Leaf, ...] = ()
    by_name: dict[str, Leaf] = {}
    seen: Moment | None = None
    port: int | str = "http"


LEAF = {
    "type": "object",
    "required": ["kind"],
    "properties": {"kind": {"type": "string", "enum": ["oak", "ash"]}, "age": {"type": "integer"}},
}


def test_references_are_written_out_and_nothing_is_null_or_defaulted() -> None:
    assert structural_schema(Tree) == {
        "type": "object",
        "properties": {
            "leaf": LEAF,
            "leaves": {"type": "array", "items": LEAF},
            "byName": {"type": "object", "additionalProperties": LEAF},
            "seen": {"type": "string", "format": "date-time"},
            "port": {"x-kubernetes-int-or-string": True},
        },
    }


def test_alternatives_that_no_structural_schema_can_have_are_refused() -> None:
    class Torn(Wire):
        value: bool | str = ""

    with pytest.raises(ValueError, match="no alternatives"):
        structural_schema(Torn)


def test_a_loosened_schema_takes_words_that_are_not_known_yet() -> None:
    assert loosened({"type": "array", "items": LEAF})["items"] == {
        "type": "object",
        "properties": {"kind": {"type": "string"}, "age": {"type": "integer"}},
    }


def test_a_constraint_reaches_items_and_values_of_maps() -> None:
    schema = structural_schema(Tree)
    constrain(schema, {"leaves[].age": {"minimum": 1}, "byName{}.age": {"maximum": 9}})
    assert schema["properties"]["leaves"]["items"]["properties"]["age"] == {"type": "integer", "minimum": 1}
    assert schema["properties"]["byName"]["additionalProperties"]["properties"]["age"]["maximum"] == 9


@pytest.mark.parametrize("path", ["branch", "leaf.colour", "leaf[]", "by_name"])
def test_a_constraint_on_a_field_that_is_gone_names_it(path: str) -> None:
    with pytest.raises(KeyError, match="no field"):
        constrain(structural_schema(Tree), {path: {"minimum": 1}})


DEFINITIONS = [definitions.canary(), definitions.metric_template(), definitions.alert_provider()]


def _nodes(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from _nodes(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from _nodes(schema[key], f"{path}.{key}")


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition["metadata"]["name"])
def test_every_node_of_a_definition_says_its_type(definition: dict[str, Any]) -> None:
    root = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    untyped = [
        path
        for path, node in _nodes(root, "")
        if "type" not in node
        and node != {"x-kubernetes-int-or-string": True} | {"description": node.get("description")}
    ]
    assert untyped == []


def test_the_one_default_is_the_peers() -> None:
    root = definitions.canary()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert [(path, node["default"]) for path, node in _nodes(root, "") if "default" in node] == [
        (".spec.analysis.sessionAffinity.maxAge", 86400)
    ]


def test_numbers_of_the_spec_are_numbers_but_for_those_that_the_peer_counts() -> None:
    spec = definitions.canary()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    whole = [path for path, node in _nodes(spec, "") if node.get("type") == "integer"]
    assert whole == [
        ".autoscalerRef.primaryScalerReplicas.minReplicas",
        ".autoscalerRef.primaryScalerReplicas.maxReplicas",
        ".analysis.metrics.items.consecutive",
    ]


def test_every_field_of_the_model_is_in_the_definition() -> None:
    spec = definitions.canary()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    assert {field.alias for field in CanarySpec.model_fields.values()} == set(spec["properties"])
