"""Custom resources: what a definition makes of its objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from .client import Kube, Object, path
from .conftest import WIDGET_SCHEMA, Widgets, serve, widget_definition

OK: Object = {"size": 1, "a": "x"}


async def test_a_definition_is_established_and_names_what_it_serves(widgets: Widgets) -> None:
    found = (await widgets.kube.get(path("customresourcedefinitions", name=f"widgets.{widgets.group}"))).expect(200)
    conditions = {one["type"]: (one["status"], one["reason"]) for one in found["status"]["conditions"]}
    assert conditions["Established"] == ("True", "InitialNamesAccepted")
    assert conditions["NamesAccepted"] == ("True", "NoConflicts")
    assert found["status"]["acceptedNames"]["plural"] == "widgets"
    assert found["status"]["storedVersions"] == ["v1"]


async def test_defaults_are_filled_in_deeply(widgets: Widgets) -> None:
    created = (await widgets.kube.post(widgets.path(), widgets.obj(**OK))).expect(201)
    assert created["spec"] == {"size": 1, "a": "x", "mode": "fast", "deep": {"level": 3}}


async def test_null_counts_as_not_given_where_null_is_not_allowed(widgets: Widgets) -> None:
    created = (await widgets.kube.post(widgets.path(), widgets.obj(**OK, when=None, mode=None))).expect(201)
    assert created["spec"]["mode"] == "fast"
    assert "when" not in created["spec"]


async def test_unknown_fields_are_pruned_unless_they_are_to_be_kept(widgets: Widgets) -> None:
    body = widgets.obj(**OK, unknown=1, any={"kept": {"as": ["it", "is"]}})
    created = (await widgets.kube.post(widgets.path(), body | {"extra": 1})).expect(201)
    assert "unknown" not in created["spec"]
    assert "extra" not in created
    assert created["spec"]["any"] == {"kept": {"as": ["it", "is"]}}


async def test_strict_validation_names_every_unknown_field(widgets: Widgets) -> None:
    refused = await widgets.kube.post(widgets.path(), widgets.obj(**OK, zzz=1), fieldValidation="Strict")
    assert 'strict decoding error: unknown field "spec.zzz"' in refused.expect(400)["message"]


ACCEPTED: dict[str, Object] = {
    "a port by number": OK | {"port": 80},
    "a port by name": OK | {"port": "http"},
    "a pattern that matches in the middle": OK | {"note": "xabbcx"},
    "a moment": OK | {"when": "2024-01-01T00:00:00Z"},
    "the other branch": {"size": 9, "b": "x"},
    "either": OK | {"either": {"x": "1"}},
    "a multiple": OK | {"step": 4},
    "a whole number with a point": {"size": 2.0, "a": "x"},
}


@pytest.mark.parametrize("case", ACCEPTED)
async def test_valid_objects_are_stored(widgets: Widgets, case: str) -> None:
    created = (await widgets.kube.post(widgets.path(), widgets.obj(**ACCEPTED[case]))).expect(201)
    assert ACCEPTED[case].items() <= created["spec"].items()


REFUSED: dict[str, tuple[Object, str, str, str]] = {
    "text for a number": (OK | {"size": "a"}, "spec.size", "FieldValueTypeInvalid",
                          'Invalid value: "string": spec.size in body must be of type integer: "string"'),
    "a fraction for a whole number": (OK | {"size": 1.5}, "spec.size", "FieldValueTypeInvalid",
                                      'Invalid value: "number": spec.size in body must be of type integer: "number"'),
    "too small": (OK | {"size": 0}, "spec.size", "FieldValueInvalid",
                  "Invalid value: 0: spec.size in body should be greater than or equal to 1"),
    "too large": (OK | {"size": 10}, "spec.size", "FieldValueInvalid",
                  "Invalid value: 10: spec.size in body should be less than or equal to 9"),
    "not one of the enum": (OK | {"color": "blue"}, "spec.color", "FieldValueNotSupported",
                            'Unsupported value: "blue": supported values: "red", "green"'),
    "pattern": (OK | {"note": "zz"}, "spec.note", "FieldValueInvalid",
                'Invalid value: "zz": spec.note in body should match \'ab+c\''),
    "too short": (OK | {"note": "z"}, "spec.note", "FieldValueInvalid",
                  'Invalid value: "z": spec.note in body should be at least 2 chars long'),
    "too long": (OK | {"note": "zabbbbbbbbbbbbcf"}, "spec.note", "FieldValueTooLong",
                 "Too long: may not be more than 10 bytes"),
    "no moment": (OK | {"when": "x"}, "spec.when", "FieldValueTypeInvalid",
                  'Invalid value: "x": spec.when in body must be of type date-time: "x"'),
    "too many items": (OK | {"list": ["1", "2", "3"]}, "spec.list", "FieldValueTooMany",
                       "Too many: 3: must have at most 2 items"),
    "too few items": (OK | {"list": []}, "spec.list", "FieldValueInvalid",
                      "Invalid value: 0: spec.list in body should have at least 1 items"),
    "neither number nor text": (OK | {"port": 1.5}, "spec.port", "FieldValueTypeInvalid",
                                'Invalid value: "number": spec.port in body must be of type integer,string: "number"'),
    "a required field missing": ({"a": "x"}, "spec.size", "FieldValueRequired", "Required value"),
    "no branch of oneOf": ({"size": 1}, "<nil>", "FieldValueInvalid",
                           'Invalid value: "": "spec" must validate one and only one schema (oneOf). Found none valid'),
    "two branches of oneOf": ({"size": 1, "a": "x", "b": "x"}, "<nil>", "FieldValueInvalid",
                              ('Invalid value: "": "spec" must validate one and only one schema (oneOf). '
                               "Found 2 valid alternatives")),
    "no branch of anyOf": (OK | {"either": {}}, "<nil>", "FieldValueInvalid",
                           'Invalid value: "": "spec.either" must validate at least one schema (anyOf)'),
    "what not forbids": (OK | {"either": {"x": "1", "z": "1"}}, "<nil>", "FieldValueInvalid",
                         'Invalid value: "": "spec.either" must not validate the schema (not)'),
    "not more than the exclusive minimum": (OK | {"step": 0}, "spec.step", "FieldValueInvalid",
                                            "Invalid value: 0: spec.step in body should be greater than 0"),
    "no multiple": (OK | {"step": 3}, "spec.step", "FieldValueInvalid",
                    "Invalid value: 3: spec.step in body should be a multiple of 2"),
    "two items of one name": (OK | {"named": [{"name": "x"}, {"name": "x"}]}, "spec.named[1]", "FieldValueDuplicate",
                              'Duplicate value: {"name":"x"}'),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
async def test_invalid_objects_are_refused_with_the_cause_and_its_field(widgets: Widgets, case: str) -> None:
    spec, field, reason, message = REFUSED[case]
    refused = (await widgets.kube.post(widgets.path(), widgets.obj(**spec))).expect(422)
    assert refused["reason"] == "Invalid"
    assert {"reason": reason, "message": message, "field": field} in refused["details"]["causes"]
    assert (await widgets.kube.get(widgets.path("w"))).code == 404


async def test_all_causes_are_told_at_once(widgets: Widgets) -> None:
    refused = (await widgets.kube.post(widgets.path(), widgets.obj(size=0, color="blue", a="x"))).expect(422)
    assert {cause["field"] for cause in refused["details"]["causes"]} == {"spec.size", "spec.color"}
    assert refused["message"].startswith(f'Widget.{widgets.group} "w" is invalid: [')


async def test_what_was_invalid_before_and_has_not_changed_is_let_through(kube: Kube, ns: str) -> None:
    schema: Any = {"type": "object", "properties": {"spec": {"type": "object", "properties": {
        "old": {"type": "string"}, "new": {"type": "string"}}}}}  # fmt: skip
    definition = widget_definition(f"{ns}.ratchet.example.com", schema={"openAPIV3Schema": schema})
    widgets = await serve(kube, ns, definition)
    where = path("customresourcedefinitions", name=definition["metadata"]["name"])
    await kube.post(widgets.path(), widgets.obj(old="x"))
    schema["properties"]["spec"]["properties"]["old"]["maxLength"] = 0
    change = [{"op": "replace", "path": "/spec/versions/0/schema/openAPIV3Schema", "value": schema}]
    (await kube.patch(where, change, "application/json-patch+json")).expect(200)
    for number in range(200):  # a real server takes the new schema a moment later
        probe = await kube.post(widgets.path(), widgets.obj(f"p{number}", old="y"), dryRun="All")
        if probe.code == 422:
            break
    assert probe.code == 422
    (await kube.patch(widgets.path("w"), {"spec": {"new": "1"}})).expect(200)
    assert (await kube.patch(widgets.path("w"), {"spec": {"old": "yy"}})).code == 422
    await kube.delete(where)


async def test_a_definition_with_a_wrong_name_is_refused(kube: Kube, ns: str) -> None:
    definition = widget_definition(f"{ns}.example.com", schema={"openAPIV3Schema": WIDGET_SCHEMA})
    definition["metadata"]["name"] = "other.example.com"
    refused = (await kube.post(path("customresourcedefinitions"), definition)).expect(422)
    assert any(cause["field"] == "metadata.name" for cause in refused["details"]["causes"])


async def test_objects_go_with_their_definition(widgets: Widgets) -> None:
    kube = widgets.kube
    await kube.post(widgets.path(), widgets.obj(**OK))
    where = path("customresourcedefinitions", name=f"widgets.{widgets.group}")
    (await kube.delete(where)).expect(200)
    await kube.gone(where)
    assert (await kube.get(widgets.path())).code == 404


async def test_another_served_version_shows_the_same_object(kube: Kube, ns: str) -> None:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    definition = widget_definition(f"{ns}.two.example.com", schema=schema)
    definition["spec"]["versions"].append({"name": "v1beta1", "served": True, "storage": False, "schema": schema})
    widgets = await serve(kube, ns, definition)
    await kube.post(widgets.path(), widgets.obj(size=1))
    older = (await kube.get(path("widgets", ns, "w", group=f"{widgets.group}/v1beta1"))).expect(200)
    assert older["apiVersion"] == f"{widgets.group}/v1beta1"
    assert older["spec"] == {"size": 1}
    await kube.delete(path("customresourcedefinitions", name=definition["metadata"]["name"]))


async def test_printer_columns_make_the_table(kube: Kube, ns: str) -> None:
    columns = [
        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
        {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
        {"name": "Wide", "type": "string", "jsonPath": ".spec.note", "priority": 1},
        {"name": "Since", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    definition = widget_definition(f"{ns}.columns.example.com", schema=schema, additionalPrinterColumns=columns)
    widgets = await serve(kube, ns, definition)
    body = widgets.obj(size=3, note="n") | {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    await kube.post(widgets.path(), body)
    table = (await kube.get(widgets.path(), accept="application/json;as=Table;v=v1;g=meta.k8s.io")).expect(200)
    assert [(one["name"], one["priority"]) for one in table["columnDefinitions"]] == [
        ("Name", 0), ("Size", 0), ("Ready", 0), ("Wide", 1), ("Since", 0),
    ]  # fmt: skip
    assert table["rows"][0]["cells"][:4] == ["w", 3, "True", "n"]
    assert table["rows"][0]["cells"][4].endswith("s")
    await kube.delete(path("customresourcedefinitions", name=definition["metadata"]["name"]))


async def test_a_scale_subresource_reads_and_writes_the_paths_it_names(kube: Kube, ns: str) -> None:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    scale = {
        "specReplicasPath": ".spec.size",
        "statusReplicasPath": ".status.size",
        "labelSelectorPath": ".status.selector",
    }
    definition = widget_definition(
        f"{ns}.scale.example.com", schema=schema, subresources={"status": {}, "scale": scale}
    )
    widgets = await serve(kube, ns, definition)
    await kube.post(widgets.path(), widgets.obj(size=1))
    (await kube.patch(widgets.path("w", "scale"), {"spec": {"replicas": 4}})).expect(200)
    assert (await kube.get(widgets.path("w"))).body["spec"]["size"] == 4
    assert (await kube.get(widgets.path("w", "scale"))).body["spec"]["replicas"] == 4
    await kube.delete(path("customresourcedefinitions", name=definition["metadata"]["name"]))


async def test_the_projects_own_definitions_are_accepted(kube: Kube) -> None:
    directory = Path(__file__).parents[2] / "deploy" / "crds"
    found = sorted(directory.glob("*.yaml"))
    assert found
    for file in found:
        definition = yaml.safe_load(file.read_text())
        where = path("customresourcedefinitions", name=definition["metadata"]["name"])
        # applied, because a cluster may have them already
        answer = await kube.apply(where, definition, manager="contract", dryRun="All", force="true")
        assert answer.code in (200, 201), answer.body
