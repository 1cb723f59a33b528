"""What a Canary depends on, and whom an object concerns."""

from __future__ import annotations

import pytest

from schemas.configs import copy_names
from tests.watcher.canaries import canary
from watcher.index import Index, Key, config_key, dependencies, tracked_name


def test_a_canary_depends_on_everything_that_is_named_after_it() -> None:
    spec = {
        "service": {"name": "web", "port": 80},
        "autoscalerRef": {"kind": "HorizontalPodAutoscaler", "name": "podinfo"},
        "upstreamRef": {"name": "source", "namespace": "gloo-system"},
    }
    tracked = {"secret/token": "0123456789abcdef", "odd": "1"}
    versions = {"secret/token": "5", "configmap/later": ""}
    found = dependencies(canary(spec=spec, trackedConfigs=tracked, trackedConfigVersions=versions))
    assert {str(key): role.value for key, role in found.items()} == {
        "Deployment/podinfo": "target",
        "Deployment/podinfo-primary": "primary",
        "RouteTable/web": "gateway",
        "Service/web": "service",
        "Service/web-primary": "service",
        "Service/web-canary": "service",
        "Upstream/test-web-primaryupstream-80": "upstream",
        "Upstream/test-web-canaryupstream-80": "upstream",
        "HorizontalPodAutoscaler/podinfo-primary": "scaler",
        "HorizontalPodAutoscaler/podinfo": "source",
        "Upstream/source": "source",
        "Secret/token": "config",
        "ConfigMap/later": "config",
        **dict.fromkeys([f"Secret/{name}" for name in copy_names("podinfo", "secret/token")], "copy"),
    }
    assert Key("Upstream", "gloo-system", "source") in found


def test_a_canary_depends_on_what_is_in_force_and_on_the_target_that_it_is_asked_to_go_to() -> None:
    names = {"kind": "Deployment", "target": "before", "service": "before", "port": 80}
    found = [str(key) for key in dependencies(canary(names=names))]
    assert found[:4] == ["Deployment/podinfo", "Deployment/before", "Deployment/before-primary", "RouteTable/before"]


def test_the_index_forgets_what_a_canary_no_longer_depends_on() -> None:
    index, old, new = Index(), Key("Service", "test", "old"), Key("Service", "test", "new")
    index.put("a", [old])
    index.put("b", [old, new])
    index.put("a", [new])
    assert index.canaries(old) == {"b"}
    assert index.canaries(new) == {"a", "b"}
    index.drop("b")
    assert index.canaries(old) == frozenset()
    assert index.canaries(new) == {"a"}


@pytest.mark.parametrize("text", ["configmap/colour", "secret/token"])
def test_a_key_and_its_name_in_the_status_are_the_same_thing(text: str) -> None:
    key = config_key("test", text)
    assert key is not None
    assert tracked_name(key) == text


@pytest.mark.parametrize("text", ["", "configmap", "configmap/", "pod/x"])
def test_a_key_that_names_no_config_is_none(text: str) -> None:
    assert config_key("test", text) is None
