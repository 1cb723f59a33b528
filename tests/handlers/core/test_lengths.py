"""Names that leave no room for ``-primary`` are told with the field and the room there is; all others work."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.core.observation import Rules
from schemas.names import fitted
from tests.handlers.core.manifests import podinfo, weighted
from tests.handlers.core.test_validate import found
from tests.handlers.targets import target_object

A = "a"
ROOM, ANOTHER = "leave room for the", "-primary; give spec.service.name another"
SHORT = f"{A * 20}…{A * 10}-primary"


def target(kind: str, name: str, label: str = "podinfo") -> dict[str, Any]:
    """A spec for :func:`found`; ``label``: the value that the selector has."""
    if kind == "Service":
        made = target_object(kind, namespace="test")
    else:
        made = podinfo()
        made["spec"]["selector"]["matchLabels"] = made["spec"]["template"]["metadata"]["labels"] = {"app": label}
    return {**made, "kind": kind, "metadata": {**podinfo()["metadata"], "name": name}}


def spec(kind: str, name: str, service: str | None = None, **more: Any) -> dict[str, Any]:
    named = {
        "targetRef": {"kind": kind, "name": name},
        "service": {"port": 9898, **({"name": service} if service else {})},
    }
    return weighted() | named | more


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet", "Service"])
@pytest.mark.parametrize("name", ["a", "0", "a" * 55])
def test_a_target_that_leaves_room_is_fine(kind: str, name: str) -> None:
    assert found(spec(kind, name), target=target(kind, name)) == ()


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet"])
def test_behind_a_short_service_name_a_target_may_have_a_long_name(kind: str) -> None:
    name = f"{'a' * 200}.{'b' * 44}"
    assert found(spec(kind, name, "podinfo"), target=target(kind, name)) == ()


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        (spec("Deployment", A * 56), f"spec.targetRef.name has 56 characters; 55 {ROOM} Service {A * 56}{ANOTHER}"),
        (
            spec("Deployment", "podinfo", A * 56),
            f"spec.service.name has 56 characters; 55 {ROOM} Service {A * 56}{ANOTHER}",
        ),
        (spec("Service", A * 56), f"spec.targetRef.name has 56 characters; 55 {ROOM} Service {A * 56}-primary"),
        (
            spec("DaemonSet", A * 246, "podinfo"),
            f"spec.targetRef.name has 246 characters; 245 {ROOM} DaemonSet {SHORT}",
        ),
        (
            spec("Deployment", "podinfo", autoscalerRef={"kind": "ScaledObject", "name": A * 246}),
            f"spec.autoscalerRef.name has 246 characters; 245 {ROOM} ScaledObject {SHORT}",
        ),
        (
            spec("Deployment", "my.app"),
            "spec.targetRef.name: no Service can be called my.app; give spec.service.name another",
        ),
    ],
)
def test_one_that_does_not_is_told_with_the_field_and_the_room(wanted: dict[str, Any], problem: str) -> None:
    ref = wanted["targetRef"]
    assert found(wanted, target=target(ref["kind"], ref["name"])) == (problem,)


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet"])
def test_so_is_a_label_by_which_the_primarys_pods_would_be_found(kind: str) -> None:
    (problem,) = found(spec(kind, "podinfo"), target=target(kind, "podinfo", "a" * 56))
    assert problem == (
        f"{kind.lower()} podinfo.test spec.selector.matchLabels.app has 56 characters; 55 leave room for the label "
        f"{'a' * 56}-primary; name another of its labels in CANARYBUS_SELECTOR_LABELS, or make it anew, "
        "a selector is for ever"
    )
    assert found(spec(kind, "podinfo"), target=target(kind, "podinfo", "a" * 55)) == ()


def test_another_label_is_a_remedy() -> None:
    item = target("Deployment", "podinfo")
    item["spec"]["selector"]["matchLabels"] |= {"app": "a" * 63, "name": "podinfo"}
    assert found(spec("Deployment", "podinfo"), target=item, rules=Rules(selector_labels=("name", "app"))) == ()


@pytest.mark.parametrize(("name", "most", "end"), [("podinfo", 7, ""), ("podinfo", 15, "-primary")])
def test_what_fits_stays_as_it_is(name: str, most: int, end: str) -> None:
    assert fitted(name, most, end=end) == name + end
    assert fitted(name, most - 1, end=end) != name + end


def test_long_names_that_begin_alike_stay_two() -> None:
    made = {fitted(f"{'a' * 100}{end}", 63) for end in "bc"}
    assert {len(name) for name in made} == {63}
    assert len(made) == 2


def test_a_cut_name_does_not_end_in_a_dot_or_dash_before_its_digest() -> None:
    assert fitted("a" * 53 + ".-" + "b" * 40, 63)[:54] == "a" * 53 + "-"
