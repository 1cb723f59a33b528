"""Prometheus' configuration: the gateway's Envoy and every pod that asks to be scraped, under the peer's label names.

Debian builds its Prometheus without the discovery through the Kubernetes API (`kubernetes_sd_configs` is an unknown
field there), so the kubelet writes a file of targets. They carry the very meta labels that the built-in discovery
would give, and the rules below are those of a real cluster but for the loopback addresses.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

TARGETS = "targets.json"
"""The file in the kubelet's state directory from which Prometheus learns what to scrape."""
Object = dict[str, Any]
_META = "__meta_kubernetes_pod_"


def prometheus_config(*, envoy_admin: str, targets: Path, scrape_interval: str = "1s") -> dict[str, Any]:
    """``envoy_admin`` is HOST:PORT of Envoy's admin interface, ``targets`` the file that the kubelet writes;
    ``scrape_interval`` as Prometheus writes durations."""
    return {
        "global": {"scrape_interval": scrape_interval, "scrape_timeout": scrape_interval},
        "scrape_configs": [
            {
                "job_name": "envoy",
                "metrics_path": "/stats/prometheus",
                "static_configs": [{"targets": [envoy_admin]}],
            },
            {
                "job_name": "kubernetes-pods",
                "file_sd_configs": [{"files": [str(targets)], "refresh_interval": "30s"}],  # the file is also watched
                "relabel_configs": _pod_rules(),
            },
        ],
    }


def write_config(file: Path, *, envoy_admin: str, targets: Path, scrape_interval: str = "1s") -> None:
    """:func:`prometheus_config` as the file that ``prometheus --config.file`` reads: JSON is YAML, too."""
    config = prometheus_config(envoy_admin=envoy_admin, targets=targets.absolute(), scrape_interval=scrape_interval)
    file.write_text(json.dumps(config, indent=2), encoding="utf-8")


def arguments(config: Path, storage: Path, port: int) -> list[str]:
    """Flags for a Prometheus on ``port`` of loopback that takes up new pods soon: its default is every 5 s."""
    return [
        f"--config.file={config}",
        f"--storage.tsdb.path={storage}",
        "--storage.tsdb.retention.time=2h",
        f"--web.listen-address=127.0.0.1:{port}",
        "--scrape.discovery-reload-interval=1s",
        "--log.level=warn",
    ]


def target_groups(pods: Iterable[tuple[Object, str]]) -> list[dict[str, Any]]:
    """Pods with their published addresses, one group for each declared port, as the built-in discovery gives them."""
    groups = []
    for pod, address in pods:
        metadata = pod["metadata"]
        labels = {
            "__meta_kubernetes_namespace": metadata["namespace"],
            f"{_META}name": metadata["name"],
            f"{_META}ip": address,
        }
        for kind in ("label", "annotation"):
            for key, value in (metadata.get(f"{kind}s") or {}).items():
                labels[f"{_META}{kind}_{_label_name(key)}"] = value
        ports = [
            port["containerPort"] for container in pod["spec"]["containers"] for port in container.get("ports", [])
        ]
        targets = [f"{address}:{port}" for port in ports] or [address]
        groups += [{"targets": [target], "labels": labels} for target in targets]
    return groups


def write_targets(file: Path, pods: Iterable[tuple[Object, str]]) -> None:
    """By renaming: Prometheus never reads half a file."""
    temporary = file.with_suffix(".new")
    temporary.write_text(json.dumps(target_groups(pods)), encoding="utf-8")
    temporary.rename(file)


def _label_name(key: str) -> str:
    return "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in key)


def _pod_rules() -> list[dict[str, Any]]:
    return [
        {"action": "keep", "source_labels": [f"{_META}annotation_prometheus_io_scrape"], "regex": "true"},
        {
            "source_labels": ["__address__"],
            "regex": r"10\.(.+)",
            "target_label": "__address__",
            "replacement": "127.$1",
        },
        {
            "source_labels": [f"{_META}ip", f"{_META}annotation_prometheus_io_port"],
            "regex": r"10\.([0-9.]+);(\d+)",
            "target_label": "__address__",
            "replacement": "127.$1:$2",
        },
        {
            "source_labels": [f"{_META}annotation_prometheus_io_path"],
            "regex": "(.+)",
            "target_label": "__metrics_path__",
        },
        {"action": "labelmap", "regex": f"{_META}label_(.+)"},
        {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "kubernetes_namespace"},
        {"source_labels": [f"{_META}name"], "target_label": "kubernetes_pod_name"},
    ]
