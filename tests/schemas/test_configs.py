"""Which ConfigMaps and Secrets a template names, which of them are tracked, and what their contents hash to."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.configs import checksum, places, references, tracked
from schemas.kinds.anatomy import RESTARTED
from schemas.workload import Workload
from tests.schemas.templates import json_values, template, templates

EVERYWHERE = template(
    volumes=[
        {"name": "a", "configMap": {"name": "mounted"}},
        {"name": "b", "secret": {"secretName": "mounted"}},
        {"name": "c", "projected": {"sources": [{"configMap": {"name": "part"}}, {"secret": {"name": "part"}}]}},
        {"name": "d", "csi": {"driver": "x", "nodePublishSecretRef": {"name": "not-ours"}}},
    ],
    containers=[
        {
            "name": "app",
            "env": [
                {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "one-key", "key": "a"}}},
                {"name": "B", "valueFrom": {"secretKeyRef": {"name": "one-key", "key": "a"}}},
                {"name": "C", "value": "plain"},
                {"name": "D", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            ],
            "envFrom": [{"configMapRef": {"name": "whole"}}, {"secretRef": {"name": "whole"}}],
        }
    ],
    initContainers=[{"name": "init", "envFrom": [{"configMapRef": {"name": "first"}}]}],
    ephemeralContainers=[{"name": "debug", "envFrom": [{"configMapRef": {"name": "not-ours"}}]}],
    imagePullSecrets=[{"name": "not-ours"}],
)


def test_every_place_that_is_scanned_is_found_and_no_other() -> None:
    assert list(references(EVERYWHERE)) == [
        "configmap/mounted",
        "secret/mounted",
        "configmap/part",
        "secret/part",
        "configmap/one-key",
        "secret/one-key",
        "configmap/whole",
        "secret/whole",
        "configmap/first",
    ]


@pytest.mark.parametrize(("first", "last", "optional"), [(True, None, False), (None, True, True), (None, None, False)])
def test_the_last_place_decides_whether_an_object_may_be_missing(
    first: bool | None, last: bool | None, optional: bool
) -> None:
    def ref(optional: bool | None) -> dict[str, Any]:
        return {"configMapRef": {"name": "a", **({} if optional is None else {"optional": optional})}}

    found = references(template(containers=[{"name": "app", "envFrom": [ref(first), ref(last)]}]))
    assert found == {"configmap/a": optional}


@given(json_values)
def test_whatever_a_template_is_looking_for_references_ends_well(value: Any) -> None:
    for shape in ({"spec": value}, {"spec": {"volumes": value, "containers": value, "initContainers": value}}):
        for place in places(shape):
            assert place.name


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"data": {"colour": "blue"}}, "0432367cd6bedd01"),
        (
            {
                "data": {
                    "b": '<a href="x">&amp;</a>\n',
                    "a.conf": 'tab\tquote"back\\slash\u2028\u2029 ünï \x7f\b\f\x01\r',
                }
            },
            "b5ed46e8997fcc7d",
        ),
        ({}, "74234e98afe7498f"),
        ({"data": {}}, "74234e98afe7498f"),
        ({"data": {"token": "b2YtcG9kaW5mbw==", "raw": "//4+"}, "type": "Opaque"}, "5325e11c96c249d3"),
    ],
)
def test_a_checksum_is_what_a_go_program_makes_of_the_same_data(item: dict[str, Any], expected: str) -> None:
    """The values were made by encoding/json and crypto/sha256 of Go 1.26."""
    assert checksum(item) == expected


def test_binary_data_counts() -> None:
    plain, binary = {"data": {"a": "b"}}, {"data": {"a": "b"}, "binaryData": {"logo": "AAEC"}}
    assert checksum(plain) != checksum(binary)
    assert checksum(binary) != checksum({**binary, "binaryData": {"logo": "AAED"}})
    assert checksum({"binaryData": {"logo": "AAEC"}}) != checksum({})


def test_metadata_immutability_and_type_do_not_count() -> None:
    item = {"data": {"a": "b"}}
    assert checksum({**item, "metadata": {"labels": {"a": "b"}}, "immutable": True, "type": "x"}) == checksum(item)


@pytest.mark.parametrize(("value", "expected"), [("disabled", False), ("disable", False), ("enabled", True)])
def test_an_annotation_takes_an_object_out_of_tracking(value: str, expected: bool) -> None:
    item = {"metadata": {"annotations": {"flagger.app/config-tracking": value}}}
    assert tracked("configmap/a", item) is expected
    assert tracked("secret/a", item) is expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("Opaque", True),
        ("kubernetes.io/basic-auth", True),
        ("kubernetes.io/ssh-auth", True),
        ("kubernetes.io/tls", True),
        ("kubernetes.io/dockerconfigjson", False),
        ("kubernetes.io/service-account-token", False),
        ("helm.sh/release.v1", False),
    ],
)
def test_only_secrets_of_some_types_are_tracked(kind: str, expected: bool) -> None:
    assert tracked("secret/a", {"type": kind}) is expected


_keys = st.sampled_from(["a", "b"])


@given(st.dictionaries(_keys, st.text(max_size=5)), st.dictionaries(_keys, st.text(max_size=5)))
def test_different_contents_have_different_checksums(one: dict[str, str], other: dict[str, str]) -> None:
    assert (checksum({"data": one}) == checksum({"data": other})) is (one == other)


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet"])
@given(made=templates())
def test_that_we_started_pods_anew_is_no_part_of_a_revision(kind: str, made: dict[str, Any]) -> None:
    plain = {"kind": kind, "metadata": {"name": "podinfo"}, "spec": {"template": made}}
    for written in ({}, {"theirs": "1"}):
        theirs = {**made["metadata"], **({"annotations": written} if written else {})}
        ours = {**made["metadata"], "annotations": {**written, RESTARTED: "7"}}
        before, after = (
            Workload({**plain, "spec": {"template": {**made, "metadata": metadata}}}) for metadata in (theirs, ours)
        )
        assert after.content == before.content
        assert after.revision() == before.revision()
