from __future__ import annotations

import asyncio
import contextlib
import random
import re
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from deploy.sandbox.binaries import find
from deploy.sandbox.messages import Request, Response
from deploy.sandbox.metrics import arguments, prometheus_config, target_groups, write_config, write_targets
from deploy.sandbox.network import free_port
from deploy.sandbox.webserver import WebServer
from handlers.adapters.kube import Object
from tests.patience import PATIENCE


def pod(name: str = "podinfo-1-a", ports: tuple[int, ...] = (9898, 9797), **annotations: str) -> Object:
    given = {f"prometheus.io/{key}": value for key, value in annotations.items()}
    return {
        "metadata": {"name": name, "namespace": "test", "labels": {"app": "podinfo"}, "annotations": given},
        "spec": {"containers": [{"ports": [{"containerPort": port} for port in ports]}]},
    }


def relabelled(target: str, labels: dict[str, str], rules: list[dict[str, Any]]) -> dict[str, str] | None:
    """Prometheus' relabelling for the actions that are used: anchored expressions, later rules see earlier ones."""
    found = {**labels, "__address__": target}
    for rule in rules:
        action = rule.get("action", "replace")
        pattern = re.compile(rule.get("regex", "(.*)"), re.DOTALL)
        if action == "labelmap":
            found |= {match[1]: value for key, value in found.items() if (match := pattern.fullmatch(key))}
            continue
        match = pattern.fullmatch(";".join(found.get(name, "") for name in rule["source_labels"]))
        if action == "keep" and not match:
            return None
        if action == "replace" and match:
            found[rule["target_label"]] = match.expand(re.sub(r"\$(\d)", r"\\\1", rule.get("replacement", "$1")))
    return {key: value for key, value in found.items() if not key.startswith("__meta")}


def scraped(*pods: Object) -> list[dict[str, str]]:
    rules = prometheus_config(envoy_admin="127.0.0.1:1", targets=Path("t.json"))["scrape_configs"][1]["relabel_configs"]
    found = []
    for group in target_groups((pod, f"10.5.0.{number}") for number, pod in enumerate(pods, 1)):
        for target in group["targets"]:
            labels = relabelled(target, group["labels"], rules)
            if labels is not None and labels not in found:
                found.append(labels)
    return found


def test_only_pods_that_ask_for_it_are_scraped_on_their_loopback_address() -> None:
    (found,) = scraped(pod(scrape="true", port="9797"), pod("quiet"), pod("refusing", scrape="false"))
    assert found["__address__"] == "127.5.0.1:9797"
    assert (found["kubernetes_namespace"], found["kubernetes_pod_name"]) == ("test", "podinfo-1-a")
    assert found["app"] == "podinfo"
    assert "__metrics_path__" not in found, "the default path"


def test_without_a_port_annotation_every_declared_port_is_scraped() -> None:
    assert [found["__address__"] for found in scraped(pod(scrape="true"))] == ["127.5.0.1:9898", "127.5.0.1:9797"]


def test_the_path_annotation_is_honoured() -> None:
    (found,) = scraped(pod(ports=(8080,), scrape="true", path="/stats"))
    assert found["__metrics_path__"] == "/stats"


def test_the_gateway_is_scraped_every_second() -> None:
    config = prometheus_config(envoy_admin="127.0.0.1:19000", targets=Path("t.json"))
    assert config["global"]["scrape_interval"] == "1s"
    assert config["scrape_configs"][0]["static_configs"] == [{"targets": ["127.0.0.1:19000"]}]
    assert config["scrape_configs"][0]["metrics_path"] == "/stats/prometheus"


def test_the_target_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    file = tmp_path / "targets.json"
    write_targets(file, [])
    assert orjson.loads(file.read_bytes()) == []
    write_targets(file, [(pod(scrape="true"), "10.5.0.1")])
    assert [group["targets"] for group in orjson.loads(file.read_bytes())] == [["10.5.0.1:9898"], ["10.5.0.1:9797"]]
    assert [entry.name for entry in tmp_path.iterdir()] == ["targets.json"]


@pytest.mark.e2e
async def test_prometheus_scrapes_a_pod_that_appears_while_it_runs(tmp_path: Path) -> None:
    server, host = WebServer(), f"127.{random.randrange(100, 250)}.0.{random.randrange(1, 250)}"

    async def metrics(_: Request) -> Response:
        return Response(200, b"made_up_total 7\n", {"Content-Type": "text/plain; version=0.0.4"})

    port = await server.listen(metrics, host, 0)
    targets, config, own = tmp_path / "targets.json", tmp_path / "prometheus.yml", free_port()
    write_targets(targets, [])
    write_config(config, envoy_admin=f"{host}:{port}", targets=targets)
    process = await asyncio.create_subprocess_exec(
        str(find("prometheus")), *arguments(config, tmp_path / "data", own), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(PATIENCE), httpx.AsyncClient(base_url=f"http://127.0.0.1:{own}") as client:
            await ready(client)
            write_targets(targets, [(pod(scrape="true", port=str(port)), host.replace("127.", "10.", 1))])
            assert await value(client, 'made_up_total{kubernetes_pod_name="podinfo-1-a"}') == "7"
            assert await value(client, 'up{job="envoy"} == 1') == "1"
    finally:
        process.terminate()
        await process.wait()
        await server.close()


async def ready(client: httpx.AsyncClient) -> None:
    while True:
        with contextlib.suppress(httpx.HTTPError):
            if (await client.get("/-/ready")).status_code == 200:
                return
        await asyncio.sleep(0.05)


async def value(client: httpx.AsyncClient, query: str) -> str:
    """As soon as there is one: Prometheus tells nobody when it has scraped."""
    while True:
        with contextlib.suppress(httpx.HTTPError):
            answer = await client.get("/api/v1/query", params={"query": query})
            if answer.status_code == 200 and (found := answer.json()["data"]["result"]):
                return str(found[0]["value"][1])
        await asyncio.sleep(0.1)
