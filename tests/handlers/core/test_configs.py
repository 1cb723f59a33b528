"""What the primary reads: copies under names of their own, and nothing else is renamed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.core.configs import Config, Revision, renamed
from schemas.configs import places
from tests.schemas.templates import NAMES, template, templates

KEYS = [f"{kind}/{name}" for kind in ("configmap", "secret") for name in NAMES]
MOUNTED = template(volumes=[{"name": "v", "configMap": {"name": "a"}}])


def revision(made: dict[str, Any], *keys: str, content: str = "x") -> Revision:
    return Revision(made, tuple(Config(key, {"data": {"k": content}}) for key in keys))


@given(templates(), st.sets(st.sampled_from(KEYS)))
def test_tracked_names_and_no_others_are_renamed_everywhere(made: dict[str, Any], tracked: set[str]) -> None:
    made = json.loads(json.dumps(made))  # as it comes from an API: nothing is in it twice
    before = json.dumps(made)
    copied = renamed(revision(made, *tracked), {key: f"{key.partition('/')[2]}-primary" for key in tracked})
    expected = [f"{place.key}-primary" if place.key in tracked else place.key for place in places(made)]
    assert [place.key for place in places(copied)] == expected
    assert json.dumps(made) == before, "what was given stays as it is"
    for place in places(copied):
        place.holder[place.field] = place.name.removesuffix("-primary")  # type: ignore[index]
    assert copied == made, "and nothing else is touched"


def test_a_template_without_tracked_objects_is_copied_as_it_is() -> None:
    assert renamed(revision(MOUNTED), {}) == MOUNTED


def test_a_copy_has_the_whole_content_and_is_not_immutable() -> None:
    item = {"data": {"a": "b"}, "binaryData": {"c": "AAEC"}, "immutable": True, "metadata": {"labels": {"x": "y"}}}
    assert Config("configmap/a", item).content == {"data": {"a": "b"}, "binaryData": {"c": "AAEC"}}
    assert Config("secret/a", {"type": "kubernetes.io/tls"}).content == {"type": "kubernetes.io/tls"}


@pytest.mark.parametrize(
    ("prefixes", "kept"),
    [
        ((), {}),
        (("team.io/",), {"team.io/name": "a"}),
        (("*",), {"team.io/name": "a", "app": "b"}),
    ],
)
def test_labels_are_taken_over_by_prefix(prefixes: tuple[str, ...], kept: dict[str, str]) -> None:
    labels = {"team.io/name": "a", "app": "b", "kustomize.toolkit.fluxcd.io/name": "c", "canarybus.dev/canary": "d"}
    assert Config("configmap/a", {"metadata": {"labels": labels}}).labels(prefixes) == kept
    assert Config("configmap/a", {"metadata": {}}).labels(prefixes) == {}
