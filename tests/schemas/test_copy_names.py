"""What a primary's copies of ConfigMaps and Secrets may be called: nobody reads another's by mistake."""

from __future__ import annotations

from itertools import combinations, product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.configs import absent_name, copy_names, free_copy_names

_PARTS = st.sampled_from(["config", "web", "primary", "a", "0"])
NAMES = st.lists(_PARTS, min_size=1, max_size=5).map("-".join)
"""Of few words, so that the name of one is often part of another's."""
LONG = "x" * 253


def last(canary: str, name: str, kind: str = "configmap") -> str:
    return copy_names(canary, f"{kind}/{name}")[-1]


@given(st.sets(NAMES), NAMES)
@example({"config", "config-web"}, "web")
@example({"config", "config-primary"}, "web")
@example({"config", last("web", "config").removesuffix("-primary")}, "web")
@example({LONG, f"{LONG[:-1]}y"}, "web")
@example({LONG, "config"}, LONG)
def test_no_two_of_what_pods_read_can_be_copied_to_one_name_or_to_what_they_read(names: set[str], canary: str) -> None:
    keys = {f"{kind}/{name}" for kind, name in product(("configmap", "secret"), names)}
    free = {key: set(free_copy_names(canary, key, keys)) for key in keys}
    for key, other in combinations(sorted(keys), 2):
        if key.partition("/")[0] == other.partition("/")[0]:
            assert not free[key] & free[other]
    for key, copies in free.items():
        kind = key.partition("/")[0]
        assert not {f"{kind}/{name}" for name in (*copies, absent_name(canary, key))} & keys
        assert absent_name(canary, key) not in set().union(*free.values())
        assert all(len(name) <= 253 for name in (*copies, absent_name(canary, key)))


@given(st.sets(NAMES), NAMES)
def test_everything_that_people_read_together_can_be_copied(names: set[str], canary: str) -> None:
    keys = {f"configmap/{name}" for name in names}
    assert all(free_copy_names(canary, key, keys) for key in keys)


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        ({"config"}, ["config-primary", "config-web-primary"]),
        ({"config", "login"}, ["config-primary", "config-web-primary"]),
        ({"config", "config-web"}, ["config-primary"]),
        ({"config", "config-primary"}, ["config-web-primary"]),
        ({"config", "config-web-primary"}, ["config-primary"]),
        ({"config", "config-primary", "config-web"}, []),
    ],
)
def test_names_that_are_in_use_stay_where_they_can_mean_one_thing_only(read: set[str], expected: list[str]) -> None:
    found = free_copy_names("web", "configmap/config", {f"configmap/{name}" for name in read})
    assert found == (*expected, last("web", "config"))


def test_a_secret_takes_no_name_from_a_configmap() -> None:
    assert free_copy_names("web", "secret/config", {"configmap/config-primary", "secret/config"})[0] == "config-primary"


def test_canaries_never_have_the_last_name_in_common() -> None:
    assert last("web", "config") != last("podinfo", "config")


@pytest.mark.parametrize("length", [245, 246, 253])
def test_a_name_to_which_nothing_can_be_added_is_cut_and_stays_a_name(length: int) -> None:
    name = "a" * 230 + "." + "b" * (length - 231)
    found = free_copy_names("web", f"configmap/{name}", {f"configmap/{name}"})
    assert (found[0] == f"{name}-primary") is (length == 245)
    assert all(len(one) <= 253 and "-." not in one and ".-" not in one for one in found)
