"""The manifests agree with the code and with each other."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from schemas.settings import Settings
from tests.deploy.api import DEPLOY, manifests

DIRECTORY = DEPLOY / "kubernetes"
LISTED = yaml.safe_load((DIRECTORY / "kustomization.yaml").read_text())["resources"]
OBJECTS = manifests(DIRECTORY / name for name in LISTED)
WORKLOADS = [item for item in OBJECTS if item["kind"] in ("Deployment", "StatefulSet")]
PODS = {item["metadata"]["name"]: item["spec"]["template"] for item in WORKLOADS}
CONTAINERS = {name: pod["spec"]["containers"][0] for name, pod in PODS.items()}


def test_every_file_is_installed() -> None:
    assert sorted(LISTED) == sorted(path.name for path in DIRECTORY.glob("*.yaml") if path.name != "kustomization.yaml")


def test_every_setting_exists() -> None:
    known = {f"CANARYBUS_{name.upper()}" for name in Settings.model_fields}
    [settings] = [item for item in OBJECTS if item["metadata"]["name"] == "canarybus-settings"]
    set_in_pods = {variable["name"] for container in CONTAINERS.values() for variable in container["env"]}
    assert set(settings["data"]) <= known
    assert {name for name in set_in_pods if name.startswith("CANARYBUS_")} <= known


def test_the_settings_that_are_installed_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    [settings] = [item for item in OBJECTS if item["metadata"]["name"] == "canarybus-settings"]
    for name, value in settings["data"].items():
        monkeypatch.setenv(name, value)
    [bus] = [item for item in WORKLOADS if item["kind"] == "StatefulSet"]
    assert Settings().nats_replicas == bus["spec"]["replicas"]


@pytest.mark.parametrize("name", PODS)
def test_every_pod_runs_without_root_and_writes_nowhere_but_in_volumes(name: str) -> None:
    pod, container = PODS[name]["spec"], CONTAINERS[name]["securityContext"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["readOnlyRootFilesystem"] is True
    assert container["allowPrivilegeEscalation"] is False
    assert container["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize("part", ["watcher", "handlers"])
def test_two_of_each_process_are_probed_and_have_time_to_finish(part: str) -> None:
    [deployment] = [item for item in WORKLOADS if item["metadata"]["name"] == f"canarybus-{part}"]
    container, pod = CONTAINERS[f"canarybus-{part}"], PODS[f"canarybus-{part}"]["spec"]
    assert deployment["spec"]["replicas"] == 2
    assert container["args"] == ["-m", part, *(["--provision"] if part == "watcher" else [])]
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    assert container["ports"] == [{"name": "http", "containerPort": Settings.model_fields["port"].default}]
    assert pod["serviceAccountName"] == f"canarybus-{part}"
    # handlers finish what they began within 25 s of SIGTERM
    assert pod["terminationGracePeriodSeconds"] == 30


def test_every_selector_finds_pods() -> None:
    selectors = [item["spec"]["selector"] for item in OBJECTS if item["kind"] == "Service"]
    selectors += [_labels(item) for item in OBJECTS if item["kind"] in ("PodDisruptionBudget", "NetworkPolicy")]
    assert len(selectors) == 7
    for selector in selectors:
        assert [pod for pod in PODS.values() if selector.items() <= pod["metadata"]["labels"].items()], selector


def _labels(item: dict[str, Any]) -> dict[str, str]:
    chosen = item["spec"]["selector"] if "selector" in item["spec"] else item["spec"]["podSelector"]
    labels: dict[str, str] = chosen["matchLabels"]
    return labels
