"""The kubelet's pure parts: addresses, images, environment, volumes, and which probe is meant."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest

from deploy.sandbox.kubelet.addresses import Addresses
from deploy.sandbox.kubelet.agent import may_run_on
from deploy.sandbox.kubelet.environment import ConfigMissingError, Configs, environment
from deploy.sandbox.kubelet.images import ImageMissingError, command_line, repository
from deploy.sandbox.kubelet.probes import (
    ExecCheck,
    HttpCheck,
    NoCheck,
    Probe,
    TcpCheck,
    probe_of,
    readiness_probe_of,
    succeeds,
)
from deploy.sandbox.kubelet.volumes import materialise
from deploy.sandbox.messages import Request, Response
from deploy.sandbox.network import free_port
from deploy.sandbox.webserver import WebServer
from handlers.adapters.kube import Object
from schemas.resources import CONFIG_MAP, SECRET, Resource


class Shelf:
    """ConfigMaps and Secrets of namespace test."""

    def __init__(self) -> None:
        self.objects: dict[tuple[Resource, str], Object] = {
            (CONFIG_MAP, "colors"): {"data": {"color": "red", "size": "5"}},
            (SECRET, "keys"): {"data": {"api": base64.b64encode(b"s3cret").decode()}},
        }

    async def find(self, resource: Resource, namespace: str, name: str) -> Object | None:
        assert namespace == "test"
        return self.objects.get((resource, name))


def pod(**spec: Any) -> Object:
    labels = {"app": "podinfo"}
    return {
        "metadata": {"name": "podinfo-1-a", "namespace": "test", "uid": "u1", "labels": labels},
        "spec": {"nodeName": "sandbox", **spec},
    }


def container(**fields: Any) -> Object:
    return {"name": "podinfod", "image": "stefanprodan/podinfo:6.0.1", **fields}


async def variables(**fields: Any) -> dict[str, str]:
    return await environment(pod(), container(**fields), "10.5.0.1", Configs(Shelf(), "test"))


def test_addresses_are_those_of_the_network_and_never_given_twice() -> None:
    addresses = Addresses(5)
    given = [addresses.claim(None) for _ in range(600)]
    assert given[:2] == ["10.5.0.1", "10.5.0.2"]
    assert len(set(given)) == 600
    assert not [address for address in given if address.endswith((".0", ".255"))]


def test_a_pod_keeps_its_address_if_it_is_free_and_of_this_network() -> None:
    addresses = Addresses(5)
    assert addresses.claim("10.5.0.2") == "10.5.0.2"
    assert addresses.claim("10.5.0.2") == "10.5.0.1"
    assert addresses.claim(None) == "10.5.0.3"
    assert addresses.claim("10.6.0.9") == "10.5.0.4"


@pytest.mark.parametrize("network", [0, 255, 1000])
def test_a_network_outside_of_one_octet_is_refused(network: int) -> None:
    with pytest.raises(ValueError, match="--network"):
        Addresses(network)


@pytest.mark.parametrize(
    "image",
    [
        "stefanprodan/podinfo:6.0.1",
        "registry.example.com:5000/stefanprodan/podinfo:6.0.1",
        "stefanprodan/podinfo@sha256:0123",
        "stefanprodan/podinfo",
    ],
)
def test_the_repository_of_an_image_has_neither_registry_nor_tag(image: str) -> None:
    assert repository(image) == "stefanprodan/podinfo"


def test_flags_are_handed_on_without_the_program_inside_the_image() -> None:
    spec = container(command=["./podinfo", "--port=9898"], args=["--level=info"])
    assert command_line(spec)[-4:] == ["-m", "deploy.sandbox.podinfo", "--port=9898", "--level=info"]
    tester = {"image": "fluxcd/flagger-loadtester:0.1", "args": ["-port=8080"]}
    assert command_line(tester)[-2:] == ["deploy.sandbox.loadtester", "-port=8080"]


@pytest.mark.parametrize("image", ["nginx:1", "stefanprodan/podinfo:does-not-exist", "podinfo:6.0.1"])
def test_an_image_without_a_program_cannot_be_pulled(image: str) -> None:
    with pytest.raises(ImageMissingError, match="failed to pull"):
        command_line(container(image=image))


async def test_every_container_learns_who_and_where_it_is() -> None:
    found = await variables()
    assert found == {
        "POD_IP": "127.5.0.1",
        "POD_NAME": "podinfo-1-a",
        "POD_NAMESPACE": "test",
        "IMAGE": "stefanprodan/podinfo:6.0.1",
    }


async def test_values_come_from_config_maps_secrets_and_fields() -> None:
    def of(**source: Any) -> Object:
        return {"valueFrom": source}

    found = await variables(
        envFrom=[{"configMapRef": {"name": "colors"}, "prefix": "C_"}, {"secretRef": {"name": "keys"}}],
        env=[
            {"name": "COLOR", **of(configMapKeyRef={"name": "colors", "key": "color"})},
            {"name": "KEY", **of(secretKeyRef={"name": "keys", "key": "api"})},
            {"name": "IP", **of(fieldRef={"fieldPath": "status.podIP"})},
            {"name": "HOST", **of(fieldRef={"fieldPath": "status.hostIP"})},
            {"name": "NODE", **of(fieldRef={"fieldPath": "spec.nodeName"})},
            {"name": "APP", **of(fieldRef={"fieldPath": "metadata.labels['app']"})},
            {"name": "NONE", **of(configMapKeyRef={"name": "gone", "key": "x", "optional": True})},
        ],
    )
    expected = {"C_color": "red", "C_size": "5", "api": "s3cret", "COLOR": "red", "KEY": "s3cret", "IP": "10.5.0.1"}
    assert expected.items() <= found.items()
    assert (found["HOST"], found["NODE"], found["APP"]) == ("127.0.0.1", "sandbox", "podinfo")
    assert "NONE" not in found


async def test_variables_refer_to_earlier_ones() -> None:
    found = await variables(
        env=[
            {"name": "A", "value": "1"},
            {"name": "B", "value": "$(A)-$(POD_NAME)-$(NOBODY)-$$(A)-$A"},
            {"name": "EMPTY"},
        ]
    )
    assert found["B"] == "1-podinfo-1-a-$(NOBODY)-$(A)-$A"
    assert found["EMPTY"] == ""


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"envFrom": [{"configMapRef": {"name": "gone"}}]}, 'configmap "gone" not found'),
        ({"envFrom": [{"secretRef": {"name": "gone"}}]}, 'secret "gone" not found'),
        ({"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "colors", "key": "x"}}}]}, "key x"),
        ({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.x"}}}]}, "spec.x"),
        ({"env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "x"}}}]}, "resourceFieldRef"),
    ],
)
async def test_a_missing_reference_is_named(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigMissingError, match=words):
        await variables(**fields)


async def test_volumes_become_directories_that_variables_name(tmp_path: Path) -> None:
    volumes = [
        {"name": "conf", "configMap": {"name": "colors", "items": [{"key": "color", "path": "c.txt"}]}},
        {"name": "api-keys", "secret": {"secretName": "keys"}},
        {"name": "cache", "emptyDir": {}},
        {"name": "claim", "persistentVolumeClaim": {"claimName": "x"}},
    ]
    found = await materialise(pod(volumes=volumes), tmp_path, Configs(Shelf(), "test"))
    assert set(found) == {"VOLUME_CONF", "VOLUME_API_KEYS", "VOLUME_CACHE"}
    assert content(found["VOLUME_CONF"]) == {"c.txt": "red"}
    assert content(found["VOLUME_API_KEYS"]) == {"api": "s3cret"}
    assert content(found["VOLUME_CACHE"]) == {}


def content(directory: str) -> dict[str, str]:
    return {file.name: file.read_text() for file in Path(directory).iterdir()}


@pytest.mark.parametrize(
    "source",
    [
        {"name": "gone"},
        {"name": "colors", "items": [{"key": "x", "path": "x"}]},
        {"name": "colors", "items": [{"key": "color", "path": "../x"}]},
    ],
)
async def test_a_volume_that_cannot_be_filled_is_named(tmp_path: Path, source: Object) -> None:
    with pytest.raises(ConfigMissingError):
        await materialise(pod(volumes=[{"name": "v", "configMap": source}]), tmp_path, Configs(Shelf(), "test"))


@pytest.mark.parametrize(
    ("spec", "check"),
    [
        ({"httpGet": {"port": "http", "path": "/readyz"}}, HttpCheck(9898, "/readyz")),
        ({"httpGet": {"port": 1}}, HttpCheck(1, "/")),
        ({"tcpSocket": {"port": "http"}}, TcpCheck(9898)),
        ({"exec": {"command": ["podcli", "check", "http", "localhost:9898/readyz"]}}, HttpCheck(9898, "/readyz")),
        ({"exec": {"command": ["podcli check http localhost:9898/healthz"]}}, HttpCheck(9898, "/healthz")),
        ({"exec": {"command": ["cat", "/tmp/ready"]}}, ExecCheck(("cat", "/tmp/ready"))),  # noqa: S108 - never run
        ({"grpc": {"port": 9999}}, TcpCheck(9999)),
    ],
)
def test_a_probe_is_read_from_the_spec(spec: Object, check: object) -> None:
    probe = probe_of(container(livenessProbe=spec, ports=[{"name": "http", "containerPort": 9898}]), "livenessProbe")
    assert probe is not None
    assert (probe.check, probe.period, probe.timeout, probe.failures, probe.successes) == (check, 10, 1, 3, 1)


def test_without_a_readiness_probe_the_first_port_has_to_listen() -> None:
    ports = [{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 8080}, {"containerPort": 9999}]
    assert readiness_probe_of(container(ports=ports)).check == TcpCheck(8080)
    assert readiness_probe_of(container()).check == NoCheck()
    asked = container(readinessProbe={"tcpSocket": {"port": 1}, "periodSeconds": 2}, ports=ports)
    assert readiness_probe_of(asked) == Probe(check=TcpCheck(1), period=2)
    assert probe_of(container(), "livenessProbe") is None


async def test_a_check_says_what_was_wrong() -> None:
    never = asyncio.Event()

    async def answer(request: Request) -> Response:
        if request.path == "/slow":
            await never.wait()
        return Response(200 if request.headers.get("x-probe") == "yes" else 503)

    server = WebServer()
    port = await server.listen(answer, "127.0.0.1", 0)
    closed = free_port()
    assert await succeeds(HttpCheck(port, "/", (("X-Probe", "yes"),)), "127.0.0.1", 5, {}) == ""
    assert "503" in await succeeds(HttpCheck(port, "/"), "127.0.0.1", 5, {})
    assert "no answer within" in await succeeds(HttpCheck(port, "/slow"), "127.0.0.1", 0.05, {})
    assert await succeeds(TcpCheck(port), "127.0.0.1", 5, {}) == ""
    assert await succeeds(TcpCheck(closed), "127.0.0.1", 5, {}) != ""
    assert await succeeds(ExecCheck(("true",)), "127.0.0.1", 5, {}) == ""
    assert "ended with 1" in await succeeds(ExecCheck(("false",)), "127.0.0.1", 5, {})
    assert "no answer within" in await succeeds(ExecCheck(("sleep", "1000")), "127.0.0.1", 0.05, {})
    assert await succeeds(ExecCheck(("no-such-program",)), "127.0.0.1", 5, {}) != ""
    await server.close(grace=0.01)


def test_a_pod_meant_for_another_node_is_left_alone() -> None:
    def for_node(name: str) -> Object:
        term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [name]}]}
        required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
        return pod(affinity={"nodeAffinity": required})

    assert may_run_on(pod(), "sandbox")
    assert may_run_on(for_node("sandbox"), "sandbox")
    assert not may_run_on(for_node("other"), "sandbox")
    assert not may_run_on(pod(nodeSelector={"kubernetes.io/hostname": "other"}), "sandbox")
